"""A run's folder: one owner of its files' names, and settings that are resolved once."""

import ast
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.core import run_dir
from lab.core.cli import guarded
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.errors import Interrupted, LabError
from lab.core.run_dir import RunDir, runs_in
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.worlds import DrawnWorld

LAB = Path(run_dir.__file__).parent.parent
CUES = ("size:0.9",)


def small(out: Path, **changes: Any) -> RunConfig:
    """A run of two steps on colored shapes, with a cue."""
    return RunConfig(
        data=DataConfig(
            task="shape", num_train=6, num_test=6, image_size=16, cues=changes.pop("cues", CUES)
        ),
        model=ModelConfig(model="linear"),
        train=TrainConfig(steps=2, batch_size=4),
        counterfactuals=0,
        pictures=False,
        out=out,
        name="run",
        **changes,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The folder of a finished run."""
    return RunDir(start(small(tmp_path_factory.mktemp("runs"))).folder)


def test_a_run_writes_what_its_folder_knows_and_nothing_else(finished: RunDir) -> None:
    files = [path for path in finished.path.iterdir() if path != finished.checkpoints]
    assert len(files) == 5
    assert all(finished.owns(path) for path in files)
    kept = set(finished.checkpoints.iterdir())
    assert kept <= {finished.last, finished.previous, finished.best, finished.snapshots}
    assert not finished.owns(finished.path / "answers.json")
    assert not finished.owns(finished.path.parent / run_dir.CONFIG)
    assert runs_in(finished.path.parent) == [finished]
    assert runs_in(finished.path / "nowhere") == []


def test_it_is_read_back(finished: RunDir) -> None:
    config, provenance = finished.settings()
    assert config.data.cues == CUES
    assert provenance.world.startswith("shapes-")
    assert finished.finished()
    assert RunDir(str(finished)).summary() == finished.summary()  # type: ignore[arg-type]
    assert [line["step"] for line in finished.metrics()][-1] == finished.summary()["step"] == 2
    assert finished.newest() == finished.trained(config) == finished.last


def test_nobody_else_names_a_run_s_files() -> None:
    """But for the projector, whose file is TensorBoard's; prose may name them in longer texts."""
    own = {run_dir.CONFIG, run_dir.METRICS, run_dir.SUMMARY, run_dir.CHECKPOINTS, run_dir.EVENTS}
    own |= {run_dir.LAST, run_dir.PREVIOUS, run_dir.BEST, run_dir.FAILURES}
    keywords = {run_dir.CHECKPOINTS}  # an argument of `fit` has the folder's name
    for path in LAB.rglob("*.py"):
        if path != Path(run_dir.__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    named = node.value.rstrip(".") in own - keywords
                    assert not named, f"{path}, line {node.lineno}: {node.value}"


@pytest.mark.parametrize(
    "do",
    [
        lambda run: open_run(run.path),
        lambda run: resume(run.path),
        lambda run: start(small(run.path / "more")),
    ],
    ids=["load", "resume", "start"],
)
def test_the_world_is_opened_once_and_its_cues_parsed_once(
    do: Callable[[RunDir], object],
    finished: RunDir,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = RunDir(shutil.copytree(finished.path, tmp_path / "run"))
    killed.summary_file.unlink()  # as if it was killed before its end
    opened, real = [], DrawnWorld.of

    def of(data: DataConfig, **where: Any) -> DrawnWorld:
        opened.append(data.cues)
        return real(data, **where)

    monkeypatch.setattr(DrawnWorld, "of", of)
    do(killed)
    assert opened.count(CUES) == 1


@pytest.mark.parametrize("found", [1, 3, "old", None])
def test_a_folder_of_another_format_is_refused_in_one_line(found: object, tmp_path: Path) -> None:
    """Formats 1 to 3 had settings that are called otherwise now."""
    run = RunDir(start(small(tmp_path)).folder)
    told = json.loads(run.config_file.read_text())
    told["data"]["kinds"] = told["data"].pop("subpopulations")
    run.config_file.write_text(json.dumps({**told, "format": found}))
    for do in (run.settings, lambda: open_run(run.path), lambda: resume(run.path)):
        with pytest.raises(ValueError, match=rf"format {found}.*train the run anew") as caught:
            do()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("early_stopping", [None, 1])
def test_a_run_that_was_copied_without_its_checkpoints_says_where_these_are(
    early_stopping: int | None, tmp_path: Path
) -> None:
    config = small(tmp_path)
    train = dataclasses.replace(config.train, early_stopping=early_stopping, eval_every=1)
    folder = start(dataclasses.replace(config, train=train)).folder
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(ValueError, match="copy its folder checkpoints/ from where it was trained"):
        open_run(folder)


def test_settings_without_effect_are_refused_only_where_a_user_gave_them(tmp_path: Path) -> None:
    """A sweep's cell may have such a setting, if another cell makes use of it."""
    config = small(tmp_path, cues=())
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, label_noise_kind="flip")
    )
    with pytest.raises(ValueError, match="--label-noise-kind"):
        start(config, strict=True)
    assert list(tmp_path.iterdir()) == []
    assert start(config).folder.is_dir()


class Sorry(LabError):
    """An error for the user, of a class that no module of the lab knows."""


def failing(error: BaseException) -> Callable[[], None]:
    """An action that raises `error`."""

    def action() -> None:
        raise error

    return action


def test_errors_are_told_apart_by_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(failing(Sorry("no luck"))) == 1
    assert capsys.readouterr().err == "error: no luck\n"
    assert guarded(failing(Interrupted(15, 7))) == 128 + 15
    assert "SIGTERM" in capsys.readouterr().err
    foreign = type("Foreign", (RuntimeError,), {"__module__": "lab.somewhere"})
    with pytest.raises(foreign):
        guarded(failing(foreign("a fault of the lab")))
