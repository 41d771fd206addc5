"""Whole runs: what they write, that they never mix, and that a killed one goes on exactly."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lab.core.config import LOSS_BOUND, DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.locks import locked
from lab.core.run_dir import RunDir
from lab.core.run_names import automatic_name, check_name
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.training import LAST, Diverged, load_checkpoint
from support.configs import RICH_FLAGS, rich, tiny
from support.killing import Script
from support.run_folders import scalars, summary
from support.scripts import run_here

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, done in this process."""
    return start(rich(tmp_path_factory.mktemp("whole"))).folder


def test_asking_what_it_relies_on_changes_nothing(whole: Path, tmp_path: Path) -> None:
    """Law 7: a run that is asked less ends with the same weights and the same other figures."""
    config = dataclasses.replace(rich(tmp_path), counterfactuals=0)
    quiet = start(config).folder
    weights = [load_checkpoint(f / "checkpoints" / LAST).model for f in (whole, quiet)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert summary(quiet)["accuracy"] == summary(whole)["accuracy"]
    assert "reliance" in summary(whole)
    assert "reliance" not in summary(quiet)


def test_killed_at_any_moment_it_goes_on_exactly(whole: Path, tmp_path: Path) -> None:
    """SIGKILL while it trains, evaluates or saves; then SIGTERM; then to the end."""
    folder = tmp_path / "killed"
    words = [*RICH_FLAGS.split(), "--out", str(tmp_path), "--name", "killed"]
    for number, lines in ((signal.SIGKILL, 3), (signal.SIGTERM, 6)):
        process = Script("train", words)
        metrics = folder / "metrics.jsonl"
        while process.poll() is None:
            if metrics.exists() and metrics.read_text().count("\n") >= lines:
                process.send_signal(number)
                break
            time.sleep(0.002)
        told = process.communicate()
        if number == signal.SIGTERM and process.returncode != 0:
            assert process.returncode == 143, told
            assert f"--resume {folder}" in told
            assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
        words = ["--resume", str(folder)]
    assert resume(folder) is not None
    assert resume(folder) is None, "it is finished"

    assert (folder / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert scalars(folder) == scalars(whole)
    assert summary(folder) == summary(whole)
    one, other = (load_checkpoint(run / "checkpoints" / LAST) for run in (folder, whole))
    assert one.step == other.step == 40
    for name, value in other.model.items():
        assert torch.equal(one.model[name], value)
    for index, state in other.optimizer["state"].items():
        for name, value in state.items():
            assert torch.equal(one.optimizer["state"][index][name], value)


def test_a_run_writes_what_it_promises(whole: Path) -> None:
    curves = scalars(whole)
    steps = [0, *range(5, 41, 5)]
    for tag in ("accuracy/train", "accuracy/test_low", "gap/loss", "memorization/membership_auc"):
        assert [step for step, _ in curves[tag]] == steps
    lines = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == steps
    for line, (_, value) in zip(lines, curves["loss/test"], strict=True):
        assert line["loss/test"] == pytest.approx(value, rel=1e-6)
    told = json.loads((whole / "summary.json").read_text())
    assert told["status"] == "finished"
    assert told["accuracy"]["test"]["value"] == lines[-1]["accuracy/test"]
    assert set(told["seconds"]) == {
        "starting", "drawing", "training", "measuring", "logging", "saving",
    }  # fmt: skip
    assert told["verdict"]


def test_a_run_without_a_number_of_steps_ends_when_its_training_faces_are_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(
        data=DataConfig(num_train=4, num_test=8, image_size=16),
        model=ModelConfig(model="mlp"),
        counterfactuals=0,
        pictures=False,
        out=tmp_path,
    )
    folder = start(config).folder
    fitted, said = summary(folder), capsys.readouterr().out
    assert "at most 1,500 steps" in said
    assert f"ended after {fitted['step']:,} steps" in said
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss/train"] for line in lines]
    assert losses[-3] > LOSS_BOUND >= max(losses[-2:])
    with_steps = dataclasses.replace(config, train=TrainConfig(steps=fitted["step"] + 1))
    assert summary(start(with_steps).folder)["step"] == fitted["step"] + 1
    assert "ended after" not in capsys.readouterr().out


def test_a_run_can_be_asked_again(whole: Path, tmp_path: Path) -> None:
    config, model, *_ = open_run(whole)
    assert config.data.num_train == 24
    assert not model.training
    assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 2)

    Image.new("RGBA", (70, 50), (200, 100, 0, 90)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    done = run_here("predict", str(whole), str(tmp_path / "b.png"), str(tmp_path / "a.png"))
    assert done.code == 2
    assert done.out.startswith(f"{tmp_path}/a.png: ")
    assert " person " in done.out
    assert done.err.startswith(f"error: {tmp_path}/b.png: cannot be read")
    assert done.err.count("\n") == 1


def test_a_run_that_breaks_says_so(tmp_path: Path) -> None:
    plugin = tmp_path / "wild.py"
    plugin.write_text(
        "import torch\n"
        "class Wild(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a = torch.nn.Parameter(torch.ones(2))\n"
        "    def forward(self, x):\n"
        "        return (x.mean((1, 2, 3))[:, None] * self.a).exp().exp().exp()\n"
        "def wild(spec):\n"
        "    return Wild()\n"
    )
    config = dataclasses.replace(
        rich(tmp_path / "runs", learning_rate=10.0, steps=400),
        model=ModelConfig(model=f"{plugin}:wild"),
        name="wild",
    )
    with pytest.raises(Diverged, match="try --learning-rate 1"):
        start(config)
    told = json.loads((tmp_path / "runs" / "wild" / "summary.json").read_text())
    assert told["status"] == "failed"
    assert "not a finite number" in told["verdict"]


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    for config in (
        RunConfig(out=tmp_path / "runs", model=ModelConfig(model="cnm")),
        RunConfig(out=tmp_path / "runs", data=DataConfig(task="persn")),
        RunConfig(out=tmp_path / "runs", train=TrainConfig(steps=-1)),
        RunConfig(out=tmp_path / "runs", name="../up"),
        RunConfig(out=tmp_path / "runs", data=DataConfig(cues=("eye_colour:1",))),
        RunConfig(
            out=tmp_path / "runs", data=DataConfig(unseen_combinations=("gaze=left", "gaze=right"))
        ),
        RunConfig(out=tmp_path / "runs", data=DataConfig(task="count_eyes", missing=("nose",))),
    ):
        with pytest.raises(ValueError, match=r"unknown|must be|--name|leave nothing|only nose"):
            start(config)
    assert os.listdir(tmp_path) == []


def test_a_taken_name_is_refused_or_numbered(tmp_path: Path) -> None:
    asked = RunConfig(out=tmp_path, name="mine")
    RunDir.create(asked)
    with pytest.raises(ValueError, match=r"mine exists already.*--resume"):
        RunDir.create(asked)
    assert RunDir.create(RunConfig(out=tmp_path)).name == "person-100-cnn16-s0"
    assert RunDir.create(RunConfig(out=tmp_path)).name == "person-100-cnn16-s0-2"
    assert RunDir.create(RunConfig(out=tmp_path)).name == "person-100-cnn16-s0-3"


def test_eight_at_once_get_one_winner_or_eight_folders(tmp_path: Path) -> None:
    def ask(name: str | None) -> str:
        try:
            return RunDir.create(RunConfig(out=tmp_path, name=name)).name
        except ValueError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, ["same"] * 8)) == ["refused"] * 7 + ["same"]
        assert len(set(pool.map(ask, [None] * 8))) == 8


@given(st.text() | st.sampled_from(["..", ".", "a/b", "-x", "\0", "a" * 101, "\udcff", "a\n"]))
def test_no_name_leads_out_of_the_root(name: str) -> None:
    root = Path("/somewhere/runs")
    told = ""
    try:
        assert (root / check_name(name)).resolve().parent == root
    except ValueError as error:
        told = str(error)
    assert "\n" not in told


def test_a_network_of_a_file_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nets", "elsewhere"):
        (tmp_path / name).mkdir()
    net = tmp_path / "nets" / "flat_net.py"
    net.write_text(
        "from torch import nn\n"
        "def flat(spec):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, 2))\n"
    )
    monkeypatch.chdir(net.parent)
    config = tiny(tmp_path, model="flat_net.py:flat")
    folder = start(config).folder
    monkeypatch.chdir(tmp_path / "elsewhere")
    found, model, *_ = open_run(folder)
    assert found.model.model == f"{net}:flat"
    assert isinstance(model, torch.nn.Sequential)
    assert resume(folder) is None


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("cnn", "cnn16"),
        ("a/my_net.py:my_net", "a_my_net16"),
        ("a/nets.py:small", "a_nets_small16"),
        ("torchvision:resnet18", "resnet18"),
        ("timm:vit_tiny_patch16_224.augreg_in21k", "vit_tiny_patch16_224_augreg_in21k"),
    ],
)
def test_a_name_says_the_network_and_its_width_if_it_has_one(model: str, said: str) -> None:
    config = RunConfig(model=ModelConfig(model=model))
    assert automatic_name(config) == f"person-100-{said}-s0"


@given(st.text(), st.text(), st.integers(0, 2**63 - 1))
def test_automatic_names_are_fit(task: str, model: str, seed: int) -> None:
    config = RunConfig(data=DataConfig(task=task), model=ModelConfig(model=model), seed=seed)
    assert check_name(automatic_name(config))


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(ValueError, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_a_run_waits_for_no_package_that_it_does_not_need(tmp_path: Path) -> None:
    """Each of these takes a second or two to import."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lab.runs.train import start\n"
        "from support.configs import tiny\n"
        f"start(tiny(Path({str(tmp_path)!r}), name='run', counterfactuals=4, pictures=True))\n"
        "slow = {'torch._dynamo', 'torchvision', 'matplotlib', 'pandas', 'sklearn', 'scipy'}\n"
        "found = slow & set(sys.modules)\n"
        "assert not found, found\n"
    )
    places = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "2"},  # to be put back
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
