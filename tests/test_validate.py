"""Flags that can have no effect are refused; those that can are left alone."""

from pathlib import Path

import pytest

from lab.commands.evaluate import Flags
from lab.core.cli import parse
from lab.core.config import DataConfig, RunConfig, to_json
from lab.evaluators.populations import evaluation_config
from lab.worlds import check_memory, reject_no_effect
from support.scripts import is_refused, load_script


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            DataConfig(subpopulations=("object",), missing=("nose",)),
            "--missing nose .* --subpopulations object has",
        ),
        (
            DataConfig(subpopulations=("person", "scrambled"), missing=("nose",)),
            "add 'missing' to --subpopulations",
        ),
        (DataConfig(label_noise_kind="flip"), "--label-noise-kind flip .* without --label-noise"),
        (DataConfig(cue_visibility=0.5), r"--cue-visibility 0\.5 is about cues"),
    ],
)
def test_a_flag_without_effect_is_refused_in_one_line(config: DataConfig, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        reject_no_effect(config)


@pytest.mark.parametrize(
    "config",
    [
        DataConfig(),
        DataConfig(missing=("nose",)),
        DataConfig(subpopulations=("person",), missing=("nose",)),  # the other class keeps its mix
        DataConfig(subpopulations=("missing", "object"), missing=("nose",)),
        DataConfig(task="glasses", missing=("nose",)),
        DataConfig(label_noise=0.1, label_noise_kind="flip"),
        DataConfig(cues=("eye_color:0.9",), cue_visibility=0.5),
        DataConfig(
            variation=0, unseen_combinations=("eye_color=blue,gaze=left",)
        ),  # a test set of strangers
    ],
)
def test_a_flag_with_an_effect_is_not(config: DataConfig) -> None:
    reject_no_effect(config)


@pytest.mark.parametrize("name", ["train", "export", "audit"])
def test_the_scripts_say_so_before_anything_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = ["--out", "new"] if name != "audit" else []
    said = is_refused(getattr(load_script(name), name), ["--label-noise-kind", "flip", *out])
    assert "changes no label" in said
    assert list(tmp_path.iterdir()) == []


def test_evaluation_refuses_what_it_was_asked_for_and_not_what_the_run_had() -> None:
    cues = RunConfig(data=DataConfig(cues=("eye_color:0.9",), cue_visibility=0.5))
    assert evaluation_config(cues, counterfactuals=0, lists={"cues": ("none",)}).data.cues == ()
    with pytest.raises(ValueError, match="is about cues"):
        evaluation_config(
            cues, counterfactuals=0, lists={"cues": ("none",)}, numbers={"cue_visibility": 0.3}
        )
    noses = RunConfig(data=DataConfig(missing=("nose",)))
    assert evaluation_config(
        noses, counterfactuals=0, lists={"subpopulations": ("object",)}
    ).data.subpopulations == ("object",)
    with pytest.raises(ValueError, match="is about faces that lack parts"):
        evaluation_config(
            noses, counterfactuals=0, lists={"subpopulations": ("object",), "missing": ("mouth",)}
        )


def test_pictures_beyond_memory_are_refused_with_the_numbers() -> None:
    check_memory(10_000, size=32)
    with pytest.raises(ValueError, match=r"1,000,000,000 pictures of 512 px take 786,432\.0 GB"):
        check_memory(10**9, size=512)


def test_nothing_is_redrawn_in_pictures_of_a_folder(tmp_path: Path) -> None:
    stored = RunConfig(data=DataConfig(data="pets"))
    (tmp_path / "config.json").write_text(to_json(stored))
    words = [str(tmp_path), "--counterfactuals"]
    line = is_refused(load_script("evaluate").evaluate, [*words, "10"])
    assert "--counterfactuals 10 changes what is drawn" in line
    assert parse(Flags, [*words, "0"])
    (tmp_path / "config.json").write_text(to_json(RunConfig()))
    assert parse(Flags, [*words, "10"])
