"""Training on the page: recipes within their bounds, permission by the link alone, and processes
that end with the board and leave runs that go on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import Client

from lab.core.locks import InUse
from lab.core.run_dir import RunDir
from lab.playground.errors import Busy, NotThere, RequestError
from lab.playground.plugin import FacesPlugin
from lab.playground.recipe import CUES, NO_CUE, SETTINGS, config_of
from lab.playground.trainer import MOST_WAITING, Trainer, spawn_worker
from lab.runs.resolve import resolve
from lab.worlds.faces import ATTRIBUTES

SMALL = {"num_train": 8, "steps": 4, "width": 1}
PATIENCE = 90.0


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_makes_a_run_within_its_bounds_only(setting: Any, tmp_path: Path) -> None:
    good = {"number": (setting.low, setting.high), "switch": (True, False)}.get(
        setting.kind, setting.values
    )
    for value in good:
        resolve(config_of({setting.name: value}, tmp_path))
    bad: tuple[object, ...] = ("x", None, [1], float("nan"), 10**30, -1, 0.123456)
    for value in bad:
        if setting.kind == "number" and setting.step < 1 and value == 0.123456 >= setting.low:
            continue
        with pytest.raises(RequestError, match=setting.words) as raised:
            config_of({setting.name: value}, tmp_path)
        assert "\n" not in str(raised.value)


def test_a_cue_is_a_nuisance_tied_to_the_label(tmp_path: Path) -> None:
    assert {*CUES} - {NO_CUE} <= ATTRIBUTES.keys()
    config = config_of({"cue": "eye_color", "cue_strength": 0.9}, tmp_path)
    assert config.data.cues == ("eye_color:0.9",)
    assert config_of({"cue_strength": 0.9}, tmp_path).data.cues == ()
    with pytest.raises(RequestError, match="out"):
        config_of({"out": "/"}, tmp_path)


class Recorded:
    """A trainer that trains nothing."""

    token = "right"

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def knows(self, token: object) -> bool:
        return token == self.token

    def start(self, recipe: Any) -> Any:
        self.asked.append(recipe)
        return SimpleNamespace(name="run")

    def stop(self, name: str) -> Any:
        return SimpleNamespace(name=name)

    go_on = stop

    def told(self) -> list[Any]:
        return []


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    trainer = Recorded()
    monkeypatch.setattr(FacesPlugin, "trainer", trainer)
    apps = FacesPlugin(SimpleNamespace(logdir=str(tmp_path))).get_plugin_apps()

    def post(told: Any, **options: Any) -> tuple[int, Any]:
        body = told if isinstance(told, bytes) else json.dumps(told)
        options = {"content_type": "application/json", **options}
        answer = Client(apps["/train"]).post("/train", data=body, **options)
        return answer.status_code, answer.get_json()

    return SimpleNamespace(post=post, trainer=trainer, apps=apps)


ORDER = {"token": "right", "do": "start", "recipe": SMALL}


def test_who_has_the_link_may_train(client: Any) -> None:
    assert client.post(ORDER) == (200, {"name": "run"})
    assert client.post({"token": "right", "do": "stop", "run": "run"}) == (200, {"name": "run"})
    assert client.trainer.asked == [SMALL]


@pytest.mark.parametrize(
    ("told", "options", "status"),
    [
        ({**ORDER, "token": "wrong"}, {}, 403),
        ({"do": "start", "recipe": SMALL}, {}, 403),
        ({**ORDER, "token": ["right"]}, {}, 403),
        (ORDER, {"headers": {"Origin": "http://elsewhere.example"}}, 403),
        (ORDER, {"headers": {"X-Forwarded-For": "10.0.0.1"}}, 403),
        (ORDER, {"headers": {"Host": "elsewhere.example"}}, 403),
        (ORDER, {"environ_base": {"REMOTE_ADDR": "10.1.2.3"}}, 403),
        (ORDER, {"content_type": "text/plain"}, 405),
        ({**ORDER, "recipe": "all"}, {}, 400),
        ({**ORDER, "do": "format the disk"}, {}, 400),
        ({**ORDER, "do": ["start"]}, {}, 400),
        ({"token": "right", "do": "stop"}, {}, 400),
        (b"[1]", {}, 400),
        (b"{", {}, 400),
        (b'"' + b"x" * 20_000 + b'"', {}, 400),
    ],
)
def test_nobody_else_may(client: Any, told: Any, options: Any, status: int) -> None:
    code, content = client.post(told, **options)
    assert code == status
    assert "\n" not in content["error"]
    assert client.trainer.asked == []


def test_a_board_without_the_flag_trains_nothing(tmp_path: Path) -> None:
    apps = FacesPlugin(SimpleNamespace(logdir=str(tmp_path))).get_plugin_apps()
    answer = Client(apps["/train"]).post("/train", json=ORDER)
    assert answer.status_code == 404
    assert "--train" in answer.get_json()["error"]
    assert Client(apps["/training"]).get("/training").get_json() == {"settings": [], "jobs": []}


def test_runs_wait_for_each_other_stop_and_go_on(tmp_path: Path) -> None:
    processes: list[subprocess.Popen[str]] = []

    def spawn() -> subprocess.Popen[str]:
        processes.append(spawn_worker())
        return processes[-1]

    trainer = Trainer(tmp_path, spawn=spawn)
    try:
        first = trainer.start({**SMALL, "steps": 3000, "width": 8})
        second, third = trainer.start(SMALL), trainer.start(SMALL)
        assert second.name != third.name
        for _ in range(MOST_WAITING - 2 - (first.state == "running")):
            trainer.stop(trainer.start(SMALL).name)
        assert trainer.stop(third.name).state == "stopped"  # it had not begun
        until(lambda: first.folder.last.exists() and first.folder.snapshot_steps()[-1:] > (3,))
        trainer.stop(first.name)
        until(lambda: first.state == "stopped")
        assert first.folder.summary()["status"] == "stopped"
        until(lambda: second.state == "finished")
        trainer.go_on(first.name)
        until(lambda: first.state == "running")
        told = {job["name"]: job for job in trainer.told()}
        assert told[second.name]["step"] == 4
        assert told[second.name]["accuracies"]["accuracy/test"][-1][0] == 4
        with pytest.raises(NotThere):
            trainer.stop("another")
    finally:
        trainer.close()
    assert len(processes) > 1
    assert all(each.poll() is not None for each in processes), "one outlives the board"
    assert first.folder.summary()["status"] == "stopped"


def test_too_many_are_refused(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, spawn=_never)
    for _ in range(MOST_WAITING):
        trainer.start(SMALL)
    with pytest.raises(Busy, match="waiting"):
        trainer.start(SMALL)
    trainer.close()


def _never() -> Any:
    return subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_board_takes_its_run_along_which_goes_on_later(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from lab.playground.trainer import Trainer\n"
        "trainer = Trainer(Path(sys.argv[1]))\n"
        "job = trainer.start({'num_train': 8, 'steps': 3000, 'width': 8})\n"
        "time.sleep(600)\n"
    )
    board = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        until(lambda: any(RunDir(each).last.exists() for each in tmp_path.iterdir()))
        (run,) = map(RunDir, tmp_path.iterdir())
        until(lambda: run.snapshot_steps()[-1:] > (3,))
    finally:
        os.kill(board.pid, signal.SIGKILL)
        board.wait()
    until(lambda: run.summary().get("status") == "stopped")
    assert 0 < run.summary()["step"] < 3000
    until(lambda: is_free(run))  # soon: the folder is let go after the summary is written


def is_free(run: RunDir) -> bool:
    with suppress(InUse), run.lock():
        return True
    return False
