"""Workers that share GPUs, as far as this shows without any."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from lab.experiments import run_grid
from lab.experiments.runner import gpus
from lab.experiments.runner.local import Local
from lab.training import NoDevice
from support.configs import tiny


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many GPUs torch sees here, which a test may change; none of them is hidden."""
    seen = {"gpus": 0}
    monkeypatch.setattr("torch.cuda.device_count", lambda: seen["gpus"])
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    return seen


def test_workers_are_divided_among_several_gpus(
    count: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for few in (0, 1):
        count["gpus"] = few
        assert gpus.environment(3) == {}
    count["gpus"] = 3
    assert [gpus.environment(worker)[gpus.VISIBLE] for worker in range(5)] == [*"01201"]
    monkeypatch.setenv(gpus.VISIBLE, "5, GPU-8932f937,2")
    given = [gpus.environment(worker)[gpus.VISIBLE] for worker in range(4)]
    assert given == ["5", "GPU-8932f937", "2", "5"]


def test_a_worker_sees_its_gpu_alone(count: dict[str, int]) -> None:
    count["gpus"] = 2
    with Local(2) as workers:
        found = [workers.submit(_seen, 0.5) for _ in range(2)]
        assert {each.result() for each in found} == {"0", "1"}


def _seen(seconds: float) -> str | None:
    time.sleep(seconds)  # so that the other worker gets the other call
    return os.environ.get(gpus.VISIBLE)


def test_processes_that_take_turns_are_told_of_mps(
    count: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "pipes"))
    program = tmp_path / gpus.MPS
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.advice(4) == ()  # no GPU
    count["gpus"] = 2
    assert gpus.advice(2) == ()  # one each
    (line,) = gpus.advice(3)
    assert line.startswith("3 processes take turns on 2 GPUs; ")
    assert line.endswith(f"{gpus.MPS} -d starts it")
    (tmp_path / "pipes").mkdir()
    (tmp_path / "pipes" / "control").touch()  # as it does after the service has ended
    assert len(gpus.advice(3)) == 1
    (tmp_path / "pipes" / f"{gpus.MPS}.pid").touch()
    assert gpus.advice(3) == ()  # it runs
    (tmp_path / "pipes" / f"{gpus.MPS}.pid").unlink()
    program.unlink()
    assert gpus.advice(3) == ()  # it is not installed


def test_a_grid_for_a_device_that_is_missing_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    base = dataclasses.replace(tiny(tmp_path / "runs"), device="cuda")
    with pytest.raises(NoDevice, match="--device cuda"):
        run_grid(base, {"width": (1, 2)}, seeds=2, processes=1)
    assert not (tmp_path / "runs").exists()
