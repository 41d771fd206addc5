"""Small networks computed in C: what torch computes, and torch's own where C cannot be used."""

import copy
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.forward_ad import dual_level, make_dual
from torch.autograd.functional import hessian, jacobian
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from lab.models import ModelSpec, create_model, pooling
from lab.models import convolutions as c
from lab.models.convolutions import Layer
from support.compilers import (
    REAL,
    UNOPTIMIZED,
    install,
    needs_compiler,
    needs_ziglang,
    take_away,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def _stack(
    shape: tuple[int, int, int, int], outputs: tuple[int, ...], *, seed: int
) -> list[Tensor]:
    """Pictures, weights and biases that are small whole numbers: every sum in float32 is exact, and
    many positions are equal."""
    generator = torch.Generator().manual_seed(seed)

    def whole(*size: int) -> Tensor:
        return torch.randint(-2, 3, size, generator=generator).float()

    tensors, channels = [whole(*shape)], shape[1]
    for count in outputs:
        tensors += [whole(count, channels, 3, 3).clamp(-1, 1), whole(count)]
        channels = count
    return tensors


def _results(
    compute: Callable[[Tensor, list[Layer]], Tensor], tensors: list[Tensor], *, seed: int = 0
) -> list[Tensor]:
    """The result, and the gradients of all tensors; the last layer is not pooled."""
    given = [tensor.clone().requires_grad_() for tensor in tensors]
    pairs = list(zip(given[1::2], given[2::2], strict=True))
    layers = [Layer(*pair, pooled=k < len(pairs) - 1) for k, pair in enumerate(pairs)]
    out = compute(given[0], layers)
    generator = torch.Generator().manual_seed(seed)
    slope = torch.randint(-2, 3, out.shape, generator=generator).to(out)
    return [out.detach(), *torch.autograd.grad(out, given, slope)]


@needs_compiler
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (33, 28), (20, 5), (1, 2)])
@pytest.mark.parametrize("count", [1, 7, 64])
def test_whole_numbers_come_out_as_in_torch_to_the_bit(
    channels: int, size: tuple[int, int], count: int
) -> None:
    """Ties included, and channels that fill no block of registers."""
    for outputs in ((1, 2), (3, 5), (4, 7)):
        tensors = _stack((count, channels, *size), outputs, seed=sum(outputs))
        for one, other in zip(
            _results(c.in_c, tensors), _results(c.in_torch, tensors), strict=True
        ):
            assert torch.equal(one, other)


@needs_compiler
def test_weights_may_be_channels_last() -> None:
    tensors = _stack((9, 3, 11, 8), (4, 6), seed=0)
    last = [t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
    found = _results(c.in_c, last)
    for one, other in zip(found, _results(c.in_c, tensors), strict=True):
        assert torch.equal(one, other)
    assert found[2].stride() == last[1].stride()


@needs_compiler
@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite_go_the_way_they_go_in_torch(odd: float) -> None:
    tensors = _stack((9, 3, 14, 14), (4, 5), seed=1)
    tensors[0][2, 1, 5, 6] = odd
    for one, other in zip(_results(c.in_c, tensors), _results(c.in_torch, tensors), strict=True):
        assert torch.allclose(one, other, equal_nan=True)


@needs_compiler
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("size", "count", "channels"), [(32, 64, 3), (20, 100, 1), (33, 8, 3)])
def test_a_network_is_as_exact_as_torchs(width: int, size: int, count: int, channels: int) -> None:
    torch.manual_seed(width)
    model = create_model("cnn", ModelSpec(width=width, image_size=size, in_channels=channels))
    pictures = torch.rand(count, channels, size, size) * 2 - 1
    labels = torch.arange(count) % 2

    def results(model: nn.Module, pictures: Tensor) -> list[Tensor]:
        loss = cross_entropy(model(pictures), labels)
        return [loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))]

    found, plain = results(model, pictures), results(nn.Sequential(*model), pictures)
    exact = results(nn.Sequential(*copy.deepcopy(model)).double(), pictures.double())
    scale = [float(truth.abs().max()) for truth in exact]
    errors = [
        max(
            float((one - truth).abs().max()) / size
            for one, truth, size in zip(each, exact, scale, strict=True)
        )
        for each in (found, plain)
    ]
    assert errors[0] < 3 * errors[1] + 2e-5


@needs_compiler
@pytest.mark.parametrize("asked", [True, False], ids=["pictures too", "weights alone"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 2), (1, 9), (9, 1), (3, 40), (40, 3), (1, 1)])
def test_flat_and_narrow_pictures(shape: tuple[int, int], asked: bool) -> None:
    """Whether or not the gradient of the pictures is wanted."""
    torch.manual_seed(0)
    given = [
        torch.randn(17, 3, *shape).requires_grad_(asked),
        *(torch.randn(size).requires_grad_() for size in ((5, 3, 3, 3), (5,), (4, 5, 3, 3), (4,))),
    ]
    layers = [Layer(given[1], given[2], True), Layer(given[3], given[4], False)]
    sources = given if asked else given[1:]
    for one, other in zip(
        *(
            torch.autograd.grad(compute(given[0], layers).square().sum(), sources)
            for compute in (c.in_c, c.in_torch)
        ),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@needs_compiler
def test_a_picture_does_not_depend_on_the_others_and_the_same_gives_the_same_bits() -> None:
    torch.manual_seed(0)
    layers = [Layer(torch.randn(5, 3, 3, 3), torch.randn(5), True)]
    pictures = torch.randn(70, 3, 13, 13)
    together = c.in_c(pictures, layers)
    for some in (slice(0, 1), slice(5, 12), slice(30, 70)):
        assert torch.equal(c.in_c(pictures[some], layers), together[some])
    tensors = [pictures, torch.randn(6, 3, 3, 3), torch.randn(6), torch.randn(7, 6, 3, 3),
               torch.randn(7)]  # fmt: skip
    for one, other in zip(_results(c.in_c, tensors), _results(c.in_c, tensors), strict=True):
        assert torch.equal(one, other)


Model = nn.Sequential


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    made = create_model("cnn", ModelSpec(width=2, image_size=16))
    assert isinstance(made, nn.Sequential)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many layers were computed in C, call by call."""
    found: list[int] = []
    compute = c.in_c

    def counted(pictures: Tensor, layers: list[Layer], *, rounded: bool = False) -> Tensor:
        found.append(len(layers))
        return compute(pictures, layers, rounded=rounded)

    monkeypatch.setattr(c, "in_c", counted)
    return found


PICTURES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(8) % 2


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_a_network_is_what_it_was_without(model: Model, calls: list[int]) -> None:
    """Names, parameters, children; copies and pickles compute in C, too."""
    plain = nn.Sequential(*model)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert [type(child) for child in model] == [type(child) for child in plain]
    kept = pickle.loads(pickle.dumps(model))
    for each in (model, copy.deepcopy(model), kept, model[:-1]):
        expected = nn.Sequential(*each)(PICTURES)
        assert _close(each(PICTURES), expected)
    assert calls == 4 * [3]
    assert _close(model[:4](PICTURES), plain[:4](PICTURES))  # ends within a layer
    assert calls[4:] == [1]


@needs_compiler
def test_small_networks_train_in_c_and_are_asked_in_c(model: Model, calls: list[int]) -> None:
    cross_entropy(model(PICTURES), LABELS).backward()
    with torch.no_grad():
        model(PICTURES)
    with torch.inference_mode():
        model(PICTURES)
    assert calls == 3 * [3]


def _hook(model: Model) -> None:
    model[3].register_forward_hook(lambda *_: None)


def _own_forward(model: Model) -> None:
    model[2].forward = model[2].forward  # type: ignore[method-assign]


def _another_layer(model: Model) -> None:
    model[0] = nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect")


def _another_pooling(model: Model) -> None:
    model[1] = nn.MaxPool2d(2)


@pytest.mark.parametrize("change", [_hook, _own_forward, _another_layer, _another_pooling])
def test_a_changed_layer_is_called(
    change: Callable[[Model], None], model: Model, calls: list[int]
) -> None:
    """And those after it; one before it may be computed in C."""
    change(model)
    assert _close(model(PICTURES), nn.Sequential(*model)(PICTURES))
    assert calls in ([], [1])


def _autocast_to_float16(model: Model) -> None:
    with torch.autocast("cpu", torch.float16):
        assert model(PICTURES).dtype == torch.float16


def _two_threads(model: Model) -> None:
    torch.set_num_threads(2)
    model(PICTURES)


def _few(model: Model) -> None:
    model(PICTURES[:7])


def _double(model: Model) -> None:
    model.double()(PICTURES.double())


def _meta(model: Model) -> None:
    model.to("meta")(PICTURES.to("meta"))


def _counting(model: Model) -> None:
    with FlopCounterMode(display=False) as counter:
        model(PICTURES)
    assert counter.get_total_flops() > 8 * 16 * 16 * 2 * 27


def _hook_for_all(model: Model) -> None:
    hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        model(PICTURES)
    finally:
        hook.remove()


def _exported(model: Model) -> None:
    torch.export.export(model, (PICTURES,))


def _replaced_function(model: Model) -> None:
    """As in guided backpropagation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.functional, "relu", lambda numbers, inplace=False: numbers.neg())
        assert model(PICTURES).equal(nn.Sequential(*model)(PICTURES))


def _replaced_method(model: Model) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.ReLU, "forward", lambda _, numbers: numbers.neg())
        assert model(PICTURES).equal(nn.Sequential(*model)(PICTURES))


def _mode(model: Model) -> None:
    with torch.device("cpu"):
        model(PICTURES)


@pytest.mark.parametrize(
    "ask",
    [
        _replaced_function,
        _replaced_method,
        _mode,
        _autocast_to_float16,
        _two_threads,
        _few,
        _double,
        _meta,
        _counting,
        _hook_for_all,
        _exported,
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torch_computes_where_c_cannot(
    ask: Callable[[Model], None], model: Model, calls: list[int]
) -> None:
    ask(model)
    assert not calls


def _negative(numbers: Tensor) -> Tensor:
    """Minus the numbers, as a view of the same memory."""
    flat = numbers.as_strided((numbers.numel() // 2, 2), (2, 1))
    imaginary = torch.view_as_complex(flat).conj().imag
    return imaginary.as_strided(numbers.shape, numbers.stride(), 0)


def test_numbers_whose_negatives_are_in_memory(model: Model) -> None:
    """As those of the imaginary part of a conjugate; also as gradients."""
    negative = _negative(PICTURES)
    assert negative.is_neg()
    assert _close(model(negative), model(-PICTURES))
    for layers, given in (
        (model[:3], PICTURES),
        (model[1:3], PICTURES.to(memory_format=torch.channels_last)),
    ):
        wanted = given.clone().requires_grad_()
        out = layers(wanted)
        gradient = torch.ones_like(out)
        plus, minus = (
            torch.autograd.grad(out, wanted, each, retain_graph=True)[0]
            for each in (gradient, _negative(gradient))
        )
        assert _close(minus, -plus)


@pytest.mark.parametrize("width", [9, 16, 33])
def test_a_wide_network_is_left_to_torch_to_the_bit(width: int, calls: list[int]) -> None:
    """Its first layers, too, though they have few channels."""
    torch.manual_seed(0)
    wide = create_model("cnn", ModelSpec(width=width))
    assert isinstance(wide, nn.Sequential)
    pictures = torch.rand(16, 3, 32, 32)
    assert wide(pictures).equal(nn.Sequential(*wide)(pictures))
    assert not calls


@needs_compiler
@pytest.mark.parametrize(("width", "layers"), [(2, 4), (8, 4), (16, 1), (24, 1), (40, 0)])
def test_in_bfloat16_the_first_layers_are_float32(
    width: int, layers: int, calls: list[int]
) -> None:
    """All of a small network's, which makes it more exact; the first one of a wider network that
    begins with few channels."""
    torch.manual_seed(0)
    model = create_model("cnn", ModelSpec(width=width))
    assert isinstance(model, nn.Sequential)
    pictures, labels = torch.rand(16, 3, 32, 32) * 2 - 1, torch.arange(16) % 2

    def results(network: nn.Module, *, rough: bool) -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=rough):
            logits = network(pictures)
            assert logits.dtype == (torch.bfloat16 if rough else torch.float32)
            loss = cross_entropy(logits, labels)
        return [logits.detach().float(), *torch.autograd.grad(loss, list(model.parameters()))]

    plain = nn.Sequential(*model)
    c.is_available()  # whose own calls, made once in a process, do not count
    calls.clear()
    found, truth = results(model, rough=True), results(plain, rough=False)
    assert calls == ([layers] if layers else [])
    roughly = results(plain, rough=True)
    errors = [
        sum(
            float((one - exact).norm() / exact.norm())
            for one, exact in zip(each, truth, strict=True)
        )
        for each in (found, roughly)
    ]
    if layers == 4:
        assert errors[0] < errors[1] / 4
    elif layers == 1:
        assert errors[0] < 1.5 * errors[1]
    else:
        assert all(one.equal(other) for one, other in zip(found, roughly, strict=True))


@needs_compiler
@pytest.mark.parametrize("channels", [1, 5, 40])
def test_rounded_results_are_the_same_numbers_as_bfloat16(channels: int) -> None:
    torch.manual_seed(0)
    weights = [torch.randn(channels, 3, 3, 3).requires_grad_(), torch.randn(channels)]
    layers = [Layer(weights[0], weights[1].requires_grad_(), True)]
    pictures = torch.randn(19, 3, 13, 10)
    pictures[3] = torch.nan
    pictures[4] *= 1e38
    exact, rounded = c.in_c(pictures, layers), c.in_c(pictures, layers, rounded=True)
    assert rounded.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(rounded.nan_to_num(7), exact.to(torch.bfloat16).nan_to_num(7))
    pictures = pictures[:3]
    exact, rounded = c.in_c(pictures, layers), c.in_c(pictures, layers, rounded=True)
    slope = torch.randn(exact.shape).to(torch.bfloat16)
    for one, other in zip(
        torch.autograd.grad(rounded, weights, slope),
        torch.autograd.grad(exact, weights, slope.float()),
        strict=True,
    ):
        assert one.equal(other)


@needs_compiler
def test_gradients_of_single_examples(model: Model, calls: list[int]) -> None:
    weights = {name: weight.detach() for name, weight in model.named_parameters()}

    def loss(weights: dict[str, Tensor], picture: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, weights, (picture[None],)), label[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, PICTURES, LABELS)
    assert not calls
    cross_entropy(model(PICTURES), LABELS).backward()
    assert calls == [3]
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        assert _close(found[name].mean(dim=0), weight.grad)


@needs_compiler
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
def test_second_derivatives(model: Model, calls: list[int]) -> None:
    plain = nn.Sequential(*model)

    def penalized(model: Model) -> list[Tensor]:
        """Gradients of the squared norm of the loss's gradient for the weights and the pictures."""
        weights, pictures = list(model.parameters()), PICTURES.clone().requires_grad_()
        loss = cross_entropy(model(pictures), LABELS)
        first = torch.autograd.grad(loss, [pictures, *weights], create_graph=True)
        norm = sum((each**2).sum() for each in first)
        assert isinstance(norm, Tensor)
        return list(torch.autograd.grad(norm, [pictures, *weights]))

    for one, other in zip(penalized(model), penalized(plain), strict=True):
        assert _close(one, other)
    assert calls == [3]

    def loss_at(model: Model) -> Callable[[Tensor], Tensor]:
        return lambda bias: cross_entropy(
            functional_call(model, {"0.bias": bias}, (PICTURES,)), LABELS
        )

    bias = model[0].bias
    assert isinstance(bias, Tensor)
    expected = hessian(loss_at(plain), bias.detach())
    assert _close(hessian(loss_at(model), bias.detach()), expected)
    assert _close(torch.func.hessian(loss_at(model))(bias.detach()), expected)


@needs_compiler
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
def test_several_gradients_at_once_and_forward_mode(model: Model) -> None:
    plain = nn.Sequential(*model)
    expected = jacobian(plain, PICTURES)
    assert _close(jacobian(model, PICTURES, vectorize=True), expected)
    with dual_level():
        dual = make_dual(PICTURES, torch.ones_like(PICTURES))
        tangents = [
            torch.autograd.forward_ad.unpack_dual(each(dual)).tangent for each in (model, plain)
        ]
    assert _close(*tangents)


@needs_compiler
def test_the_graph_is_freed_and_changed_weights_are_noticed(model: Model) -> None:
    loss = cross_entropy(model(PICTURES), LABELS)
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()
    loss = cross_entropy(model(PICTURES), LABELS)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@needs_compiler
def test_frozen_layers_get_no_gradient(model: Model, calls: list[int]) -> None:
    for weight in model[0].parameters():
        weight.requires_grad_(False)
    cross_entropy(model(PICTURES), LABELS).backward()
    assert [weight.grad is None for weight in model.parameters()] == [True] * 2 + [False] * 6
    model.requires_grad_(False)
    assert not model(PICTURES).requires_grad
    assert calls == [3, 3]


CACHED = (c.is_available, c.library, pooling.is_available, pooling.library)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder of programs on a machine without a compiled library."""
    take_away(monkeypatch, tmp_path / "bin")
    for name, place in (("XDG_CACHE_HOME", "cache"), ("TMPDIR", "temporary")):
        monkeypatch.setenv(name, str(tmp_path / place))
    monkeypatch.delenv(c.SWITCH, raising=False)
    for cached in CACHED:
        cached.cache_clear()
    yield tmp_path
    for cached in CACHED:
        cached.cache_clear()


def _as_torch(model: Model) -> bool:
    return torch.equal(model(PICTURES), nn.Sequential(*model)(PICTURES))


def test_without_a_compiler_torch_computes(
    machine: Path, model: Model, calls: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert _as_torch(model)
        assert _as_torch(model)
    (notice,) = (record.getMessage() for record in caplog.records)
    assert "there is no C compiler" in notice
    assert not calls


@needs_ziglang
def test_with_ziglang_c_computes(
    machine: Path, model: Model, calls: list[int], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delitem(sys.modules, "ziglang")
    with caplog.at_level(logging.INFO):
        assert torch.allclose(model(PICTURES), nn.Sequential(*model)(PICTURES), atol=1e-5)
        assert pooling.is_available()
    assert not caplog.records
    assert calls == [2, 3]


@needs_compiler
def test_a_library_that_computes_something_else_is_refused(
    machine: Path, model: Model, calls: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    install(
        machine / "bin" / "cc",
        "sed -i 's/sums\\[2\\]\\[o\\] += c \\* w/sums[2][o] += b * w/' $code\n"
        f'{machine / REAL} {UNOPTIMIZED} "$code" -o "$out"',
    )
    with caplog.at_level(logging.WARNING):
        assert _as_torch(model)
    assert "computes differently from torch" in caplog.text
    assert calls == [2], "its example alone"


@needs_compiler
def test_memory_is_that_of_the_library_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is compiled for shorter vectors stores less."""

    class Shorter:
        def stored_bytes(self, numbers: object, pictures: int) -> int:
            return pictures

    layers = [torch.zeros(2, 3, 3, 3), torch.zeros(2)]
    usual = c.shape_of((True,), PICTURES, layers).stored
    monkeypatch.setattr(c, "library", Shorter)
    assert c.shape_of((True,), PICTURES, layers).stored == len(PICTURES) < usual


def test_it_can_be_switched_off(
    machine: Path, model: Model, calls: list[int], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(c.SWITCH, "torch")
    with caplog.at_level(logging.WARNING):
        assert _as_torch(model)
    assert not caplog.records
    assert not calls


def test_a_misspelt_switch_is_named_when_the_network_is_built(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(c.SWITCH, "tocrh")
    with pytest.raises(ValueError, match=f"{c.SWITCH} must be auto or torch, not 'tocrh'"):
        create_model("cnn", ModelSpec())
