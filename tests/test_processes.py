"""Several processes that train one network: one result, one writer, and they end together."""

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from lab.core.config import RunConfig
from lab.core.machine import TORCHRUN
from lab.core.run_dir import RunDir
from lab.runs.train import resume, start
from lab.training import (
    LAST,
    Batch,
    EpochBatches,
    Groups,
    OnlineBatches,
    distributed,
    joined,
    list_objectives,
    load_checkpoint,
    world_size,
)
from support.configs import stateful, tiny
from support.killing import CONTEXT, arm_stage
from support.run_folders import assert_same_run
from support.training import IMAGES

ROOT = Path(__file__).parent.parent
GROUPS = Groups(names=("even", "odd"), counts=(5, 5))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_parts_of_a_batch_are_the_batch(count: int) -> None:
    """Together the processes see what one would, and in an epoch every face once."""
    numbered = torch.arange(50)
    parts = [
        EpochBatches(IMAGES, numbered, batch_size=10, seed=1, part=slice(rank, None, count))
        for rank in range(count)
    ]
    whole = EpochBatches(IMAGES, numbered, batch_size=10, seed=1)
    seen = []
    for step in range(10):
        got = torch.cat([part(step).labels for part in parts])
        assert got.sort().values.equal(whole(step).labels.sort().values)
        seen += got.tolist()
    assert sorted(seen[:50]) == sorted(seen[50:]) == list(range(50))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("ahead", [None, 900])
def test_the_parts_of_fresh_faces_are_an_endless_row(count: int, ahead: int | None) -> None:
    """No face twice, none left out, blocks of several steps or of one, in any order of steps, and
    drawn by another thread or not."""
    asked: list[int] = []

    def draw(start: int, count: int, keep: torch.Tensor) -> Batch:
        asked.append(count)
        numbers = torch.arange(start, start + count)[keep]
        return Batch(numbers.view(-1, 1, 1, 1), numbers, numbers % 2, numbers)

    for size in (16, 512):
        parts = [
            OnlineBatches(
                draw,
                batch_size=10,
                image_size=size,
                groups=GROUPS,
                part=slice(rank, None, count),
                ahead=ahead,
            )
            for rank in range(count)
        ]
        for step in (0, 1, 2, 409, 818, 3, 410):
            got = torch.cat([part(step).labels for part in parts]).sort().values
            assert got.tolist() == list(range(10 * step, 10 * step + 10))
            for batch in (part(step) for part in parts):
                assert batch.images.flatten().equal(batch.indices)
                assert batch.labels.equal(batch.indices)
                assert batch.groups.equal(batch.indices % 2)
    assert set(asked) == {4090, 10}


def test_no_block_is_drawn_that_no_step_needs() -> None:
    drawn: list[int] = []

    def draw(start: int, count: int, keep: torch.Tensor) -> Batch:
        drawn.append(start)
        numbers = torch.arange(start, start + count)[keep]
        return Batch(numbers.view(-1, 1, 1, 1), numbers, numbers % 2, numbers)

    batches = OnlineBatches(draw, batch_size=10, image_size=32, groups=GROUPS, at_once=50, ahead=12)
    for step in range(12):
        assert batches(step).indices[0] == 10 * step
    assert drawn == [0, 50, 100]


def test_an_error_of_the_drawing_thread_reaches_the_run() -> None:
    def draw(start: int, count: int, keep: torch.Tensor) -> Batch:
        if start:
            raise MemoryError("no memory to draw in")
        numbers = torch.arange(start, start + count)[keep]
        return Batch(numbers.view(-1, 1, 1, 1), numbers, numbers % 2, numbers)

    batches = OnlineBatches(draw, batch_size=10, image_size=32, groups=GROUPS, at_once=50, ahead=12)
    batches(4)
    with pytest.raises(MemoryError, match="no memory to draw in"):
        batches(5)


def together(job: RunConfig, *, dying: tuple[int, str, int] | None = None) -> list[int | None]:
    """Do the run by two processes, or go on with it; their exit codes.

    `dying` is the rank of one that kills itself, and where: at the n-th time at a stage.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = [
        CONTEXT.Process(
            target=_work, args=(job, rank, port, dying[1:] if dying and dying[0] == rank else None)
        )
        for rank in range(2)
    ]
    for process in workers:
        process.start()
    for process in workers:
        process.join(120)
    return [process.exitcode for process in workers]


def _work(job: RunConfig, rank: int, port: int, stage: tuple[str, int] | None) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo",
    )  # fmt: skip
    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if stage:
        arm_stage(*stage)
    folder = job.out / str(job.name)
    result = resume(folder) if (folder / "config.json").exists() else start(job)
    assert result is not None
    (job.out / f"result-{rank}.json").write_text(json.dumps([result.verdict, len(result.metrics)]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that two processes did, and nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    assert together(stateful(out)) == [0, 0]
    return out / "run"


def test_each_process_gets_the_result_and_one_writes(whole: Path) -> None:
    results = [(whole.parent / f"result-{rank}.json").read_text() for rank in range(2)]
    assert results[0] == results[1]
    assert len(list(whole.glob("events.out.*"))) == 1
    assert json.loads((whole / "config.json").read_text())["world_size"] == 2
    assert len(list(whole.parent.iterdir())) == 3  # the run and the two results


def test_the_same_number_of_processes_gives_the_same_bits(whole: Path, tmp_path: Path) -> None:
    """Whoever dies, and wherever: the run goes on and ends as if nothing had happened."""
    mine = stateful(tmp_path)
    for dying in ((1, "step", 7), (0, "evaluation", 3), (0, "second replace", 4), (1, "step", 2)):
        codes = together(mine, dying=dying)
        assert codes[dying[0]] == -signal.SIGKILL
        assert codes[1 - dying[0]] not in (0, None)
    assert together(mine) == [0, 0]
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("objective", list_objectives())
def test_two_processes_learn_what_one_does(objective: str, tmp_path: Path) -> None:
    """Without dropout and augmentation the batches are the same; only rounding differs."""
    model = dataclasses.replace(stateful(tmp_path).model, dropout=0.0)
    runs = [
        dataclasses.replace(
            stateful(tmp_path / name, augment=False, steps=10, objective=objective), model=model
        )
        for name in ("one", "two")
    ]
    start(runs[0])
    assert together(runs[1]) == [0, 0]
    one, two = (
        load_checkpoint(tmp_path / name / "run" / "checkpoints" / LAST) for name in ("one", "two")
    )
    for name, weight in one.model.items():
        torch.testing.assert_close(weight, two.model[name], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(one.objective, two.objective)


@pytest.mark.parametrize("summed", [False, True])
def test_objectives_whose_state_differs_between_processes_are_refused(
    summed: bool, tmp_path: Path
) -> None:
    """One that keeps a mean of its own part of each batch, and one that sums over the processes."""
    file = tmp_path / "own.py"
    file.write_text(
        """
import torch
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective
class mean(Objective):
    def start(self, spec): self.spec, self.kept = spec, torch.zeros(2)
    def __call__(self, logits, batch):
        seen = torch.stack([logits.detach().sum(), torch.tensor(float(len(logits)))])
        SUM
        self.kept = 0.5 * self.kept + seen
        return cross_entropy(logits, batch.labels) * (1 + self.kept[1] / 1000)
    def state(self): return {"kept": self.kept}
    def restore(self, state): self.kept = state["kept"]
""".replace("SUM", "self.spec.processes.all_reduce_sum_([seen])" if summed else "")
    )
    job = tiny(tmp_path / "run", name="run", objective=f"{file}:mean", steps=6, num_train=24)
    codes = together(job)
    told = json.loads((tmp_path / "run" / "run" / "summary.json").read_text())
    if summed:
        assert codes == [0, 0]
        assert told["status"] == "finished"
    else:
        assert 0 not in codes
        assert told["status"] == "failed"
        assert "after step 1 its state() is not the same in all 2 processes" in told["verdict"]


def test_an_auxiliary_loss_is_the_mean_of_those_of_the_processes(tmp_path: Path) -> None:
    """One that is a mean over the examples is then that of the whole batch."""
    file = tmp_path / "net.py"
    file.write_text("""
from torch import nn
from torch.nn.functional import cross_entropy
class net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.flat = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
    def forward(self, x):
        global AUX
        logits = self.flat(x.flatten(1))
        AUX = 50 * logits.square().mean()
        return logits
def loss(logits, batch): return cross_entropy(logits, batch.labels) + AUX
def plain(logits, batch): return cross_entropy(logits, batch.labels)
""")
    weights = {}
    for name in ("loss", "plain", "two"):
        objective = f"{file}:{name.replace('two', 'loss')}"
        job = tiny(tmp_path / name, name="run", model=f"{file}:net", objective=objective)
        if name == "two":
            assert together(job) == [0, 0]
        else:
            start(job)
        kept = load_checkpoint(tmp_path / name / "run" / "checkpoints" / LAST)
        weights[name] = kept.model["flat.weight"]
    torch.testing.assert_close(weights["two"], weights["loss"], atol=1e-6, rtol=1e-4)
    assert not torch.allclose(weights["plain"], weights["loss"], atol=1e-4, rtol=1e-2)


def test_the_number_of_processes_is_part_of_the_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"begun by 2 processes, not 1: torchrun --nproc-per-node"):
        resume(whole)
    with pytest.raises(
        ValueError, match=r"--world-size 4 must be run by 4 processes, not 1: torch"
    ):
        start(dataclasses.replace(stateful(tmp_path), world_size=4))
    assert not list(tmp_path.iterdir())
    launched(monkeypatch, **FREE, WORLD_SIZE="3")
    with pytest.raises(ValueError, match=r"begun by 2 processes, not 3 .unset RANK"):
        resume(whole)


def launched(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Let this process be one of those that torchrun has started, or so it seems."""
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


FREE = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "RANK": "0"}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"RANK": "", "WORLD_SIZE": "", "MASTER_ADDR": ""},
        {**FREE, "WORLD_SIZE": ""},
        {**FREE, "WORLD_SIZE": "4", "RANK": " "},
        {"WORLD_SIZE": "4", "RANK": "0"},
        {**FREE, "WORLD_SIZE": "1"},
        {**FREE, "WORLD_SIZE": "1", "MASTER_PORT": "", "RANK": "3"},
    ],
)
def test_what_is_left_over_or_empty_is_a_run_of_one_process(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(monkeypatch, **variables)
    assert world_size() == 1
    with joined(torch.device("cpu")) as processes:
        assert processes.single


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORLD_SIZE", "many"), ("WORLD_SIZE", "-2"), ("WORLD_SIZE", "0"), ("WORLD_SIZE", "2.0"),
        ("RANK", "4"), ("RANK", "-1"), ("RANK", "first"), ("MASTER_PORT", ""),
        ("MASTER_PORT", "http"), ("MASTER_PORT", "65536"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(monkeypatch, **{**FREE, "WORLD_SIZE": "4", name: value})
    with pytest.raises(ValueError, match=rf"{name} must be .* not '{re.escape(value)}'.*unset"):
        world_size()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_says_whom_it_waits_for_and_does_not_wait_for_ever(
    rank: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched(monkeypatch, RANK=str(rank), WORLD_SIZE="3", MASTER_ADDR="127.0.0.1",
             MASTER_PORT=str(port))  # fmt: skip
    monkeypatch.setattr(distributed, "WARN_AFTER", 0.0)
    monkeypatch.setattr(distributed, "TIMEOUT", 0.7)
    place = f"127.0.0.1:{port}"
    with (
        pytest.raises(ValueError, match=rf"3 processes .* {place} within 0.7 s .*unset"),
        joined(torch.device("cpu")),
    ):
        pass
    said = capsys.readouterr().err
    assert said.count("waiting") == 1
    for part in (place, "other 2 of 3", "0.7 s", "unset", "torchrun"):
        assert part in said


def test_an_apple_gpu_takes_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gloo has no part for it."""
    launched(monkeypatch, **FREE, WORLD_SIZE="2")
    with pytest.raises(ValueError, match="--device cpu"), joined(torch.device("mps")):
        pass


FATAL = """
import os, signal
from lab.models import create_model

def net(spec):
    model, left = create_model("cnn", spec), [int(os.environ["STEPS_LEFT"])]
    def die(module, inputs):
        left[0] -= module.training
        if left[0] == 0 and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
    model.register_forward_pre_hook(die)
    return model
"""


def torchrun(folder: Path, *flags: str, steps_left: int = -1) -> "subprocess.Popen[str]":
    (folder / "net.py").write_text(FATAL)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*command, str(ROOT / "scripts" / "train.py"), *flags],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "STEPS_LEFT": str(steps_left)},
    )  # fmt: skip


def step_now(run: RunDir) -> int:
    """The step of the newest checkpoint of a run that is going on: one that was found may be
    renamed before it is read."""
    while True:
        found = run.newest()
        with suppress(FileNotFoundError):
            if found is not None:
                return load_checkpoint(found).step


def test_torchrun_names_the_dead_and_passes_on_a_stop(tmp_path: Path) -> None:
    flags = "--num-train 40 --num-test 40 --image-size 16 --width 2 --counterfactuals 0"
    flags += " --eval-every 100000"
    begin = [*flags.split(), "--steps", "100000", "--name", "run", "--model", "net.py:net"]
    begin += ["--checkpoint-every", "0"]
    dead = torchrun(tmp_path, *begin, steps_left=20)
    out, said = dead.communicate(timeout=120)
    assert dead.returncode != 0
    assert "by 2 processes" in out
    # torchrun also sends it a signal, which it may get before it has noticed, or has said so.
    assert re.search(
        r"process 0 of 2 stops, because another one has ended|stopped by SIGTERM"
        r"|rank\s*: 0 .*\n\s*exitcode\s*: -15",
        said,
    )
    assert re.search(r"rank\s*: 1 .*\n\s*exitcode\s*: -9", said)

    last = tmp_path / "runs" / "run" / "checkpoints" / LAST
    reached = load_checkpoint(last).step
    assert 0 < reached < 20
    again = torchrun(tmp_path, "--resume", "runs/run")
    while again.poll() is None and step_now(RunDir(last.parent.parent)) == reached:
        time.sleep(0.1)
    again.send_signal(signal.SIGTERM)
    out, said = again.communicate(timeout=120)
    assert re.search(
        r"stopped by SIGTERM after step [\d,]+; go on with: torchrun --nproc-per", said
    )
    assert load_checkpoint(last).step > reached
