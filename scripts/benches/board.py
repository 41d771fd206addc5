"""A class of thirty on one board: what thirty pages ask at once, and how long they wait.

Each student changes one thing a second. As the page does, a student's browser asks for the picture
and the answers of three runs, then for what would change the minds of two of them, and of what it
could not ask in time only the newest. Latencies are seconds from the change to the answer.
"""

import contextlib
import io
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

from benches.table import Row

STUDENTS = 30

EVERY, LIST_EVERY = 1.0, 8.0
"""Seconds between a student's changes, and between a page's looks for new runs."""

QUIET = 0.3
"""Seconds after a change before the page asks what would change a network's mind."""

IMPATIENT = 0.4
"""Seconds after which the page sends a newer question though the one before has no answer yet."""

RUNS = ("a", "b", "c")

_BOARD = Path(__file__).parents[1] / "board.py"


def measure(*, quick: bool) -> list[Row]:
    """Refused and answered questions, median and 95th percentile of what students wait."""
    seconds = 8 if quick else 20
    with tempfile.TemporaryDirectory() as folder:
        _train(Path(folder))
        with serve(Path(folder)) as port:
            told = crowd(port, STUDENTS, seconds)
    return rows(told, seconds)


def rows(told: "Told", seconds: float) -> list[Row]:
    """The table of what came out."""
    asked = sum(told.status.values())
    refused = asked - told.status[200]
    return [
        Row(what="questions", value=asked, note=f"{STUDENTS} students, {seconds:g} s"),
        Row(what="  refused or failed", value=100 * refused / max(1, asked), unit="%", most=0,
            note=", ".join(f"{count} × {code}" for code, count in sorted(told.status.items()))),
        Row(what="  overtaken by a newer one", value=100 * told.overtaken / max(1, asked),
            unit="%"),
        *(
            row
            for what, waits in (("picture and answers", told.looks), ("strips", told.strips))
            for row in (
                Row(what=f"{what}: median", value=statistics.median(waits or [float("nan")]),
                    unit="s", note=f"{len(waits)} shown"),
                Row(what=f"{what}: 95th percentile", value=_quantile(waits, 0.95), unit="s"),
            )
        ),
    ]  # fmt: skip


def _quantile(waits: list[float], share: float) -> float:
    return sorted(waits)[int(share * (len(waits) - 1))] if waits else float("nan")


def _train(folder: Path) -> None:
    from lab.core.config import DataConfig, RunConfig, TrainConfig
    from lab.runs.train import start

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for seed, name in enumerate(RUNS):
            start(
                RunConfig(
                    data=DataConfig(num_train=50, num_test=20), train=TrainConfig(steps=5),
                    seed=seed, counterfactuals=0, pictures=False, device="cpu", name=name,
                    out=folder,
                )
            )  # fmt: skip


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[int]:
    """A board over `folder` that has answered once, at the port given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    board = subprocess.Popen(
        [sys.executable, str(_BOARD), "--logdir", str(folder), "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while _get(port, "look", {"face": "", "run": RUNS})[0] != 200:
            if time.monotonic() > deadline or board.poll() is not None:
                raise ValueError("the board does not answer")
            time.sleep(0.2)
        yield port
    finally:
        board.terminate()
        board.wait()


class Told:
    """What came back, of all students together."""

    def __init__(self) -> None:
        self.status: Counter[int] = Counter()
        self.overtaken = 0
        self.looks: list[float] = []
        self.strips: list[float] = []
        self.lock = threading.Lock()


def crowd(port: int, students: int, seconds: float, *, slots: bool = True) -> Told:
    """Let them all work at once for some seconds, and wait for the last answer."""
    told = Told()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_Student(port, number, told, end, slots).work)
        for number in range(students)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


class _Student:
    """A page that somebody works with."""

    def __init__(self, port: int, number: int, told: Told, end: float, slots: bool) -> None:
        self.port, self.number, self.told, self.end, self.slots = port, number, told, end, slots
        self.chance = random.Random(number)
        self.face, self.changed = "", 0.0
        self.threads: list[threading.Thread] = []

    def work(self) -> None:
        """Change something every second; what the page asks runs beside it."""
        time.sleep(self.chance.random() * EVERY)
        look = _Newest(self._look, self.threads)
        why = _Newest(self._why, self.threads)
        listed = 0.0
        while time.monotonic() < self.end:
            self.face, self.changed = self._another(), time.monotonic()
            look.want()
            later = threading.Timer(QUIET, why.want)
            later.start()
            self.threads.append(later)
            if time.monotonic() - listed > LIST_EVERY:
                listed = time.monotonic()
                self._beside(lambda: self._count(_get(self.port, "runs", {})))
            time.sleep(EVERY)
        for thread in self.threads:  # grows while it is gone through
            thread.join()

    def _another(self) -> str:
        smile, mouth = self.chance.uniform(-0.5, 0.9), self.chance.uniform(0.1, 0.9)
        return f"smile:{smile:.4f},mouth_open:{mouth:.4f},identity:{self.chance.randrange(10**9)}"

    def _look(self) -> None:
        asked = {"face": self.face, "size": 384, "run": RUNS, "seen": RUNS[0]}
        changed = self.changed
        if self._count(_get(self.port, "look", {**asked, **self._slot("look")})):
            with self.told.lock:
                self.told.looks.append(time.monotonic() - changed)

    def _why(self) -> None:
        face, changed, came = self.face, self.changed, []

        def one(run: str) -> None:
            asked = {"face": face, "run": run, **self._slot(f"why.{run}")}
            came.append(self._count(_get(self.port, "strips", asked)))

        threads = [self._beside(lambda run=run: one(run)) for run in RUNS[:2]]
        for thread in threads:
            thread.join()
        if all(came):
            with self.told.lock:
                self.told.strips.append(time.monotonic() - changed)

    def _slot(self, what: str) -> dict[str, str]:
        return {"slot": f"student{self.number}.{what}"} if self.slots else {}

    def _beside(self, work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work)
        thread.start()
        self.threads.append(thread)
        return thread

    def _count(self, answer: tuple[int, bytes]) -> bool:
        status, content = answer
        overtaken = content.startswith(b'{"overtaken"')
        with self.told.lock:
            self.told.status[status] += 1
            self.told.overtaken += overtaken
        return status == 200 and not overtaken


class _Newest:
    """As the page's: one question at a time, after which only the newest other one is asked; a
    newer one is sent all the same when the answer takes long."""

    def __init__(self, job: Callable[[], object], threads: list[threading.Thread]) -> None:
        self.job, self.threads = job, threads
        self.lock = threading.Lock()
        self.running, self.wanted, self.began = 0, False, 0.0

    def want(self) -> None:
        with self.lock:
            if self.running and time.monotonic() - self.began < IMPATIENT:
                self.wanted = True
                return
            self.running, self.wanted, self.began = self.running + 1, False, time.monotonic()
        thread = threading.Thread(target=self._run)
        thread.start()
        self.threads.append(thread)

    def _run(self) -> None:
        self.job()
        with self.lock:
            self.running -= 1
            again, self.wanted = self.wanted and not self.running, False
        if again:
            self.want()


def _get(port: int, question: str, asked: dict[str, object]) -> tuple[int, bytes]:
    """The status (0: no answer) and the content."""
    pairs = [
        (name, each)
        for name, value in asked.items()
        for each in (value if isinstance(value, tuple) else (value,))
    ]
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in pairs)
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("GET", f"/data/plugin/lab_faces/{question}?{query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()
