"""The board: what TensorBoard itself says of a run's log, and links that hold what they promise."""

import dataclasses
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from lab.config import DataConfig, RunConfig, TrainConfig
from lab.estimate import Estimate
from lab.tracking import board, hparams, tags
from lab.tracking.writer import Tracker

ROOT = Path(__file__).parents[1]
BOARD = [sys.executable, str(ROOT / "scripts" / "board.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Interrupted(Exception):
    """Stands for a signal that stops a run which can go on."""


def train(place: Path, config: RunConfig, *, accuracy: float, error: Exception | None) -> None:
    place.mkdir(parents=True)
    with Tracker(place, interruptions=(Interrupted,)) as tracker:
        tracker.start(hparams.settings(config))
        for step in (0, 5):
            tracker.scalars(
                step,
                {
                    "accuracy/train": Estimate(1.0, 0.9, 1.0),
                    "accuracy/test": Estimate(accuracy * (step > 0), 0.0, 1.0),
                    "memorization/membership_auc": Estimate(0.9, 0.8, 1.0),
                },
            )
        if error is not None:
            raise error
        tracker.finished()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real board over four runs, one of them failed and one interrupted."""
    runs = tmp_path_factory.mktemp("runs")
    plain = RunConfig(data=DataConfig(num_train=100))
    more = dataclasses.replace(plain, data=DataConfig(num_train=300), name="b")
    augmented = dataclasses.replace(plain, train=TrainConfig(augment=True, early_stopping=3))
    train(runs / "a0", plain, accuracy=0.6, error=None)
    train(runs / "a1", dataclasses.replace(plain, seed=1), accuracy=0.8, error=None)
    with pytest.raises(ValueError, match="diverged"):
        train(runs / "b", more, accuracy=0.5, error=ValueError("diverged"))
    with pytest.raises(Interrupted):
        train(runs / "c", augmented, accuracy=0.5, error=Interrupted())

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = subprocess.Popen(
        [*BOARD, "--logdir", str(runs), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert served.stdout is not None
    first = served.stdout.readline()
    assert f"http://127.0.0.1:{port}/" in first
    yield f"http://127.0.0.1:{port}/"
    served.send_signal(signal.SIGINT)
    out, err = served.communicate(timeout=20)
    assert served.returncode == 0, err
    assert "Traceback" not in out + err


def ask(url: str, route: str, body: object = None) -> object:
    """The answer of TensorBoard's own backend."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}data/{route}", data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def wait_for_runs(url: str) -> None:
    for _ in range(100):
        if len(ask(url, "runs")) == 4:
            return
        time.sleep(0.1)
    raise AssertionError("the board does not list the four runs")


def test_hparams_are_one_table_with_a_row_for_each_experiment(url: str) -> None:
    wait_for_runs(url)
    experiment = ask(url, "plugin/hparams/experiment", {"experimentName": ""})
    columns = [info["name"] for info in experiment["hparamInfos"]]
    assert set(columns[: len(hparams.FACTORS)]) == set(hparams.FACTORS)
    assert not set(columns) & set(hparams.ASIDE)
    kinds = {info["name"]: info["type"] for info in experiment["hparamInfos"]}
    assert kinds["augment"] == "DATA_TYPE_BOOL"
    assert kinds["early_stopping"] == kinds["num_train"] == "DATA_TYPE_FLOAT64"
    assert kinds["model"] == "DATA_TYPE_STRING"
    figures = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert figures == [row.name for row in tags.TAGS if row.column]

    found = ask(
        url,
        "plugin/hparams/session_groups",
        {
            "experimentName": "",
            "allowedStatuses": [
                "STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING",
            ],
            "colParams": [{"metric": {"tag": tag}} for tag in figures],
            "aggregationType": "AGGREGATION_AVG",
            "startIndex": 0,
            "sliceSize": 100,
        },
    )  # fmt: skip
    by_runs = {
        tuple(sorted(session["name"] for session in row["sessions"])): row
        for row in found["sessionGroups"]
    }
    assert by_runs.keys() == {("a0", "a1"), ("b",), ("c",)}
    assert {runs: row["name"] for runs, row in by_runs.items()} == {
        ("a0", "a1"): "person-100-cnn16",
        ("b",): "b",  # it was named, so that it has its name here too
        ("c",): "person-100-cnn16: augment=True, early_stopping=3",
    }
    assert [row["sessions"][0]["status"] for runs, row in sorted(by_runs.items())] == [
        "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN",
    ]  # fmt: skip
    assert by_runs["b",]["hparams"]["num_train"] == 300
    assert by_runs["c",]["hparams"]["augment"] is True
    assert by_runs["c",]["hparams"]["early_stopping"] == 3
    assert "early_stopping" not in by_runs["b",]["hparams"]
    means = {m["name"]["tag"]: m["value"] for m in by_runs["a0", "a1"]["metricValues"]}
    assert means["accuracy/test"] == pytest.approx(0.7)  # the last figures, over the two seeds
    assert means["memorization/membership_auc"] == pytest.approx(0.9)


def test_the_charts_are_those_the_runs_can_fill(url: str) -> None:
    wait_for_runs(url)
    layout = ask(url, "plugin/custom_scalars/layout")
    charts = [chart for category in layout["category"] for chart in category["chart"]]
    drawn = {series["value"] for chart in charts for series in chart["margin"]["series"]}
    assert drawn == {"accuracy/train", "accuracy/test", "memorization/membership_auc"}


def test_links_point_at_dashboards_that_exist_and_smooth_nothing(url: str) -> None:
    dashboards = {*ask(url, "plugins_listing"), "projector"}
    for link in board.deep_links(url, run="a0"):
        parts = urlsplit(link.url)
        name, *options = parts.fragment.split("&")
        assert name in dashboards, link.title
        smoothed = {"timeseries": "smoothing=0", "custom_scalars": "_smoothingWeight=0"}
        if name in smoothed:
            assert smoothed[name] in [*options, *parts.query.split("&")]
        pins = parse_qs(parts.query).get("pinnedCards", ["[]"])[0]
        for pin in json.loads(pins):
            tags.find(pin["tag"], "scalar")
        for option in options:
            key, _, value = option.partition("=")
            if key == "tagFilter":
                assert any(re.search(unquote(value), row.name) for row in tags.TAGS)
            if key == "regexInput":
                assert re.search(unquote(value), "a0")
                assert not re.search(unquote(value), "a01")


@pytest.mark.parametrize("run", ["a.b", "x+y", "^q$", "n(1)[2]", "日本語", "back\\slash"])
def test_a_link_to_one_run_means_that_run_alone(run: str) -> None:
    for link in board.deep_links("http://127.0.0.1:6006", run=run):
        parts = urlsplit(link.url)
        asked = {**parse_qs(parts.query), **parse_qs(parts.fragment)}
        for pattern in asked.get("runFilter", []) + asked.get("regexInput", []):
            assert re.search(pattern, run)
            assert not re.search(pattern, run + "x")
            assert not re.search(pattern, run.replace(".", "_") + "_")


def test_a_busy_port_is_explained_in_one_line(url: str, tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").touch()
    port = urlsplit(url).port
    assert port is not None
    with pytest.raises(ValueError, match=rf"--port {port} .*in use") as caught:
        board.start(tmp_path, port=port)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="1 to 65,535"):
        board.start(tmp_path, port=70_000)


def test_nobody_else_on_the_network_is_served(url: str) -> None:
    """A server for all would answer at any of this machine's addresses."""
    port = urlsplit(url).port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port or 0), timeout=5)


@pytest.mark.filterwarnings("ignore:html5lib:DeprecationWarning")
@pytest.mark.parametrize("name", ["-x", "--port", "a,b:c", "<b>[x](y)"])
def test_a_folder_of_any_name_is_served(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "events.out.tfevents.1").touch()
    monkeypatch.chdir(tmp_path)
    asked = []

    class Server:
        def __init__(self, plugins: list[object]) -> None:
            assert plugins

        def configure(self, argv: list[str]) -> None:
            asked.append(argv)

        def launch(self) -> str:
            return "http://127.0.0.1:1/"

    program = importlib.import_module("tensorboard.program")  # the name alone is a lazy stand-in
    monkeypatch.setattr(program, "TensorBoard", Server)
    assert board.start(Path(name)).url == "http://127.0.0.1:1/"
    assert f"--logdir={name}" in asked[0]
    assert asked[0][asked[0].index("--host") + 1] == "127.0.0.1"


def test_a_folder_without_runs_is_explained_in_one_line(tmp_path: Path) -> None:
    for nothing in (tmp_path, tmp_path / "not there"):
        ended = subprocess.run(
            [*BOARD, "--logdir", str(nothing)], capture_output=True, text=True, env=ENVIRONMENT
        )
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert "no runs in" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_links_alone_start_nothing() -> None:
    ended = subprocess.run(
        [*BOARD, "--links-only", "--port", "7007"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert ended.returncode == 0, ended.stderr
    for link in board.deep_links("http://127.0.0.1:7007/"):
        assert link.url in ended.stdout
