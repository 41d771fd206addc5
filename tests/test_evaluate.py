"""A finished run is measured on any population: the same figures, other faces, readable tables."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lab.core.cli import BROKEN_PIPE, main
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.estimate import Estimate, wilson
from lab.core.run_dir import RunDir
from lab.evaluators.failure_sheet import GAP, HEAD, SIDE, SPACE, TOP, failure_sheet
from lab.evaluators.populations import evaluation_config, measure
from lab.evaluators.robustness import change_words, failure_entries, search
from lab.evaluators.tables import WIDTH, setting_text, table, to_text
from lab.robustness import Failures
from lab.runs.load import open_run
from lab.runs.train import start
from lab.tracking.summary import nest
from lab.worlds import DrawnWorld, open_world
from lab.worlds.faces import ATTRIBUTES, render
from support.configs import tiny
from support.made_up import numbers
from support.picture_folders import fill
from support.planted import ByPixels
from support.scripts import command, load_script


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on faces with a cue and a hold-out."""
    config = RunConfig(
        data=DataConfig(
            num_train=24, num_test=60, image_size=16, cues=("eye_color=blue/brown:0.9",),
            unseen_combinations=("hair_length=long,beard=full",),
        ),
        model=ModelConfig(width=2),
        train=TrainConfig(steps=30, eval_every=30),
        counterfactuals=6,
        name="small",
        out=tmp_path_factory.mktemp("runs"),
    )  # fmt: skip
    return start(config).folder


@pytest.fixture(scope="module")
def script() -> Any:
    """scripts/evaluate.py as a module."""
    return load_script("evaluate")


WORLD = DrawnWorld.of(DataConfig(image_size=16, cues=("eye_color:0.5",)), seed=0)


def world_of_run(config: RunConfig) -> DrawnWorld:
    return DrawnWorld.of(config.data, seed=config.seed)


@pytest.fixture(scope="module")
def failures() -> Failures:
    """What fools a network that calls bright pictures persons."""
    model = ByPixels(lambda inputs: inputs.mean(dim=(1, 2, 3)), 0.1)
    return search(WORLD, model, count=30, resamples=3, generations=2)


def test_without_flags_the_figures_are_those_of_the_run(folder: Path) -> None:
    own, model, *_ = open_run(folder)
    figures = measure(world_of_run(own), model, counterfactuals=own.counterfactuals)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    mine = nest(figures)
    kinds = mine.pop("subpopulation_accuracy")
    assert sum(kind["count"] for kind in kinds.values()) == 60
    for metric, entries in mine.items():
        for name, entry in entries.items():
            assert entry == summary[metric][name], (metric, name)
    for metric in ("answers", "reliance", "logit_change", "group_accuracy", "necessity", "shapley"):
        assert set(mine[metric]) == set(summary[metric])
    assert {"test", "unbiased", "conflicting", "worst_group", "unseen_combinations"} <= set(
        mine["accuracy"]
    )


def test_lists_are_replaced_emptied_or_kept(folder: Path) -> None:
    own = RunDir(folder).config()
    kept = evaluation_config(
        own,
        counterfactuals=9,
        lists=dict.fromkeys(("cues", "unseen_combinations", "subpopulations"), ("own",)),
    )
    assert kept == replace(own, counterfactuals=9)
    for word in ("none", "None"):
        bare = evaluation_config(
            own, counterfactuals=0, lists={"cues": (word,), "unseen_combinations": (word,)}, seed=7
        )
        assert (bare.data.cues, bare.data.unseen_combinations, bare.seed) == ((), (), 7)
    assert evaluation_config(own, counterfactuals=0, lists={"cues": ()}).data.cues == ()
    few = evaluation_config(
        own, counterfactuals=0, lists={"missing": ("nose",)}, numbers={"variation": 0.0}
    )
    assert (few.data.missing, few.data.variation) == (("nose",), 0.0)
    assert few.data.num_test == own.data.num_test
    assert evaluation_config(few, counterfactuals=0, lists={"missing": ("all",)}).data.missing == ()


def test_the_test_faces_are_the_runs_own_whatever_chose_its_weights() -> None:
    for train in (TrainConfig(early_stopping=3), TrainConfig()):
        own = RunConfig(train=train, seed=4)
        assert evaluation_config(own, counterfactuals=0).seed == 4
        assert evaluation_config(own, counterfactuals=0, seed=5).seed == 5


def test_tables_name_what_was_asked_and_fit_the_terminal(folder: Path) -> None:
    own, model, *_ = open_run(folder)
    lists = {
        "cues": ("eye_color=blue/brown:0.5", "background_pattern=stripes/plain:0.8"),
        "unseen_combinations": (
            "hair_length=long,beard=full",
            "skin_color=dark,glasses=round,gaze=left",
        ),
    }
    config = evaluation_config(own, counterfactuals=4, lists=lists, numbers={"num_test": 40})
    world = world_of_run(config)
    said = setting_text(own, config, world)
    assert "--cues eye_color=blue/brown:0.5 background_pattern=stripes/plain:0.8 (training:" in said
    assert "--variation" not in said
    text = to_text(measure(world, model, counterfactuals=4), world)
    assert max(map(len, [*said.splitlines(), *text.splitlines()])) <= WIDTH
    for word in ("test faces", "scrambled (not a person)", "worst group", "conflicting",
                 "unseen comb", "Shapley", "  ears", "Nuisances"):  # fmt: skip
        assert word in text
    rows = [line.split("  ")[0] or line.strip() for line in text.splitlines()]
    places = [rows.index(next(row for row in rows if row.startswith(word)))
              for word in ("unbiased", "person,eye_color", "conflicting")]  # fmt: skip
    assert places == sorted(places), "groups are those of unbiased faces, none of them conflicting"
    assert "of the population that it was trained on" in setting_text(own, own, world)


def test_what_is_surely_small_is_one_line() -> None:
    world = DrawnWorld.of(DataConfig(), seed=0)
    nuisances = world.nuisances
    figures = {"accuracy/test": wilson(9, 10)}
    for k, name in enumerate(ATTRIBUTES):
        large = 30 if name in ("gaze", *world.relevant) else 0
        figures[f"reliance/{name}"] = wilson(large + (k == len(ATTRIBUTES) - 1), 200)
        figures[f"logit_change/{name}"] = Estimate.point(0.1, count=200)
    del figures["reliance/nose"]
    lines = to_text(figures, world).splitlines()
    starts = [line.split()[0] for line in lines if line]
    assert starts.index("eyes") < starts.index("gaze")
    (summed,) = (line for line in lines if f" {len(nuisances) - 1} others" in line)
    assert numbers(summed) == [len(nuisances) - 1, 5, 0.5]
    assert lines[-1].endswith(": nose")
    assert "blur" not in starts


def test_columns_are_aligned_and_nothing_is_a_dash() -> None:
    rows = [("a" * 200, "1.0 %"), ("a line across",), ("b", "–")]
    lines = table(("what", "share"), rows).splitlines()
    assert {len(lines[k]) for k in (0, 1, 3)} == {WIDTH}
    assert "…" in lines[1]
    text = to_text({"accuracy/test": wilson(0, 0)}, WORLD)
    assert text.splitlines()[1].split() == ["test", "faces", "–", "–", "0"]


def test_changes_are_told_with_digits_enough(failures: Failures) -> None:
    row = {name: failures.before[name].clone() for name in ATTRIBUTES}
    after = {name: failures.after[name].clone() for name in ATTRIBUTES}
    row["eye_color"][0], after["eye_color"][0] = 0, 1
    row["light_strength"][0], after["light_strength"][0] = 0.201, 0.9
    row["rotation"][0], after["rotation"][0] = 3.21, 3.19
    row["gaze"][0], after["gaze"][0] = -0.01, 0.5
    row["stray_eyes"][0], after["stray_eyes"][0] = 0, 2
    told = replace(
        failures, before=failures.before.redrawn(row), after=failures.after.redrawn(after)
    )
    assert change_words(told, 0, "eye_color") == ("brown", "blue")
    assert change_words(told, 0, "light_strength") == ("0.2", "0.9")
    assert change_words(told, 0, "rotation") == ("3.21", "3.19")
    assert change_words(told, 0, "gaze") == ("0.0", "0.5")
    assert change_words(told, 0, "stray_eyes") == ("0", "2")
    changed = (("eye_color", "stray_eyes"), *told.changed[1:])
    entry = failure_entries(replace(told, changed=changed), ("no", "yes"))[0]
    assert entry["changes"] == {"eye_color": ["brown", "blue"], "stray_eyes": [0, 2]}
    assert json.dumps(entry)


def test_the_sheet_shows_the_pairs_in_order(failures: Failures) -> None:
    assert len(failures.found) > 4
    sheet = failure_sheet(failures, WORLD, run="x")
    pixels = np.asarray(sheet)
    for column, faces in ((0, failures.before), (1, failures.after)):
        left, top = SPACE + column * (SIDE + GAP), HEAD + TOP
        shown = pixels[top : top + SIDE, left : left + SIDE]
        face = render(faces[:1], size=SIDE)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(shown, face)


def test_a_sheet_without_failures_says_so(failures: Failures) -> None:
    none = torch.zeros(0, dtype=torch.long)
    safe = replace(
        failures, found=none, before=failures.before[none], after=failures.after[none],
        logits_before=failures.logits_before[none], logits_after=failures.logits_after[none],
        changed=(),
    )  # fmt: skip
    assert failure_sheet(safe, WORLD, run="x").height < 100


def test_the_script_prints_and_writes_all_of_it(
    folder: Path, tmp_path: Path, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    words = [
        str(folder),
        "--cues",
        "none",
        "--counterfactuals",
        "3",
        "--num-test",
        "30",
        "--seed",
        "9",
    ]
    words += ["--json", str(tmp_path / "a.json"), "--find-failures", "--search-faces", "12"]
    words += ["--resamples", "3", "--generations", "2"]
    assert main(script.evaluate, words) == 0
    first, told = capsys.readouterr().out, json.loads((tmp_path / "a.json").read_text())
    assert max(map(len, first.splitlines()[1:-1])) <= WIDTH
    assert told["accuracy"]["test"]["count"] == 30
    assert "unbiased" not in told["accuracy"]
    assert told["config"]["seed"] == 9
    robust = told["robust_accuracy"]
    assert robust["as_is"]["count"] == 12
    fooled = (robust["as_is"]["value"] - robust["after_search"]["value"]) * 12
    assert len(told["failures"]) == round(fooled)
    with Image.open(folder / "failures.png") as sheet:
        assert sheet.format == "PNG"
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    drawn = after.pop(folder / "failures.png")
    assert after == before

    assert main(script.evaluate, words) == 0
    assert capsys.readouterr().out == first
    assert (folder / "failures.png").read_bytes() == drawn
    (folder / "failures.png").unlink()


def test_files_are_written_also_where_nobody_reads_what_is_printed(
    folder: Path, tmp_path: Path
) -> None:
    """As `evaluate.py RUN --examples a.csv | head -1` does."""
    words = [str(folder), "--counterfactuals", "3", "--num-test", "30"]
    files = ["--examples", str(tmp_path / "a.csv"), "--json", str(tmp_path / "a.json")]
    program = command("evaluate.py", *words, *files)
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        assert done.stdout
        assert done.stderr
        done.stdout.close()
        said = done.stderr.read().decode()
    assert (done.returncode, "Traceback" in said) == (BROKEN_PIPE, False)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 24 + 30
    assert json.loads((tmp_path / "a.json").read_text())["accuracy"]["test"]["count"] == 30


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("nowhere", "nowhere is no run's folder"),
        ("RUN --cues eye_colour:0.5", "--cues: unknown attribute 'eye_colour'"),
        ("RUN --cues nose:0.5", "nose is what the task person asks for"),
        ("RUN --variation 2", "--variation must be 0 to 1, not 2"),
        ("RUN --num-test 1", "--num-test must be 2 to 1,000,000, not 1"),
        ("RUN --counterfactuals -1", "--counterfactuals must be 0 to 100,000, not -1"),
        ("RUN --seed -1", "--seed must be 0 to"),
        (
            "RUN --subpopulations objects",
            "--subpopulations: unknown kind of the task person 'objects'",
        ),
        ("RUN --missing none", "--missing: unknown part 'none'"),
        ("RUN --find-failures --search-faces 0", "--search-faces must be 1 to 10,000, not 0"),
        ("RUN --find-failures --resamples -1", "--resamples must be 0 to 10,000, not -1"),
        ("RUN --resamples 3", "--resamples goes with --find-failures only"),
        ("RUN --json new.x --examples ./new.x", "--json and --examples both name new.x"),
        ("RUN --json no/where.json", "--json no/where.json: it must be a file in a folder that"),
        ("RUN --find-failures --out /tmp", "--out /tmp: it must be a file in a folder that exists"),
        ("RUN --model cnn", "unknown flag '--model'"),
    ],
)
def test_bad_input_is_one_line(
    words: str, line: str, folder: Path, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(folder) if word == "RUN" else word for word in words.split()]
    assert main(script.evaluate, argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert err.count("\n") == 1


def test_help_names_what_can_be_asked() -> None:
    said = subprocess.run(command("evaluate.py", "--help"), capture_output=True, text=True).stdout
    for word in (
        "--cues",
        "--unseen-combinations",
        "--counterfactuals",
        "--json",
        "--find-failures",
        "--resamples",
    ):
        assert word in said


@pytest.mark.parametrize("shared", [0, 3])
def test_test_pictures_of_known_patients_are_not_called_unseen(
    shared: int, tmp_path: Path, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the run has said itself; patients of whom the test set has one picture each, and the
    training set none, are not told."""
    for name in ("cat", "dog"):
        for patient in range(6):
            fill(tmp_path / "pets" / "train" / name / f"patient_{patient}", 2)
        for patient in range(6 - shared, 12 - shared):
            fill(tmp_path / "pets" / "test" / name / f"patient_{patient}", 1)
    for path in (tmp_path / "pets" / "test").rglob("*.png"):
        path.rename(path.with_stem("another"))  # files do not seem to be numbered anew in test/
    run = start(tiny(tmp_path, data=str(tmp_path / "pets"), num_train=24, num_test=12)).folder
    told = capsys.readouterr().out
    assert main(script.evaluate, [str(run)]) == 0
    said = capsys.readouterr().out
    pictures = f"pictures of {tmp_path / 'pets'}, seed 0"
    unwrapped = " ".join(said.split())
    assert f"{'Test' if shared else 'Unseen'} {pictures}" in unwrapped
    warnings = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert [line in told for line in warnings] == [True] * (shared > 0), "the run said so, too"
    line = f"{2 * shared} of 12 folders below the classes among the test pictures"
    assert all(line in each for each in warnings)


@pytest.mark.parametrize("number", [0, 1, 6])
def test_test_pictures_that_were_trained_on_are_not_called_unseen(
    number: int, tmp_path: Path, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the run has said itself; of sets that share nothing nothing is said."""
    for name in ("cat", "dog"):
        fill(tmp_path / "pets" / "train" / name, 8)
        fill(tmp_path / "pets" / "test" / name, 3)
    copied = [(name, k) for name in ("cat", "dog") for k in range(3)][:number]
    for name, k in copied:
        parts = [tmp_path / "pets" / part / name / f"{k:03d}.png" for part in ("train", "test")]
        shutil.copy(*parts)
    run = start(tiny(tmp_path, data=str(tmp_path / "pets"), num_train=16, num_test=6)).folder
    told = capsys.readouterr().out
    for more in ([], ["--num-test", "2"]):
        assert main(script.evaluate, [str(run), *more]) == 0
        said = capsys.readouterr().out
        pictures = f"pictures of {tmp_path / 'pets'}, seed 0"
        unwrapped = " ".join(said.split())
        assert (f"Unseen {pictures}" in unwrapped) == (number == 0)
        assert (f"Test {pictures}" in unwrapped) == (number > 0)
        warnings = [line for line in said.splitlines() if line.startswith("warning: ")]
        assert len(warnings) == (number > 0)
        assert all("The network has studied" in line for line in warnings)
        if not more:
            assert all(line in told for line in warnings), "the run said so, too"
            assert all(f"{number} of 6 test pictures" in line for line in warnings)


def test_of_what_population_sets_from_disk_are_is_not_said(tmp_path: Path) -> None:
    """Those of the user's own may be of other sites, or have other classes."""
    for name, shade in (("train", 40), ("test", 200)):
        for label in ("a", "b"):
            fill(tmp_path / name / label, 4, shade=shade)
    own = tiny(tmp_path / ".runs", data=str(tmp_path), num_train=8, num_test=8)
    said = setting_text(own, own, open_world(own.data, seed=0))
    assert said.startswith("Unseen pictures of ")
    assert "that it was trained on" not in said
