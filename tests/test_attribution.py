"""Attribution methods against brute force and sums by hand, on networks that are small enough."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from lab.measure.attribution import (
    Case,
    Network,
    Unsuitable,
    attribution,
    list_attributions,
    register_attribution,
)
from lab.measure.attribution.gradients import gradient_blocks
from lab.measure.attribution.influence_functions import influences, regression, with_constant
from lab.measure.predictions import log_odds
from lab.models import ModelSpec, create_model, list_models


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(count: int, classes: int, seed: int = 0) -> Tensor:
    return torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))


def same(images: Tensor) -> Tensor:
    """What is stored is what a network is fed."""
    return images


def case_of(
    models: Sequence[Sequence[nn.Module]], *, classes: int, width: int, rates: Sequence[float] = ()
) -> Case:
    """Seven training examples and five others, vectors, for networks with these checkpoints."""
    return Case(
        networks=[
            Network(
                model=each[0],
                weights=[{k: v.clone() for k, v in model.state_dict().items()} for model in each],
                rates=rates or [0.1] * len(each),
            )
            for each in models
        ],
        images=random(7, width, seed=1), labels=labels(7, classes, seed=1),
        other_images=random(5, width, seed=2), other_labels=labels(5, classes, seed=2),
        classes=classes, to_input=same,
    )  # fmt: skip


def linear(width: int, classes: int, seed: int) -> nn.Linear:
    layer = nn.Linear(width, classes)
    with torch.no_grad():
        layer.weight.copy_(random(classes, width, seed=seed))
        layer.bias.copy_(random(classes, seed=seed + 50))
    return layer


def test_tracin_on_a_linear_model_by_hand() -> None:
    """The gradient of a linear layer is the outer product of p - y and (x, 1)."""
    checkpoints, rates = [linear(4, 3, 0), linear(4, 3, 1)], [0.3, 0.05]
    case = case_of([checkpoints], classes=3, width=4, rates=rates)
    found = attribution("tracin").method(case)
    assert found.shape == (7, 5)
    for i in range(7):
        for j in range(5):
            wanted = 0.0
            for rate, model in zip(rates, (linear(4, 3, 0), linear(4, 3, 1)), strict=True):
                away = [
                    torch.softmax(model(x), dim=0) - one_hot(y, 3)
                    for x, y in (
                        (case.images[i], case.labels[i]),
                        (case.other_images[j], case.other_labels[j]),
                    )
                ]
                seen = float(case.images[i] @ case.other_images[j]) + 1
                wanted += rate * (away[0] @ away[1]).item() * seen
            assert float(found[i, j]) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("of", ["loss", "log odds"])
def test_gradients_of_single_examples_are_those_of_autograd(of: str) -> None:
    model = create_model("cnn", ModelSpec(image_size=16, width=2, num_outputs=3), seed=0)
    images = torch.randint(256, (70, 3, 16, 16), dtype=torch.uint8)
    given = labels(70, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def fed(images: Tensor) -> Tensor:
        return images.float() / 255

    blocks = list(gradient_blocks(model, images, given, of, to_input=fed))  # type: ignore[arg-type]
    found = torch.cat([each for _, each in blocks])
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    for i in (0, 69):
        logits = model(fed(images[i : i + 1]))
        one = given[i : i + 1]
        value = cross_entropy(logits, one)
        if of == "log odds":
            chance = torch.softmax(logits, dim=1)[0, one[0]]
            value = (chance / (1 - chance)).log()
        wanted = torch.autograd.grad(value, list(model.parameters()))
        flat = torch.cat([each.flatten() for each in wanted])
        assert torch.allclose(found[i], flat, rtol=1e-3, atol=1e-5)


def test_influence_functions_agree_with_leaving_one_out() -> None:
    """The regression is fitted anew without each example; to first order that is what the exact
    Hessian says."""
    features = with_constant(random(60, 5).double())
    others = with_constant(random(8, 5, seed=1).double())
    rule = features @ random(6, 3, seed=2).double()
    given = (rule + 0.7 * random(60, 3, seed=3).double()).argmax(dim=1)
    asked = labels(8, 3)
    damping = 0.05

    whole = regression(features, given, classes=3, damping=damping)
    free = whole.clone().requires_grad_()
    objective = cross_entropy(features @ free.T, given) + damping / 2 * free.square().sum()
    assert torch.autograd.grad(objective, free)[0].abs().max() < 1e-8, "it is the minimum"

    found = influences(whole, features, given, others, asked, damping=damping)
    true = log_odds(others @ whole.T, asked)

    def moved(i: int, taken: float) -> Tensor:
        """By how much more the log odds are with an example than with that much of it taken."""
        weight = torch.full((60,), 1 / 60, dtype=torch.float64)
        weight[i] *= 1 - taken
        rest = regression(features, given, classes=3, damping=damping, weight=weight)
        return true - log_odds(others @ rest.T, asked)

    slopes = torch.stack([moved(i, 1e-3) / 1e-3 for i in range(60)])
    assert torch.allclose(found, slopes, rtol=0.01, atol=1e-4 * float(found.abs().max()))
    exact = torch.stack([moved(i, 1.0) for i in range(60)])
    assert torch.corrcoef(torch.stack([found.flatten(), exact.flatten()]))[0, 1] > 0.98
    assert (found - exact).abs().mean() < 0.2 * exact.abs().mean()


def test_influence_functions_are_of_the_features_and_a_constant() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), linear(6, 2, 9))
    case = case_of([[model]], classes=2, width=4)
    found = attribution("influence_functions").method(case)
    with torch.no_grad():
        seen, others = (model[:2](each).double() for each in (case.images, case.other_images))
    length = seen.square().sum(dim=1).mean().sqrt()
    one, other = with_constant(seen / length), with_constant(others / length)
    weights = regression(one, case.labels, classes=2, damping=1e-3)
    wanted = influences(weights, one, case.labels, other, case.other_labels, damping=1e-3)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-6)


def test_neighbors_are_cosines_with_the_sign_of_the_labels() -> None:
    models = [[nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))] for _ in range(2)]
    case = case_of(models, classes=3, width=4)
    found = attribution("neighbors").method(case)
    for i in range(7):
        for j in range(5):
            cosines = []
            for (model,) in models:
                one, other = model[:2](case.images[i]), model[:2](case.other_images[j])
                cosines.append((one @ other / (one.norm() * other.norm())).item())
            sign = 1 if case.labels[i] == case.other_labels[j] else -1
            assert float(found[i, j]) == pytest.approx(sign * sum(cosines) / 2, abs=1e-5)


def test_trak_is_its_formula() -> None:
    """With as many signs as its generator gives, and gradients by hand."""
    models = [[linear(4, 2, seed)] for seed in range(2)]
    case = case_of(models, classes=2, width=4)
    found = attribution("trak").method(case)
    size = max(1, round(0.2 * 7))
    total, missing = torch.zeros(7, 5, dtype=torch.float64), torch.zeros(7, dtype=torch.float64)
    for seed, (model,) in enumerate(models):
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(2, (10, size), generator=generator, dtype=torch.int8).double() * 2 - 1
        phis = []
        for images, given in (
            (case.images, case.labels), (case.other_images, case.other_labels)
        ):  # fmt: skip
            slope = 2 * one_hot(given, 2).double() - 1  # of the difference of the two logits
            rows = torch.cat(
                [(slope[:, :, None] * images[:, None, :].double()).flatten(1), slope], dim=1
            )
            phis.append(rows @ signs / math.sqrt(size))
        own, others = phis
        total += own @ torch.linalg.inv(own.T @ own) @ others.T
        missing += torch.sigmoid(-log_odds(model(case.images).detach(), case.labels))
    wanted = missing[:, None] / 2 * total / 2
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-6 * float(wanted.abs().max()))


class Spectral(nn.Module):
    """A layer with complex weights, as of a Fourier neural operator, and a linear layer on what it
    makes: of `complex_end` complex numbers, of which logits are the real part."""

    def __init__(self, width: int, classes: int, *, complex_end: bool = False) -> None:
        super().__init__()
        count = width // 2 + 1
        self.weight = nn.Parameter(torch.complex(random(count, seed=5), random(count, seed=6)))
        self.complex_end = complex_end
        kind = torch.cfloat if complex_end else torch.float
        self.end = nn.Linear(count if complex_end else width, classes, dtype=kind)
        self.width = width

    def hidden(self, inputs: Tensor) -> Tensor:
        """What the last layer is fed."""
        seen = torch.fft.rfft(inputs) * self.weight
        return seen if self.complex_end else torch.tanh(torch.fft.irfft(seen, n=self.width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits."""
        logits = self.end(self.hidden(inputs))
        return logits.real if self.complex_end else logits


class Double(nn.Sequential):
    """Layers in float64, all of them or the last one, fed float32."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits in float64."""
        for layer in self:
            kinds = {weight.dtype for weight in layer.parameters()}
            inputs = layer(inputs.to(*kinds))
        return inputs


def odd(kind: str, classes: int = 3) -> nn.Module:
    """A network whose weights are not float32."""
    torch.manual_seed(3)
    if kind.startswith("complex"):
        return Spectral(4, classes, complex_end=kind == "complex end")
    layers = nn.Linear(4, 6), nn.Sequential(nn.Tanh(), nn.Linear(6, classes)).double()
    return Double(*layers).double() if kind == "float64" else Double(*layers)


ODD = ("float64", "mixed", "complex", "complex end")


def by_parts(model: nn.Module, images: Tensor, given: Tensor, of: str) -> Tensor:
    """The gradients (B, P) of single examples, one at a time, with respect to real weights alone:
    complex ones are made of their real and their imaginary parts."""
    rows = []
    for image, label in zip(images, given, strict=True):
        leaves: list[Tensor] = []
        made = {}
        for name, weight in model.named_parameters():
            parts = torch.view_as_real(weight) if weight.is_complex() else weight
            leaf = parts.detach().clone().requires_grad_()
            made[name] = torch.complex(leaf[..., 0], leaf[..., 1]) if parts is not weight else leaf
            leaves.append(leaf)
        logits = torch.func.functional_call(model, made, (image[None],)).double()
        value = cross_entropy(logits, label[None])
        if of == "log odds":
            others = torch.arange(logits.shape[1]) != label
            value = logits[0, label] - logits[0, others].logsumexp(dim=0)
        slopes = torch.autograd.grad(value, leaves)
        rows.append(torch.cat([slope.flatten().double() for slope in slopes]))
    return torch.stack(rows)


@pytest.mark.parametrize("of", ["loss", "log odds"])
@pytest.mark.parametrize("kind", ODD)
def test_gradients_with_respect_to_weights_of_other_types(kind: str, of: str) -> None:
    model, case = odd(kind), case_of([[odd(kind)]], classes=3, width=4)
    blocks = gradient_blocks(model, case.images, case.labels, of, to_input=same)  # type: ignore[arg-type]
    found = torch.cat([each for _, each in blocks])
    wanted = by_parts(model, case.images, case.labels, of)
    assert found.dtype == (torch.float32 if kind.startswith("complex") else torch.float64)
    near = {"rtol": 1e-10, "atol": 1e-12} if kind == "float64" else {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(found.double(), wanted, **near)


@pytest.mark.parametrize("kind", ODD)
def test_tracin_with_weights_of_other_types(kind: str) -> None:
    """Products of the gradients with respect to real and imaginary parts: none of an example with
    itself is below 0."""
    case = case_of([[odd(kind)]], classes=3, width=4, rates=[0.25])
    found = attribution("tracin").method(case)
    own = by_parts(odd(kind), case.images, case.labels, "loss")
    others = by_parts(odd(kind), case.other_images, case.other_labels, "loss")
    torch.testing.assert_close(found, 0.25 * own @ others.T, rtol=1e-3, atol=1e-5)
    itself = replace(case, other_images=case.images, other_labels=case.labels)
    diagonal = attribution("tracin").method(itself).diagonal()
    torch.testing.assert_close(diagonal, 0.25 * own.square().sum(dim=1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ODD)
def test_trak_with_weights_of_other_types(kind: str) -> None:
    case = case_of([[odd(kind)]], classes=3, width=4)
    found = attribution("trak").method(case)
    own, others = (
        by_parts(odd(kind), images, given, "log odds")
        for images, given in (
            (case.images, case.labels), (case.other_images, case.other_labels)
        )
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(2, (own.shape[1], 1), generator=generator, dtype=torch.int8) * 2 - 1
    own, others = own @ signs.double(), others @ signs.double()
    with torch.no_grad():
        missing = torch.sigmoid(-log_odds(odd(kind)(case.images), case.labels))
    wanted = missing[:, None] * (own @ others.T) / own.square().sum()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ODD)
def test_features_of_other_types(kind: str) -> None:
    """Of complex features both parts are compared."""
    model, case = odd(kind), case_of([[odd(kind)]], classes=3, width=4)
    seen = []
    for images in (case.images, case.other_images):
        with torch.no_grad():
            if isinstance(model, Spectral):
                hidden = model.hidden(images)
            else:
                hidden = torch.tanh(model[0](images.to(model[0].weight.dtype)))
        parts = [hidden.real, hidden.imag] if hidden.is_complex() else [hidden]
        seen.append(torch.cat(parts, dim=1).double())
    one, other = seen
    signs = 2.0 * (case.labels[:, None] == case.other_labels) - 1
    cosines = nn.functional.normalize(one) @ nn.functional.normalize(other).T
    found = attribution("neighbors").method(case)
    torch.testing.assert_close(found, signs * cosines, rtol=1e-4, atol=1e-5)
    length = one.square().sum(dim=1).mean().sqrt()
    one, other = with_constant(one / length), with_constant(other / length)
    weights = regression(one, case.labels, classes=3, damping=1e-3)
    wanted = influences(weights, one, case.labels, other, case.other_labels, damping=1e-3)
    found = attribution("influence_functions").method(case)
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-4)


class Averaged(nn.Module):
    """A linear layer whose moving average answers in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.register_buffer("weight", self.layer.weight.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits."""
        return self.layer(inputs) if self.training else inputs @ self.weight.T


class Off(nn.Linear):
    """A linear layer that turns gradients off in eval mode, in one way or the other."""

    def __init__(self, inference: bool) -> None:
        super().__init__(4, 2)
        self.inference = inference

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits."""
        if self.training:
            return super().forward(inputs)
        with torch.inference_mode() if self.inference else torch.no_grad():
            return super().forward(inputs)


@pytest.mark.parametrize("name", ["tracin", "trak"])
@pytest.mark.parametrize("make", [Averaged, lambda: Off(True), lambda: Off(False)])
def test_networks_without_gradients_in_eval_mode_are_refused(
    name: str, make: Callable[[], nn.Module]
) -> None:
    with pytest.raises(Unsuitable, match="no gradients lead from its answers in eval mode"):
        attribution(name).method(case_of([[make()]], classes=2, width=4))


@pytest.mark.parametrize("name", list_attributions())
def test_every_method_takes_networks_of_the_lab_and_leaves_them(name: str) -> None:
    """A contract of the registered methods, for networks that they are for."""
    images = torch.randint(256, (24, 3, 16, 16), dtype=torch.uint8)
    for kind in ("cnn", "mlp", "resnet"):
        assert kind in list_models()
        spec = ModelSpec(image_size=16, width=2, num_outputs=3)
        model = create_model(kind, spec, seed=0)
        weights = {key: value.clone() for key, value in model.state_dict().items()}
        case = Case(
            networks=[Network(model=model, weights=[weights], rates=[0.1])],
            images=images[:15], labels=labels(15, 3), other_images=images[15:],
            other_labels=labels(9, 3, seed=1), classes=3,
        )  # fmt: skip
        state = torch.get_rng_state()
        found = attribution(name).method(case)
        assert found.shape == (15, 9)
        assert found.isfinite().all()
        assert torch.equal(found, attribution(name).method(case)), "it is the same each time"
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(model.state_dict()[key], weights[key]) for key in weights)
    assert attribution(name).heading


class NoEnd(nn.Module):
    """Logits without a linear layer, by code that looks at values."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[:, :2] * self.scale if float(inputs.sum()) > -1e9 else inputs[:, :2]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("neighbors", "no linear layer"),
        ("influence_functions", "no linear layer"),
        ("tracin", "no gradients of single examples"),
        ("trak", "no gradients of single examples"),
    ],
)
def test_networks_that_a_method_is_not_for_are_refused(name: str, why: str) -> None:
    with pytest.raises(Unsuitable, match=why):
        attribution(name).method(case_of([[NoEnd()]], classes=2, width=4))


def test_names_are_looked_up_and_not_taken_twice() -> None:
    with pytest.raises(ValueError, match="did you mean 'tracin'"):
        attribution("tracing")
    with pytest.raises(ValueError, match=r"'trak' is taken by lab\.measure\.attribution\.trak"):
        register_attribution("trak", heading="another")(lambda case: case.images)
