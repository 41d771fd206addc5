"""The contract of every model in the registry, and what the registry says when asked wrongly."""

import io
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from lab.models import (
    ModelSpec,
    ask,
    count_parameters,
    create_model,
    features,
    first_pass,
    has_width,
    list_models,
    parameters_told,
    register_model,
    untouched,
)
from lab.models.bagnet import patch_size
from lab.models.registry import builders

SMALL = ModelSpec(width=4)
FIXED = ("cnn_l", "cnn_m", "cnn_s", "cnn_xl", "cnn_xs", "linear")
"""What has no dial: sizes with a name, and where there is nothing to widen."""
every_model = pytest.mark.parametrize("name", list_models())


def make(name: str, spec: ModelSpec = SMALL, *, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model(name, spec)


def pictures(count: int, spec: ModelSpec = SMALL) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    size = spec.image_size
    return torch.rand(count, spec.in_channels, size, size, generator=generator) * 2 - 1


@every_model
@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(width=1, image_size=16, num_outputs=3),
        ModelSpec(width=3, image_size=50, num_outputs=2, in_channels=1),
        ModelSpec(width=2, image_size=64, num_outputs=5, dropout=0.5),
    ],
)
def test_maps_pictures_to_logits(name: str, spec: ModelSpec) -> None:
    model = make(name, spec)
    first_pass(model, spec, name=name)
    for count in (1, 3):
        for training in (True, False):
            logits = model.train(training)(pictures(count, spec))
            assert logits.shape == (count, spec.num_outputs)
            assert logits.isfinite().all()


@every_model
@pytest.mark.parametrize("size", [16, 32, 48, 65, 128])
def test_sees_pictures_of_any_size_whole(name: str, size: int) -> None:
    spec = ModelSpec(width=2, image_size=size)
    model, picture = make(name, spec).eval(), pictures(1, spec).requires_grad_()
    model(picture).square().sum().backward()
    assert picture.grad is not None
    seen = picture.grad[0].ne(0).any(0)  # (S, S)
    skipped = 3 if name == "bagnet" else 0  # what is left when patches of 4 steps do not fit
    ink = seen[: size - skipped, : size - skipped].float().mean()
    assert ink > 0.5  # dead units of so narrow a net leave holes, not margins
    assert seen[: size // 4].any()
    assert seen[-(size // 4) :].any()
    assert seen[:, : size // 4].any()
    assert seen[:, -(size // 4) :].any()


@every_model
def test_answers_about_one_picture_whatever_the_batch(name: str) -> None:
    model, batch = make(name).eval(), pictures(5)
    with torch.no_grad():
        together = model(batch)
        alone = torch.cat([model(picture[None]) for picture in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_model
def test_every_parameter_is_trained(name: str) -> None:
    model = make(name, replace(SMALL, width=16))
    model(pictures(16)).square().sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


@every_model
def test_learns_a_tiny_batch(name: str) -> None:
    model, batch, labels = make(name), pictures(8), torch.arange(8) % 2
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        return nn.functional.cross_entropy(model.train()(batch), labels)

    before = loss()
    before.backward()
    optimizer.step()
    assert loss() < before


@every_model
def test_is_made_from_the_random_seed_alone(name: str) -> None:
    one, same, other = (make(name, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@every_model
def test_state_survives_a_file_of_plain_tensors(name: str) -> None:
    model, copy, file = make(name), make(name, seed=1), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    copy.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(model.eval()(pictures(2)), copy.eval()(pictures(2)))


@every_model
def test_width_is_a_capacity_dial(name: str) -> None:
    sizes = [count_parameters(make(name, replace(SMALL, width=width))) for width in (1, 2, 5, 16)]
    if name in FIXED:
        assert len(set(sizes)) == 1
    else:
        assert all(one < wider for one, wider in pairwise(sizes))


@every_model
def test_features_feed_the_last_linear_layer(name: str) -> None:
    model = make(name)
    found = features(model, pictures(6))
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    assert found is not None
    assert found.shape == (6, last.in_features)
    assert not found.is_inference()
    torch.testing.assert_close(last(found), model.eval()(pictures(6)))


def test_cnn_goes_from_hundreds_to_millions_of_parameters() -> None:
    sizes = [
        count_parameters(make(f"cnn_{size}", ModelSpec())) for size in ("xs", "s", "m", "l", "xl")
    ]
    assert sizes[0] < 1000 < 1_000_000 < sizes[-1]
    assert all(large > 4 * small for small, large in pairwise(sizes))


@every_model
def test_dropout_acts_in_training_only(name: str) -> None:
    model = make(name, replace(SMALL, width=16, dropout=0.5))
    batch = pictures(4)
    if name == "linear":  # it has no hidden features to drop
        assert torch.equal(model.train()(batch), model(batch))
        return
    assert not torch.equal(model.train()(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


def test_a_vote_of_bagnet_sees_its_patch_only() -> None:
    model, batch = make("bagnet", replace(SMALL, width=8)).eval(), pictures(2)
    below, last, patch = model[:-4], model[-1], patch_size(SMALL.image_size)

    def votes(images: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = last(below(images).movedim(1, -1))
        return out  # (2, 13, 13, 2)

    torch.testing.assert_close(votes(batch).mean((1, 2)), model(batch))
    for row, column in ((0, 0), (3, 5), (12, 12)):  # a step from vote to vote is 2 pixels
        corner = batch[:, :, 2 * row :, 2 * column :][:, :, :patch, :patch]
        torch.testing.assert_close(votes(batch)[:, row, column], model(corner))
    changed = batch.clone()
    changed[:, :, 28, 5] += 1
    moved = (votes(changed) != votes(batch)).any(-1)[0]
    assert moved.any()
    moved[11:13, 0:3] = False  # the patches in which that pixel lies
    assert not moved.any()


@pytest.mark.parametrize("size", [16, 32, 50, 64, 130])
def test_the_patches_of_bagnet_are_as_large_as_it_says(size: int) -> None:
    patch, spec = patch_size(size), ModelSpec(width=8, image_size=size)
    model = make("bagnet", spec)
    first_pass(model, replace(spec, image_size=patch))  # one vote
    with pytest.raises(ValueError, match="fails"):
        first_pass(model, replace(spec, image_size=patch - 1))


def test_an_average_over_positions_does_not_tell_where() -> None:
    model, flat = make("cnn_avgpool"), make("cnn")
    assert model[-1].in_features * 16 == flat[-1].in_features
    layers = zip(model[:-4].parameters(), flat[:-3].parameters(), strict=True)
    assert all(torch.equal(mine, its) for mine, its in layers)
    features = model[:-4](pictures(2))
    torch.testing.assert_close(model[-4:](features), model[-4:](features.flip(2, 3)))


def test_features_are_none_without_a_linear_layer() -> None:
    assert features(nn.Flatten(), pictures(2)) is None


def test_features_are_those_of_the_layer_that_runs_last() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 2)
            self.body = nn.Linear(3 * 32 * 32, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(self.body(x.flatten(1)))
            return out

    model = Backwards()
    found = features(model, pictures(2))
    assert found is not None
    torch.testing.assert_close(found, model.body(pictures(2).flatten(1)))


class OnPixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3 * 32 * 32, 2)


class ByName(OnPixels):
    """Its layer is given a keyword, and what it was given is overwritten."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = x.flatten(1) * 2
        out: torch.Tensor = self.last(input=given)
        given.zero_()
        return out


class MakesWeights(OnPixels):
    """Its linear layer makes the weights of another."""

    def __init__(self) -> None:
        super().__init__()
        self.makes = nn.Linear(4, 2 * 3 * 32 * 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x.flatten(1), self.makes(torch.ones(4)).view(2, -1))


class OneByOne(OnPixels):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.vmap(lambda one: self.last(one.flatten()[None])[0])(x)


class EachPlace(OnPixels):
    """Its linear layer is given the places of all pictures in one row."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = x.permute(0, 2, 3, 1).reshape(-1, 3)
        out: torch.Tensor = self.last(places).view(len(x), -1, 2).mean(1)
        return out


class WeighsChannels(nn.Module):
    """Squeeze and excitation (Hu et al., 2018), and a convolution that answers at each place."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh, self.last = nn.Linear(3, 3), nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shares = self.weigh(x.mean((2, 3))).sigmoid()
        out: torch.Tensor = self.last(x * shares[:, :, None, None]).mean((2, 3))
        return out


@pytest.mark.parametrize("kind", [MakesWeights, OneByOne, EachPlace, WeighsChannels])
def test_features_are_none_where_no_layer_has_a_row_for_each_picture(kind: type[nn.Module]) -> None:
    model = kind()
    assert model(pictures(3)).shape == (3, 2)
    assert features(model, pictures(3)) is None


def test_features_are_those_that_a_layer_was_given() -> None:
    found = features(ByName(), pictures(3))
    assert found is not None
    assert torch.equal(found, 2 * pictures(3).flatten(1))


def test_a_second_head_that_is_called_last_has_not_the_features() -> None:
    """As one that tells domains or rotations apart, whose answers an objective reads."""

    class TwoHeads(nn.Module):
        def __init__(self, heads: str) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(3 * 32 * 32, 7), nn.Linear(7, 2)
            self.other = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2))
            self.heads = heads

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.body(x.flatten(1))
            if self.heads == "before":
                self.other(x)
            logits: torch.Tensor = self.head(x)
            if self.heads == "after":
                self.other(x)
            return logits * 2 if self.heads == "scaled" else logits

    for heads in ("before", "after", "scaled"):
        model = TwoHeads(heads)
        found = features(model, pictures(3))
        assert found is not None
        assert torch.equal(found, model.body(pictures(3).flatten(1)))


# The registry


def test_a_taken_name_raises() -> None:
    def cnn(spec: ModelSpec) -> nn.Module:
        return nn.Identity()

    before = dict(builders)
    with pytest.raises(ValueError, match=r"'cnn' is taken by lab\.models\.cnn"):
        register_model(cnn)
    assert before == builders


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'cmn'; did you mean 'cnn'\?"):
        create_model("cmn", SMALL)


NET = """
from torch import nn
from lab.models import ModelSpec, register_model

@register_model
def my_net(spec: ModelSpec) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))

def no_net(spec):
    return 7

def broken(spec):
    return nn.Linear(-1, 2)
"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("my_net", "renamed"):
        monkeypatch.delitem(builders, name, raising=False)
    path = tmp_path / "my net.py"
    path.write_text(NET)
    return path


def test_a_file_anywhere_holds_a_model(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):  # a second time is no second model of that name
        model = create_model(f"{net}:my_net", SMALL)
        first_pass(model, SMALL)
    monkeypatch.chdir(net.parent)
    assert count_parameters(create_model("my net.py:my_net", SMALL)) == count_parameters(model)
    assert "my_net" not in list_models(), "a name is for everybody, a file for who names it"


@pytest.mark.parametrize("where", ["as it is imported", "as it is built"])
def test_what_works_once_in_a_process_is_told_from_what_is_broken(net: Path, where: str) -> None:
    indent = " " if where == "as it is built" else ""
    operator = '"test_models::' + where.replace(" ", "_") + '", "(Tensor x) -> Tensor"'
    once = f"def net(spec):\n{indent}torch.library.define({operator})\n"
    if not indent:
        once = f"torch.library.define({operator})\ndef net(spec):\n"
    net.write_text(f"import torch\n{once} return torch.nn.Linear(2, 2)\n")
    create_model(f"{net}:net", SMALL)
    with pytest.raises(ValueError, match=r"(imported|built) before.*several times in a process"):
        create_model(f"{net}:net", SMALL)
    net.write_text(f"{net.read_text()}raise RuntimeError('broken since')")
    with pytest.raises(ValueError, match=r"broken since$" if indent else "register an operator"):
        create_model(f"{net}:net", SMALL)


def test_a_network_knows_nothing_of_the_program_s_arguments(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or another script would make another network of the same file."""
    parse = """
import argparse
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=5)
width = parser.parse_args().width
def net(spec):
    return nn.Linear(width, parser.parse_args().width)
"""
    net.write_text(parse)
    words = ["train.py", "--width", "9", "--steps", "3"]
    monkeypatch.setattr(sys, "argv", words)
    assert create_model(f"{net}:net", SMALL).weight.shape == (5, 5)
    assert sys.argv == words


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no/such/file.py:my_net", None, r"no.such.file\.py: there is no such file"),
        ("{net}", None, r"must name a function too"),
        ("{net}:my_nett", None, r"unknown function in .*'my_nett'; did you mean 'my_net'\?"),
        ("{net}:no_net", None, r"must return a torch\.nn\.Module, not a int"),
        ("{net}:broken", None, r"cannot be built: RuntimeError: .*negative"),
        ("{net}:net", "def net(): ...", "one argument, a ModelSpec, .*def make"),
        ("{net}:net", "def net(a, b): ...", "one argument, a ModelSpec, .*def make"),
        ("{net}:Net", "class Net:\n  def __init__(self, *, classes): ...", "a ModelSpec, .*make"),
        (
            "{net}:net",
            "import torch\ndef net(classes): torch.ones(classes)",
            "TypeError: .*; it is called with one argument, a ModelSpec: .*def make",
        ),
        (
            "{net}:net",
            "from torch import nn\ndef net(pretrained=False, n=2): return nn.Linear(2, n)",
            "one argument, a ModelSpec, which is not its pretrained=False; write def make",
        ),
        (
            "{net}:Net",
            "class Net:\n  def __init__(self, depth=18): ...",
            "which is not its depth=18; write def make.spec.: return Net",
        ),
        ("{net}:net", "def net(spec): len(5)", "TypeError: object of type 'int' has no len..$"),
        ("{net}:my_net", "import nothing_of_that_name", "does not import: ModuleNotFoundError"),
        ("{net}:my_net", "def my_net(spec:", "does not import: SyntaxError"),
        ("{net}:my_net", "raise SystemExit(3)", "import: SystemExit: 3; it ends the .*__main__"),
        ("{net}:made", NET + "made = nn.Linear(2, 2)", "made is a network already.*def make"),
        ("{net}:mad", NET + "made = nn.Linear(2, 2)", "'mad'. There are: my_net, no_net, broken$"),
    ],
)
def test_one_line_says_what_is_wrong(net: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        net.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        create_model(name.format(net=net), SMALL)
    assert "\n" not in str(error.value)
    assert "--model" in str(error.value)


# The dry run


class Returns(nn.Module):
    """Returns what `answer` makes of its input, and counts in buffers how often."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer
        self.norm = nn.BatchNorm2d(3)
        self.register_buffer("in_place", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(()))
        self.inner = nn.Dropout(0.5).eval()

    def forward(self, x: torch.Tensor) -> object:
        self.in_place += 1
        self.replaced = self.replaced + 1
        out = self.answer(self.inner(self.norm(x)) + torch.randn_like(x))  # type: ignore[operator]
        return out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x.mean((2, 3)), r"must return \(2, 2\) logits, not \(2, 3\)"),
        (lambda x: x.mean((2, 3))[:, :2].squeeze(), r"must return \(1, 2\) logits, not \(2,\)"),
        (lambda x: x.mean((2, 3))[:, :2] / 0, "not finite"),
        (lambda x: [x], "must return a tensor, not a list"),
        (lambda x: x @ torch.ones(7, 2), "fails: RuntimeError: .*cannot be multiplied"),
    ],
)
def test_the_dry_run_says_what_is_wrong(answer: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        first_pass(Returns(answer), SMALL, name="mine")
    assert "\n" not in str(error.value)
    assert "--model mine" in str(error.value)


def test_the_dry_run_leaves_no_trace() -> None:
    model = Returns(lambda x: x.mean((2, 3))[:, :2]).train()
    model.inner.eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    for training in (True, False):
        ask(model, pictures(2), SMALL, name="mine", training=training)
    features(model, pictures(2))
    with pytest.raises(RuntimeError), untouched(model, training=True):
        model(pictures(2)[:, :2])
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key
    model(pictures(2))  # and it can go on training


def test_a_width_is_what_changes_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(has_width(name) for name in ("cnn", "mlp", "vit", "resnet", "bagnet"))
    assert not any(has_width(name) for name in ("linear", "cnn_xs", "cnn_m"))
    monkeypatch.chdir(tmp_path)
    code = "from torch import nn\n{}def net(spec):\n    return nn.Sequential(nn.Flatten(), {})\n"
    Path("fixed.py").write_text(code.format("", "nn.Linear(3072, 2)"))
    Path("wide.py").write_text(code.format("", "nn.Linear(3072, spec.width)"))
    Path("inside.py").write_text(code.format("from wide import net as inner\n", "inner(spec)"))
    assert [has_width(f"{name}.py:net") for name in ("fixed", "wide", "inside")] == [0, 1, 1]


def test_frozen_parameters_are_counted_too() -> None:
    model = nn.Sequential(nn.Linear(100, 20), nn.Linear(20, 2))
    assert parameters_told(model) == "2,062 parameters"
    model[0].requires_grad_(False)
    assert parameters_told(model) == "2,062 parameters, 42 of them trainable"
