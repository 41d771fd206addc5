"""The networks of torchvision and timm: by name, untrained, and clear about what they cannot do."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lab.models import ModelSpec, create_model, first_pass, has_width, locate

SPEC = ModelSpec(num_outputs=3)
SMALL = ["torchvision:shufflenet_v2_x0_5", "torchvision:mnasnet0_5", "timm:test_resnet"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network is asked for something")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


def make(name: str, spec: ModelSpec = SPEC) -> nn.Module:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    return create_model(name, spec)


@pytest.mark.parametrize("name", SMALL)
def test_a_library_s_network_has_our_classes_and_comes_from_the_seed(name: str) -> None:
    model = make(name)
    first_pass(model, SPEC, name=name)
    again = make(name).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())
    assert not has_width(name)
    assert has_width("cnn")
    assert locate(name) == name


def test_dropout_is_the_one_that_was_asked_for() -> None:
    assert {m.p for m in make("torchvision:mnasnet0_5").modules() if isinstance(m, nn.Dropout)} == {
        0.0
    }
    model = make("torchvision:mnasnet0_5", replace(SPEC, dropout=0.5))
    assert 0.5 in {m.p for m in model.modules() if isinstance(m, nn.Dropout)}


@pytest.mark.parametrize("size", [32, 48])
def test_networks_of_one_picture_size_get_ours(size: int) -> None:
    spec = ModelSpec(image_size=size, in_channels=1)
    first_pass(make("timm:test_vit", spec), spec)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("torchvision:resnet81", SPEC, r"torchvision model 'resnet81'; did you mean 'resnet18'\?"),
        ("torchvision:resnet18", replace(SPEC, width=32), "leave out --width 32"),
        ("torchvision:resnet18", replace(SPEC, dropout=0.5), "leave out --dropout 0.5"),
        ("torchvision:convnext_tiny", replace(SPEC, dropout=0.5), "leave out --dropout 0.5"),
        ("torchvision:mnasnet0_5", replace(SPEC, in_channels=1), "3 channels, not 1"),
        ("torchvision:vit_b_16", replace(SPEC, image_size=50), "cannot be built: .*patch size"),
        ("timm:resnet10tt", SPEC, r"timm model 'resnet10tt'; did you mean 'resnet10t'\? There are"),
        ("timm:hf-hub:timm/resnet18", SPEC, "unknown timm model 'hf-hub:timm/resnet18'"),
        ("timm:test_resnet", replace(SPEC, width=2), "leave out --width 2"),
        ("torchvison:resnet18", SPEC, r"no file torchvison; did you mean torchvision:resnet18\?"),
        ("/some/where/Timm:resnet18", SPEC, r"did you mean timm:resnet18\?"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(name: str, spec: ModelSpec, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make(name, spec)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--model")
    assert len(str(error.value)) < 2000


def test_a_picture_that_is_too_small_is_met_in_the_dry_run() -> None:
    spec = replace(SPEC, image_size=16)
    model = make("torchvision:squeezenet1_1", spec)
    with pytest.raises(ValueError, match=r"squeezenet1_1, shown pictures of shape .* fails: "):
        first_pass(model, spec, name="torchvision:squeezenet1_1")


def test_without_timm_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"needs the package timm: pip install -e '\.\[zoo\]'"):
        create_model("timm:resnet18", SPEC)
    assert "zoo" in (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
