"""Children of a warm process: functions, scripts, and runs that die where and when one likes."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.core.config import RunConfig

CONTEXT = multiprocessing.get_context("forkserver")
# Children need not import anew what a run imports, some of it only in its first step.
CONTEXT.set_forkserver_preload(
    ["lab.runs.train", "lab.worlds.shapes", "torch._dynamo", "torchvision"]
)

STAGES = (
    "step", "evaluation", "logging", "checkpoint", "draft", "first replace", "second replace",
    "summary",
)  # fmt: skip
"""Where a run can be told to die: at the n-th time that it comes there."""


def kill_at_stage(config: RunConfig, stage: str, times: int) -> bool:
    """Train, or go on, until the run kills itself at a stage; whether it died."""
    return _live(config, arm_stage, stage, times)


def kill_after(config: RunConfig, seconds: float) -> bool:
    """Train, or go on, and be killed so long after the run's folder was there; whether it died."""
    return _live(config, _die_after, seconds)


def _live(config: RunConfig, arm: Callable[..., None], *how: Any) -> bool:
    process = CONTEXT.Process(target=_run, args=(config, arm, how))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), f"exit code {process.exitcode}"
    return process.exitcode == -signal.SIGKILL


def _run(config: RunConfig, arm: Callable[..., None], how: tuple[Any, ...]) -> None:
    import torch

    from lab.runs.train import resume, start

    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    arm(*how)
    folder = config.out / str(config.name)
    if (folder / "config.json").exists():
        resume(folder)
        return
    with suppress(FileNotFoundError):  # it died between the folder and its settings
        for leftover in folder.iterdir():
            leftover.unlink()
        folder.rmdir()
    start(config)


def _die_after(seconds: float) -> None:
    import threading

    def wait() -> None:
        time.sleep(seconds)
        _die()

    threading.Thread(target=wait, daemon=True).start()


def arm_stage(stage: str, times: int) -> None:
    """Let this process die when it comes to a stage for the n-th time."""
    from lab.evaluators import EvaluatorSuite
    from lab.tracking import summary
    from lab.tracking.writer import Tracker
    from lab.training import train_state
    from lab.training.train_step import TrainStep

    places: dict[str, tuple[Any, str]] = {
        "step": (TrainStep, "take"),
        "evaluation": (EvaluatorSuite, "__call__"),
        "logging": (Tracker, "scalars"),
        "checkpoint": (train_state, "save_checkpoint"),
        "draft": (os, "fsync"),
        "first replace": (os, "replace"),
        "second replace": (os, "replace"),
        "summary": (summary, "replace_text"),
    }
    owner, name = places[stage]
    real, left = getattr(owner, name), [times + (stage == "second replace")]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            _die()
        return real(*args, **kwargs)

    setattr(owner, name, deadly)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def until_done(config: RunConfig) -> None:
    """Go on to the end."""
    assert not kill_after(config, 120)


def folder_of(config: RunConfig) -> Path:
    """Where the run lives."""
    return config.out / str(config.name)


def answer_of(function: Callable[..., Any], *given: Any) -> Any:
    """What a function of a module returns in a child of the warm process, where all it changes
    stays; its errors are raised here."""
    answer, told = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_answer, args=(told, function, given))
    process.start()
    told.close()
    try:
        done, found = answer.recv()
    except EOFError:
        process.join(120)
        raise AssertionError(f"exit code {process.exitcode}") from None
    process.join(120)
    if done:
        return found
    raise found


def _answer(told: Any, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    try:
        told.send((True, function(*given)))
    except Exception as error:
        told.send((False, error))


class Script:
    """A script that runs in a child, with the interface of `subprocess.Popen`; `said` is what it
    wrote on standard error. No file of its may grow beyond `file_size` bytes."""

    def __init__(self, name: str, words: list[str], *, file_size: int | None = None) -> None:
        self._said, said = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(
            target=_script, args=(name, words, said, file_size), daemon=True
        )
        self._process.start()
        said.close()

    @property
    def returncode(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send the child a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def communicate(self) -> str:
        """Wait for the end: what was said on standard error."""
        parts = []
        while part := os.read(self._said.fileno(), 65536):
            parts.append(part)
        self._said.close()
        self._process.join(120)
        return b"".join(parts).decode()


def _script(name: str, words: list[str], said: Any, file_size: int | None) -> None:
    import resource

    from lab.core.cli import main
    from support.scripts import load_script

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(said.fileno(), 2)
    said.close()
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", 1, closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    sys.exit(main(getattr(load_script(name), name), words))
