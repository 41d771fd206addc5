"""A network is made by the files beside it, and by no other's; the table of sources says which."""

import gc
import hashlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lab.core.text import model_label, model_labels
from lab.models import ModelSpec, create_model, differences, only_agreed, sources_of
from lab.models.sources import ITSELF
from support.killing import answer_of

SPEC = ModelSpec(image_size=16)

FLAT = """
from torch import nn
def body(spec):
    flat = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
    return nn.Sequential(nn.Flatten(), flat, nn.{end}())
"""


LINEAR = """
from torch import nn
class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.flat = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
    def forward(self, x):
"""
"""A network whose forward is still to be written."""


def write(folder: Path, **files: str) -> Path:
    """Python files by dotted name; returns the folder."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__in__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def last(model: nn.Module) -> str:
    """What the last layer is."""
    return type(list(model.modules())[-1]).__name__


def sha(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_networks_with_a_helper_of_the_same_name_get_their_own(tmp_path: Path) -> None:
    net = "from blocks import body\ndef net(spec): return body(spec)"
    for name, end in (("a", "ReLU"), ("b", "Tanh")):
        write(tmp_path / name, net=net, blocks=FLAT.format(end=end))
    for name, end in (("a", "ReLU"), ("b", "Tanh"), ("a", "ReLU")):
        assert last(create_model(f"{tmp_path}/{name}/net.py:net", SPEC)) == end
    write(tmp_path / "a", blocks=FLAT.format(end="Sigmoid"))
    assert last(create_model(f"{tmp_path}/a/net.py:net", SPEC)) == "Sigmoid"
    assert "blocks" not in sys.modules


def test_an_import_that_waits_until_forward_finds_its_own_file(tmp_path: Path) -> None:
    forward = """\
        from late import by
        import importlib
        assert importlib.import_module("late").by == by
        return self.flat(x.flatten(1)) * 0 + by
"""
    for name, by in (("a", 3), ("b", 5)):
        write(tmp_path / name, net=LINEAR + forward, late=f"by = {by}")
    models = [create_model(f"{tmp_path}/{name}/net.py:Net", SPEC) for name in "ab"]
    for model, by in zip(models, (3, 5), strict=True):
        assert model(torch.zeros(1, 3, 16, 16)).tolist() == [[by, by]]


@pytest.mark.parametrize("name", ["train", "models", "random", "statistics", "tests", "_bootstrap"])
def test_a_file_beside_the_network_comes_before_others_of_its_name(
    name: str, tmp_path: Path
) -> None:
    write(tmp_path, net=f"from {name} import body as net", **{name: FLAT.format(end="ReLU")})
    assert last(create_model(f"{tmp_path}/net.py:net", SPEC)) == "ReLU"
    import random

    assert hasattr(random, "gauss"), "nobody else is given the network's file"


def test_the_lab_is_always_this_one(tmp_path: Path) -> None:
    net = "from lab.models import ModelSpec\ndef net(spec): assert type(spec) is ModelSpec; 1/0"
    write(tmp_path, net=net, lab="raise RuntimeError")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        create_model(f"{tmp_path}/net.py:net", SPEC)
    assert list(sources_of(f"{tmp_path}/net.py:net")) == [ITSELF]


PACKAGE = {
    "nets__in____init__": "",
    "nets__in__deep__in____init__": "from . import leaf",
    "nets__in__deep__in__leaf": FLAT.format(end="Tanh"),
    "nets__in__blocks": FLAT.format(end="ReLU"),
}


@pytest.mark.parametrize(
    ("text", "end", "used"),
    [
        ("from .blocks import body as net", "ReLU", {"blocks.py"}),
        ("from . import blocks\nnet = blocks.body", "ReLU", {"blocks.py"}),
        ("from nets.blocks import body as net", "ReLU", {"blocks.py"}),
        ("import nets.blocks\nnet = nets.blocks.body", "ReLU", {"blocks.py"}),
        ("import nets.deep.leaf as far\nnet = far.body", "Tanh",
         {"deep/__init__.py", "deep/leaf.py"}),
        ("from .deep.leaf import body as net", "Tanh", {"deep/__init__.py", "deep/leaf.py"}),
        ("from blocks import body as net", "ReLU", {"blocks.py"}),
    ],
)  # fmt: skip
def test_a_file_in_a_package_imports_as_python_does(
    text: str, end: str, used: set[str], tmp_path: Path
) -> None:
    write(tmp_path, nets__in__mine=text, **PACKAGE)
    name = f"{tmp_path}/nets/mine.py:net"
    found = sources_of(name)
    model = create_model(name, SPEC)
    assert last(model) == end
    expected = {f"nets/{path}" for path in {"__init__.py", *used}}
    assert set(found) == expected | {ITSELF}
    assert found.pop(ITSELF) == sha(tmp_path / "nets" / "mine.py")
    assert found == {path: sha(tmp_path / path) for path in expected}
    assert sources_of(name, model) == sources_of(name)


def test_relative_imports_work_without_a_package_but_not_above_it(tmp_path: Path) -> None:
    write(tmp_path / "a", net="from .blocks import body as net", blocks=FLAT.format(end="ReLU"))
    assert last(create_model(f"{tmp_path}/a/net.py:net", SPEC)) == "ReLU"
    write(tmp_path / "a", net="from ..blocks import body as net")
    with pytest.raises(ValueError, match=r"__init__\.py") as caught:
        create_model(f"{tmp_path}/a/net.py:net", SPEC)
    assert "\n" not in str(caught.value)


def test_all_imports_that_are_written_down_are_found(tmp_path: Path) -> None:
    net = """
import math, torch
import one
try:
    import missing
except ImportError:
    import two as missing
def net(spec):
    from three import body
    if spec.width > 10**6:
        import never
    return body(spec)
"""
    three = "import four.five\n" + FLAT.format(end="ReLU")
    write(tmp_path, net=net, one="", two="import one", three=three, never="import one", stray="",
          four__in____init__="", four__in__five="from . import six", four__in__six="")  # fmt: skip
    found = sources_of(f"{tmp_path}/net.py:net")
    expected = {"one", "two", "three", "never", "four/__init__", "four/five", "four/six"}
    assert set(found) == {ITSELF, *(f"{name}.py" for name in expected)}
    write(tmp_path, stray="changed")
    assert sources_of(f"{tmp_path}/net.py:net") == found
    write(tmp_path, never="import one  # changed")
    changed = differences(found, sources_of(f"{tmp_path}/net.py:net"))
    assert "never.py" in changed
    assert "one.py" not in changed


def test_computed_imports_are_found_when_they_are_executed(tmp_path: Path) -> None:
    net = """
from importlib import import_module
def net(spec): return import_module("blo" + "cks").body(spec)
"""
    write(tmp_path, net=net, blocks=FLAT.format(end="Tanh"))
    name = f"{tmp_path}/net.py:net"
    assert set(sources_of(name)) == {ITSELF}
    model = create_model(name, SPEC)
    assert last(model) == "Tanh"
    assert sources_of(name, model)["blocks.py"] == sha(tmp_path / "blocks.py")


def test_modules_elsewhere_on_the_path_are_sources_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = write(tmp_path / "library", shared__in____init__="",
                    shared__in__parts=FLAT.format(end="ReLU"))  # fmt: skip
    write(tmp_path / "mine", net="from shared.parts import body as net")
    monkeypatch.syspath_prepend(library)
    name = f"{tmp_path}/mine/net.py:net"
    found = sources_of(name)
    assert set(found) == {ITSELF, "shared/__init__.py", "shared/parts.py"}
    assert last(create_model(name, SPEC)) == "ReLU"
    write(library, shared__in__parts=FLAT.format(end="Tanh"))
    assert sources_of(name)["shared/parts.py"] != found["shared/parts.py"]
    assert last(create_model(name, SPEC)) == "Tanh", "as it is now, not as it was imported before"


def test_models_of_the_lab_and_of_libraries_have_no_sources(tmp_path: Path) -> None:
    assert sources_of("cnn") == {}
    assert sources_of("torchvision:resnet18") == {}
    ours = Path(sys.modules["lab.models.cnn"].__file__ or "")
    assert sources_of(f"{ours}:cnn") == {}
    assert isinstance(create_model(f"{ours}:cnn", SPEC), nn.Module)


def test_agreement_holds_for_helpers_and_for_what_is_imported_later(tmp_path: Path) -> None:
    forward = """\
        import late
        return self.flat(x.flatten(1))
"""
    write(tmp_path, net=LINEAR + forward, late="")
    name, trap = f"{tmp_path}/net.py:Net", tmp_path / "ran"
    agreed = sources_of(name).values()
    with only_agreed(agreed):
        model = create_model(name, SPEC)
    write(tmp_path, late=f"open({str(trap)!r}, 'w')")
    with pytest.raises(PermissionError, match=r"late\.py"):
        model(torch.zeros(1, 3, 16, 16))
    with only_agreed(sources_of(name).values()), only_agreed(agreed):
        inner = create_model(name, SPEC)
    with pytest.raises(PermissionError):
        inner(torch.zeros(1, 3, 16, 16))
    assert not trap.exists()


def test_modules_go_with_their_network(tmp_path: Path) -> None:
    write(tmp_path, net="from blocks import body as net", blocks=FLAT.format(end="ReLU"))
    gc.collect()
    before = set(sys.modules)
    model = create_model(f"{tmp_path}/net.py:net", SPEC)
    assert set(sys.modules) > before
    del model
    gc.collect()
    assert set(sys.modules) == before


def test_labels_tell_networks_apart() -> None:
    assert model_label("/home/me/v1/net.py:net") == "v1/net"
    assert model_label("nets/mixer.py:small") == "nets/mixer:small"
    names = ["cnn", "/a/v1/net.py:net", "/a/v2/net.py:net", "/b/v2/net.py:net", "timm:x"]
    labels = model_labels(names)
    assert len(set(labels.values())) == len(names)
    assert labels["/a/v1/net.py:net"] == "v1/net"


SHARED = {
    "nn.ReLU.forward = lambda self, x: x": "torch.nn.ReLU.forward",
    "nn.functional.cross_entropy = lambda *given, **more: 0": "functional.cross_entropy",
    "nn.init.kaiming_uniform_ = lambda x, **more: x": "torch.nn.init.kaiming_uniform_",
    "nn.Linear.reset_parameters = lambda self: None": "torch.nn.Linear.reset_parameters",
    "nn.Conv2d.reset_parameters = lambda self: None": "torch.nn.Conv2d.reset_parameters",
    "nn.modules.module.register_module_forward_hook(lambda m, i, o: None)": "hooks",
    "nn.Module.register_buffer = nn.Module.register_module": "torch.nn.Module.register_buffer",
}
"""What the file of a network may do to all others, and the name that is told."""


def refusals(files: list[Path]) -> list[str]:
    """What is said of the network of each file."""
    said = []
    for file in files:
        with pytest.raises(ValueError, match="for every network in the process") as caught:
            create_model(f"{file}:net", ModelSpec(image_size=16))
        said.append(str(caught.value))
    return said


def test_what_all_networks_share_may_not_be_changed(tmp_path: Path) -> None:
    files = [tmp_path / f"net{number}.py" for number in range(len(SHARED))]
    for file, text in zip(files, SHARED, strict=True):
        file.write_text(f"from torch import nn\n{text}\ndef net(spec): return nn.Linear(1, 1)")
    said = answer_of(refusals, files)  # in a process of its own: the changes stay
    for file, line, what in zip(files, said, SHARED.values(), strict=True):
        assert str(file) in line
        assert "\n" not in line
        assert f"{what} " in line


def test_a_network_that_cannot_be_hashed_is_one_line(tmp_path: Path) -> None:
    net = """
from dataclasses import dataclass
from torch import nn
@dataclass
class Net(nn.Module):
    spec: object
    def __post_init__(self): super().__init__()
"""
    write(tmp_path, net=net)
    with pytest.raises(ValueError, match="eq=False") as caught:
        create_model(f"{tmp_path}/net.py:Net", SPEC)
    assert "\n" not in str(caught.value)
