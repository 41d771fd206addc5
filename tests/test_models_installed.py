"""Models of installed packages: by name, lazily, and without harm where a package is broken."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from lab.models import ModelSpec, create_model, list_models
from lab.models.installed import warn
from lab.models.registry import builders

SPEC = ModelSpec(width=2)
NET = """
from torch import nn

def their_net(spec):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
"""
Install = Callable[[str, str, dict[str, str]], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that puts a package (name, code, entry points) where Python finds it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    warn.cache_clear()

    def package(name: str, code: str, points: dict[str, str]) -> Path:
        monkeypatch.delitem(sys.modules, name, raising=False)
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        info = tmp_path / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        lines = [f"{key} = {value}" for key, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[lab.models]", *lines, ""]))
        return path

    return package


def test_an_installed_package_adds_a_name(install: Install) -> None:
    assert "their_net" not in list_models()
    install("their_package", NET, {"their_net": "their_package:their_net"})
    assert isinstance(create_model("their_net", SPEC), nn.Sequential)
    assert "their_net" in list_models()
    with pytest.raises(ValueError, match="did you mean 'their_net'"):
        create_model("their_nett", SPEC)


def test_a_package_is_imported_when_it_is_asked_for(install: Install) -> None:
    install("their_package", NET, {"their_net": "their_package:their_net"})
    create_model("cnn", SPEC)
    assert "their_package" not in sys.modules
    create_model("their_net", SPEC)
    assert "their_package" in sys.modules


def test_a_registered_function_may_be_offered_too(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    code = "from lab.models import register_model\n" + NET.replace("def", "@register_model\ndef")
    install("their_package", code, {"their_net": "their_package:their_net"})
    for _ in range(2):
        assert isinstance(create_model("their_net", SPEC), nn.Sequential)
        assert "their_net" in list_models()
    assert not caplog.records
    del builders["their_net"]


@pytest.mark.parametrize(
    ("code", "value", "message"),
    [
        ("import nothing_of_that_name", "broken:net", "does not import: ModuleNotFoundError"),
        ("raise SystemExit(3)", "broken:net", "does not import: SystemExit: 3"),
        ("", "broken:net", "does not import: AttributeError"),
        ("net = 7", "broken:net", "is no function"),
    ],
)  # fmt: skip
def test_a_broken_package_is_named_and_breaks_nothing(
    install: Install, caplog: pytest.LogCaptureFixture, code: str, value: str, message: str
) -> None:
    install("broken", code, {"net": value})
    install("their_package", NET, {"their_net": "their_package:their_net"})
    for _ in range(2):
        names = list_models()
        assert {"cnn", "their_net"} <= set(names)
        assert "net" not in names
    (record,) = caplog.records  # once
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert "\n" not in said
    assert said.startswith("warning: the model 'net' (broken:net) of the package broken 1.5")
    assert message in said
    with pytest.raises(ValueError, match=r"of the package broken 1\.5"):
        create_model("net", SPEC)


def test_a_name_that_the_lab_has_stays_the_lab_s(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("their_package", NET, {"cnn": "their_package:their_net"})
    assert "their_package" not in type(create_model("cnn", SPEC)).__module__
    assert list_models().count("cnn") == 1
    (record,) = caplog.records
    assert record.getMessage() == (
        "warning: the package their_package 1.5 offers a model called 'cnn' too, which is taken by"
        " lab.models.cnn.cnn; it is left out"
    )


def test_a_name_that_two_packages_claim_is_given_to_neither(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    for package in ("one", "two"):
        install(package, NET, {"their_net": f"{package}:their_net"})
    assert "their_net" not in list_models()
    (record,) = caplog.records
    assert "claimed by the packages one 1.5 and two 1.5" in record.getMessage()
    with pytest.raises(ValueError, match="claimed by the packages"):
        create_model("their_net", SPEC)
