"""Workers on this machine: they die alone, are replaced, and end with those who started them."""

import importlib
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lab.experiments.runner.local import TORCHRUN, Local, WorkerDied
from support.worker_jobs import (
    chatter,
    die,
    die_once,
    double,
    launched,
    leave,
    sleep,
    torch_is_here,
    whoami,
)

ROOT = Path(__file__).parents[1]


def test_workers_stay_and_have_one_thread() -> None:
    with Local(2) as workers:
        answers = [workers.submit(whoami, None) for _ in range(8)]
        found = {future.result()[:2] for future in answers}
        assert not workers.submit(torch_is_here, None).result(), "the first run imports it"
    assert 1 <= len(found) <= 2
    assert {threads for _, threads in found} == {"1"}


def test_a_worker_is_no_process_of_the_run_that_torchrun_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would wait for the others for ever."""
    for name in TORCHRUN:
        monkeypatch.setenv(name, "2")
    with Local(1) as workers:
        assert workers.submit(launched, None).result() == []


def test_what_is_printed_does_not_mix_with_answers() -> None:
    with Local(1) as workers:
        assert [workers.submit(chatter, i).result() for i in range(3)] == [0, 1, 2]


def test_the_dead_do_not_take_others_along(tmp_path: Path) -> None:
    with Local(2) as workers:
        fine = [workers.submit(double, i) for i in range(4)]
        deadly = workers.submit(die, None)
        leaving = workers.submit(leave, None)
        once = workers.submit(die_once, tmp_path / "mark")
        fine += [workers.submit(double, i) for i in range(4, 8)]
        assert [future.result() for future in fine] == [0, 2, 4, 6, 8, 10, 12, 14]
        with pytest.raises(WorkerDied, match="died twice, of SIGKILL"):
            deadly.result()
        with pytest.raises(WorkerDied, match="with exit code 3: this is the end"):
            leaving.result()
        assert once.result() > 0


def test_a_call_that_cannot_be_imported_ends_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the lab's files are changed meanwhile: it would wait for the next call for ever."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "changed_meanwhile.py"
    file.write_text("def work(argument): return argument")
    work = importlib.import_module(file.stem).work
    changed = "from os import nothing_of_this_name  # of another length, by which caches go"
    file.write_text(changed)
    with Local(1) as workers:
        with pytest.raises(
            WorkerDied, match="ImportError: cannot import name 'nothing_of_this_name'"
        ):
            workers.submit(work, 1).result(timeout=60)
        assert workers.submit(double, 2).result() == 4


def test_leaving_by_an_error_stops_what_goes_on() -> None:
    with pytest.raises(KeyError), Local(2) as workers:  # noqa: PT012
        pids = [workers.submit(whoami, None).result()[0] for _ in range(1)]
        futures = [workers.submit(sleep, 600.0) for _ in range(5)]
        raise KeyError
    assert all(future.done() or future.cancelled() for future in futures[2:])
    assert not any(alive(pid) for pid in pids)


def test_workers_end_with_their_parent() -> None:
    code = (
        "from lab.experiments.runner.local import Local; from support import worker_jobs as t\n"
        "workers = Local(1)\n"
        "print(workers.submit(t.whoami, None).result()[0], flush=True)\n"
        "workers.submit(t.sleep, 600.0).result()"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert alive(worker)
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 60
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(worker)


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False
