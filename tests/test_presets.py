"""Presets: ordinary flags under one name, which the user's own override."""

from pathlib import Path

import pytest

from lab.commands.train import Flags, train
from lab.core.cli import main, parse
from lab.core.config import RunConfig, check
from lab.core.flags import flags_of
from lab.core.machine import has_bfloat16
from lab.core.presets import PRESETS
from support.picture_folders import fill


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_its_flags_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.core.presets.has_bfloat16", lambda: True)
    monkeypatch.setattr("lab.core.presets.processors", lambda: 2)
    mine = parse(Flags, ["--preset", name])
    check(mine.run)
    assert mine.run == parse(Flags, PRESETS[name].split()).run
    assert mine.run == parse(Flags, [f"--preset={name}"]).run


def test_the_help_says_what_each_stands_for() -> None:
    (preset,) = (each for each in flags_of(Flags) if each.field == "preset")
    assert set(preset.choices) == set(PRESETS)
    for name, words in PRESETS.items():
        assert name in preset.text
        assert words in preset.text


def test_flags_that_are_given_come_first() -> None:
    """Before or after it, also where they say what is the default, and switched off."""
    words = ["--width", "16", "--preset", "useful", "--no-online", "--pictures", "--steps=7"]
    mine, whole = parse(Flags, words).run, parse(Flags, ["--preset", "useful"]).run
    assert mine.model.width == 16
    assert not mine.train.online
    assert not mine.train.counterfactual_pairs
    assert mine.pictures
    assert mine.train.steps == 7
    assert mine.train.optimizer == whole.train.optimizer


@pytest.mark.parametrize("model", ["--model torchvision:resnet18", "--model=timm:resnet18"])
def test_a_presets_width_is_not_for_networks_of_libraries(model: str) -> None:
    mine = parse(Flags, ["--preset", "useful", *model.split()]).run
    assert mine.model.width == RunConfig().model.width
    assert mine.train.optimizer == "muon"


def test_threads_are_for_own_networks_in_one_process_with_several_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def threads(*words: str) -> int:
        return parse(Flags, ["--preset", "useful", *words]).run.threads

    monkeypatch.setattr("lab.core.presets.processors", lambda: 2)
    assert threads() == threads("--model", "resnet") == 2
    assert threads("--threads", "4") == 4
    assert threads("--model", "torchvision:resnet18") == threads("--model=net.py:net") == 1
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        assert threads() == 1
    monkeypatch.setattr("lab.core.presets.processors", lambda: 1)
    assert threads() == 1


def test_bfloat16_is_for_processors_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("flags : fpu sse2 avx2")
    assert not has_bfloat16(told)
    told.write_text("flags : fpu avx512f avx512_bf16 amx_tile")
    assert has_bfloat16(told)
    assert not has_bfloat16(tmp_path / "none")
    monkeypatch.setattr("lab.core.presets.has_bfloat16", lambda: False)
    assert parse(Flags, ["--preset", "useful"]).run.train.precision == "float32"
    asked = parse(Flags, ["--preset", "useful", "--precision", "bfloat16"]).run
    assert asked.train.precision == "bfloat16"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--preset", "usefull"], "write --preset useful"),
        (["--preset"], "--preset needs a value"),
        (["--preset", "useful", "--resume", "runs/none"], "leave out --preset"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train, [*words, "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_flags_of_a_preset_that_do_not_fit_are_said_to_be_its(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told to leave out what she has not written."""
    for name in ("a", "b"):
        fill(tmp_path / "photos" / name, 6)
    data = ["--data", str(tmp_path / "photos"), "--out", str(tmp_path / "runs")]
    assert main(train, ["--preset", "useful", "--num-train", "4", "--num-test", "4", *data]) == 2
    err = capsys.readouterr().err
    assert "--preset useful stands for --online" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
    assert main(train, ["--num-train", "4", "--num-test", "4", "--online", *data]) == 2
    assert "--preset" not in capsys.readouterr().err
    assert main(train, ["--preset", "useful", "--no-online", "--steps", "0", "--num-train", "8",
                        "--num-test", "8", "--counterfactuals", "0", "--image-size", "16",
                        "--out", str(tmp_path / "mine")]) == 0  # fmt: skip
