"""What is measured is what was trained: a run is opened with its own code and pictures."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lab.core.cli import main
from lab.core.config import DataConfig, ModelConfig, RunConfig
from lab.core.run_dir import RunDir
from lab.core.run_names import automatic_name
from lab.experiments import make_grid, make_jobs, run_grid
from lab.models.sources import ITSELF
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import LAST, Interrupted, load_checkpoint, save_checkpoint
from lab.worlds import world_version
from support.configs import tiny
from support.run_folders import edit_settings, stop
from support.scripts import is_a_good_line, is_refused, load_script, told

NET = """
from torch import nn
from blocks import body
def net(spec): return body(spec)
"""
BLOCKS = """
from torch import nn
def body(spec):
    flat = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
    return nn.Sequential(nn.Flatten(), nn.{first}(), flat)
"""


def config(out: Path, model: str, **train: object) -> RunConfig:
    """A run of three steps."""
    return tiny(out, model=model, num_test=4, name="run", checkpoint_every=0.0, **train)


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """A folder with a network and its helper."""
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    (folder / "blocks.py").write_text(BLOCKS.format(first="ReLU"))
    return folder


@pytest.fixture
def run(nets: Path, tmp_path: Path) -> Path:
    """A run of that network, stopped before its end."""
    return stopped(config(tmp_path / "runs", f"{nets}/net.py:net"))


def stopped(settings: RunConfig) -> Path:
    """The folder of a run that was trained for two steps of three."""
    folder = start(settings).folder
    stop(folder)
    return folder


def test_a_run_notes_what_it_is_made_of(run: Path, nets: Path) -> None:
    made_of = RunDir(run).settings()[1]
    assert made_of.world == world_version(DataConfig())
    assert set(made_of.sources) == {ITSELF, "blocks.py"}
    assert RunDir(run).summary()["config"]["sources"] == dict(made_of.sources)
    assert RunDir(run).summary()["config"]["world"] == made_of.world
    assert load_checkpoint(run / "checkpoints" / LAST).provenance


def test_changed_code_is_never_taken_in_silence(run: Path, nets: Path, tmp_path: Path) -> None:
    picture = tmp_path / "face.png"
    Image.new("RGB", (16, 16)).save(picture)
    train, predict, evaluate = (
        getattr(load_script(name), name) for name in ("train", "predict", "evaluate")
    )
    commands = (
        (train, ["--resume", str(run)]),
        (predict, [str(run), str(picture)]),
        (evaluate, [str(run), "--counterfactuals", "0", "--num-test", "4"]),
    )
    (nets / "blocks.py").write_text(BLOCKS.format(first="Tanh"))
    for script, words in commands:
        line = is_refused(script, words)
        assert "blocks.py is changed" in line
        assert "--changed-code" in line
        assert ITSELF not in line
    with pytest.raises(ValueError, match=r"blocks\.py is changed"):
        open_run(run)
    (nets / "blocks.py").write_text(BLOCKS.format(first="ReLU"))
    for script, words in commands[1:]:
        assert told(script, words)[0] == 0
    (nets / "blocks.py").write_text(BLOCKS.format(first="Tanh"))
    _, model, *_ = open_run(run, changed_code=True)
    assert type(list(model.modules())[2]).__name__ == "Tanh"
    for script, words in reversed(commands):
        assert told(script, [*words, "--changed-code"])[0] == 0
    assert RunDir(run).settings()[1].changed_at == (2,)
    open_run(run)  # from now on that is its code
    (nets / "blocks.py").write_text(BLOCKS.format(first="ReLU"))
    with pytest.raises(ValueError, match=r"blocks\.py is changed"):
        open_run(run)


def test_a_moved_file_is_found_where_one_says(run: Path, nets: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    shutil.move(nets, there)
    train, predict = load_script("train").train, load_script("predict").predict
    picture = tmp_path / "face.png"
    Image.new("RGB", (16, 16)).save(picture)
    assert "--model-file" in is_refused(predict, [str(run), str(picture)])
    assert "no such" in is_refused(predict, [str(run), str(picture), "--model-file", "no/such.py"])
    found = ["--model-file", str(there / "net.py")]
    assert told(predict, [str(run), str(picture), *found]) == (0, "")
    (there / "net.py").rename(there / "renamed.py")
    config, _, *_ = open_run(run, model_file=there / "renamed.py")
    assert config.model.model == f"{there}/renamed.py:net"
    (there / "other.py").write_text(NET + "# other")
    assert "is changed" in is_refused(
        predict, [str(run), str(picture), "--model-file", str(there / "other.py")]
    )
    assert told(train, ["--resume", str(run), "--model-file", str(there / "renamed.py")])[0] == 0
    assert RunDir(run).config().model.model == f"{there}/renamed.py:net"
    assert RunDir(run).settings()[1].changed_at == ()
    assert RunDir(run).summary()["status"] == "finished"
    open_run(run)


def test_these_flags_are_for_runs_that_there_are(tmp_path: Path) -> None:
    train = load_script("train").train
    for flags in (["--changed-code"], ["--model-file", "x.py"]):
        line = is_refused(train, [*flags, "--out", str(tmp_path / "runs")])
        assert flags[0] in line
        assert "--resume" in line
    assert not (tmp_path / "runs").exists()
    plain = start(config(tmp_path / "runs", "linear")).folder
    with pytest.raises(ValueError, match="not made by a file"):
        open_run(plain, model_file=Path(__file__))


def test_a_checkpoint_of_another_run_is_not_taken(run: Path, nets: Path, tmp_path: Path) -> None:
    (nets / "blocks.py").write_text(BLOCKS.format(first="Tanh"))
    other = start(config(tmp_path / "others", f"{nets}/net.py:net")).folder
    (nets / "blocks.py").write_text(BLOCKS.format(first="ReLU"))
    shutil.copy(other / "checkpoints" / LAST, run / "checkpoints" / LAST)
    for open_it in (open_run, resume):
        with pytest.raises(ValueError, match="copied from another run") as caught:
            open_it(run)
        is_a_good_line(str(caught.value), names=LAST)


def test_code_that_changes_within_a_run_s_start_is_noted_as_executed(
    nets: Path, tmp_path: Path
) -> None:
    """A file that rewrites itself: the digest is of what was executed."""
    again = "with open(__file__, 'a') as file: file.write('# again')"
    (nets / "net.py").write_text(f"{NET}{again}\n")
    folder = start(config(tmp_path / "runs", f"{nets}/net.py:net")).folder
    with pytest.raises(ValueError, match=f"{ITSELF} is changed"):
        open_run(folder)


def test_an_interrupted_run_goes_on_with_its_own_code(nets: Path, tmp_path: Path) -> None:
    wanted = config(tmp_path / "whole", f"{nets}/net.py:net", eval_every=1)
    whole = start(wanted).folder
    (nets / "net.py").write_text(NET.replace("return body(spec)", "raise KeyboardInterrupt"))
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        start(replace(wanted, out=tmp_path / "part"))
    (nets / "net.py").write_text(NET)
    part = start(replace(wanted, out=tmp_path / "part2")).folder
    weights = [open_run(folder).model.state_dict() for folder in (whole, part)]
    for name in weights[0]:
        assert torch.equal(weights[0][name], weights[1][name])


@pytest.mark.usefixtures("runs_here")
def test_a_sweep_trains_each_network_with_its_own_helper(nets: Path, tmp_path: Path) -> None:
    other = tmp_path / "v2"
    shutil.copytree(nets, other)
    (other / "blocks.py").write_text(BLOCKS.format(first="Tanh"))
    names = (f"{nets}/net.py:net", f"{other}/net.py:net")
    base = replace(config(tmp_path, "linear"), name=None)
    table = run_grid(base, {"model": names}, seeds=1, out=tmp_path / "sweep", processes=1)
    folders = [cell.runs[0].folder for cell in table.cells]
    assert "nets_net" in folders[0].name
    assert "v2_net" in folders[1].name
    layers = [type(list(open_run(folder).model.modules())[2]).__name__ for folder in folders]
    assert layers == ["ReLU", "Tanh"]
    keys = [job.key for job in jobs(base, names, tmp_path)]
    (other / "blocks.py").write_text(BLOCKS.format(first="Tanh") + "# changed")
    again = [job.key for job in jobs(base, names, tmp_path)]
    assert keys[0] == again[0]
    assert keys[1] != again[1]
    with pytest.raises(ValueError, match=r"blocks\.py is changed"):
        open_run(folders[1])


def jobs(base: RunConfig, names: tuple[str, ...], out: Path) -> list:  # type: ignore[type-arg]
    """The jobs of a sweep over models, in the order of the names."""
    made = make_jobs(base, make_grid({"model": names}), seeds=1, out=out)
    return sorted(made, key=lambda job: names.index(job.settings["model"]))


def test_runs_of_two_files_are_told_apart_by_their_names() -> None:
    names = [
        automatic_name(RunConfig(model=ModelConfig(model=f"/x/{v}/net.py:net"))) for v in ("a", "b")
    ]
    assert names[0] != names[1]


# The world


def test_pictures_of_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(config(tmp_path / "runs", "linear"))
    picture = tmp_path / "face.png"
    Image.new("RGB", (16, 16)).save(picture)
    path = run / "config.json"
    ours = world_version(DataConfig())
    path.write_text(path.read_text().replace(ours, "faces-0123456789ab"))
    train, evaluate = load_script("train").train, load_script("evaluate").evaluate
    for script, words in (
        (train, ["--resume", str(run)]),
        (evaluate, [str(run), "--counterfactuals", "0", "--num-test", "4"]),
    ):
        line = is_refused(script, words)
        assert "faces-0123456789ab" in line
        assert ours in line
    with pytest.raises(ValueError, match="faces-0123456789ab"):
        open_run(run)
    open_run(run, any_world=True, changed_code=True)


def test_predicting_needs_no_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture of one's own is no drawing: the network answers, whatever is drawn now."""
    folder = start(config(tmp_path / "runs", "linear")).folder
    picture = tmp_path / "face.png"
    Image.new("RGB", (16, 16)).save(picture)
    with pytest.MonkeyPatch.context() as patch:
        tomorrow = property(lambda world: "faces-of-tomorrow")
        patch.setattr("lab.worlds.DrawnWorld.version", tomorrow)
        with pytest.raises(ValueError, match="faces-of-tomorrow"):
            open_run(folder)
        assert main(load_script("predict").predict, [str(folder), str(picture)]) == 0
    assert "person" in capsys.readouterr().out


def test_runs_of_the_former_format_are_one_line(tmp_path: Path) -> None:
    run = start(config(tmp_path / "runs", "linear")).folder
    path = run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    line = is_refused(load_script("train").train, ["--resume", str(run)])
    assert "format 1" in line
    assert "train the run anew" in line


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"data": {"cues": ["eye_color:0.9"]}},
        {"model": {"width": 2}},
        {"train": {"steps": 1}},
        {"train": {"steps": 6}},
        {"train": {"eval_every": 2}},
        {"train": {"stop_at_loss": 0.5}},
        {"train": {"learning_rate": 0.5}},
        {"train": {"batch_size": 3}},
        {"train": {"augment": True}},
        {"train": {"online": True}},
        {"train": {"weight_decay": 0.1}},
        {"train": {"optimizer": "muon"}},
    ],
)
def test_a_checkpoint_belongs_to_the_settings_of_its_run(
    change: dict[str, object], tmp_path: Path
) -> None:
    """Of the lab's own networks, too, which have no source files: settings by hand, or a copy."""
    run = start(config(tmp_path / "runs", "linear")).folder
    edit_settings(run, change)
    for open_it in (open_run, resume):
        with pytest.raises(ValueError, match="was trained with") as caught:
            open_it(run)
        is_a_good_line(str(caught.value), names=LAST)
    stop(run)
    with pytest.raises(ValueError, match="was trained with"):
        resume(run)


def test_a_checkpoint_is_of_no_step_after_the_last(tmp_path: Path) -> None:
    """Also one that was written by a lab that did not note the number of steps."""
    run = RunDir(start(config(tmp_path / "runs", "linear")).folder)
    checkpoint = load_checkpoint(run.last)
    del checkpoint.progress["plan"]
    save_checkpoint(run.last, checkpoint)
    assert open_run(run.path)
    edit_settings(run.path, {"train": {"steps": 2}})
    for open_it in (open_run, resume):
        with pytest.raises(ValueError, match=r"is of step 3, and the run .* ends at step 2"):
            open_it(run.path)


def test_a_picture_or_a_run_is_not_overwritten_with_answers(tmp_path: Path) -> None:
    predict = load_script("predict").predict
    run = start(config(tmp_path / "runs", "linear")).folder
    picture = tmp_path / "face.png"
    Image.new("RGB", (16, 16)).save(picture)
    before = {path: path.read_bytes() for path in (picture, run / "config.json")}
    for flag in ("--csv", "--show"):
        for path in before:
            assert flag in is_refused(predict, [str(run), str(picture), flag, str(path)])
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.usefixtures("runs_here")
def test_a_sweep_deletes_no_folder_with_files_of_others(tmp_path: Path) -> None:
    base = replace(config(tmp_path, "linear"), name=None)
    sweep = {"seeds": 1, "out": tmp_path / "sweep", "processes": 1}
    (cell,) = run_grid(base, {"num_train": [12]}, **sweep).cells
    folder = cell.runs[0].folder
    (folder / "config.json").unlink()
    (folder / "notes.txt").write_text("mine")
    (failure,) = run_grid(base, {"num_train": [12]}, **sweep).failed
    assert "in the way" in failure.reason
    assert (folder / "notes.txt").read_text() == "mine"
