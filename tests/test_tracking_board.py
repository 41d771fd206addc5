"""The board: what TensorBoard itself says of a run's log, and links that hold what they promise."""

import contextlib
import dataclasses
import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import pytest

from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.core.estimate import Estimate
from lab.core.metrics import shown
from lab.tracking import board, hparams, reach, tags
from lab.tracking.links import with_shortcuts
from lab.tracking.writer import Tracker
from support.scripts import ROOT, command, run_here

BOARD = command("board.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


MANY = 160
"""Runs: more than files that may be open in a test."""


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
    assert f"http://127.0.0.1:{port}/ " in first
    yield f"http://127.0.0.1:{port}/"
    served.send_signal(signal.SIGINT)
    out, err = served.communicate(timeout=60)
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


def leads_to(address: str, *, agent: str = "Firefox") -> str:
    """Where an address redirects a browser, that calls itself `agent`, to."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    where = parts._replace(scheme="", netloc="", fragment="").geturl()
    connection.request("GET", where, headers={"User-Agent": agent})
    answer = connection.getresponse()
    assert answer.status == 302, address
    connection.close()
    return urljoin(address, answer.getheader("Location") or "")


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
    assert sorted(figures) == sorted(shown("hparams"))
    assert figures[:4] == [
        "accuracy/test", "gap/accuracy", "memorization/membership_auc", "accuracy/conflicting",
    ]  # fmt: skip

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
    first = charts[-1]  # TensorBoard puts them on the page in reverse
    assert [series["value"] for series in first["margin"]["series"]] == [
        "accuracy/train", "accuracy/test",
    ]  # fmt: skip
    assert re.search("■ train ◆ test", first["title"])
    overview = board.deep_links(url)[0]
    assert urlsplit(leads_to(overview.url)).fragment.startswith("custom_scalars")


def test_links_point_at_dashboards_that_exist_and_smooth_nothing(url: str) -> None:
    dashboards = {*ask(url, "plugins_listing"), "projector"}
    for link in board.deep_links(url, run="a0"):
        parts = urlsplit(leads_to(link.url))
        if parts.path != "/":  # a page of its own, without dashboards
            with urllib.request.urlopen(parts.geturl(), timeout=20) as page:
                assert page.status == 200
            assert parts.fragment.startswith("level=")
            continue
        name, *options = parts.fragment.split("&")
        assert name in dashboards, link.title
        smoothed = {"timeseries": "smoothing=0", "custom_scalars": "_smoothingWeight=0"}
        if name in smoothed:
            assert smoothed[name] in [*options, *parts.query.split("&")]
        pins = parse_qs(parts.query).get("pinnedCards", ["[]"])[0]
        for pin in json.loads(pins):
            tags.scalar(pin["tag"])
        for option in options:
            key, _, value = option.partition("=")
            if key == "tagFilter":
                assert any(re.search(unquote(value), row.name) for row in tags.TAGS)
            if key == "regexInput":
                assert re.search(unquote(value), "a0")
                assert not re.search(unquote(value), "a01")


def test_a_view_of_watched_changes_and_words_for_any_pictures() -> None:
    links = {link.title: link for link in board.deep_links("http://127.0.0.1:6006", run="mine")}
    (shown,) = parse_qs(urlsplit(links["changes"].view).query)["tagFilter"]
    assert re.search(shown, "reliance/mirrored")
    (sheets,) = parse_qs(links["mistakes"].view.lstrip("#"))["tagFilter"]
    for tag in ("faces/mistakes", "pictures/likeliest_wrong_labels", "shapes/train"):
        assert re.search(sheets, tag)
        tags.find(tag, "image")
    of_faces = {"faces", "levels"}
    assert {name for name, link in links.items() if "face" in link.look} == of_faces


def test_phones_get_the_tab_faces_as_a_page_of_its_own(url: str) -> None:
    there = leads_to(f"{url}faces?run=a0", agent="Mozilla/5.0 (Android 14; Mobile)")
    assert there == f"{url}data/plugin/lab_faces/index.html#pins=a0"
    assert leads_to(f"{url}faces?run=a0") == f"{url}#lab_faces&p.lab_faces.pins=a0"
    assert leads_to(f"{url}overview", agent="Mobile").startswith(f"{url}#custom_scalars")


@pytest.mark.parametrize("run", ["a.b", "x+y", "^q$", "n(1)[2]", "日本語", "back\\slash"])
def test_a_link_to_one_run_means_that_run_alone(run: str) -> None:
    for link in board.deep_links("http://127.0.0.1:6006", run=run):
        parts = urlsplit(f"http://127.0.0.1:6006/{link.view}")
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


def test_links_are_short_enough_to_be_read(url: str) -> None:
    for link in board.deep_links(url, run="a-run"):
        assert len(link.url) < len(url) + 40
        assert "%" not in link.url
        assert link.url in board.describe([link])


def test_a_step_of_a_lesson_has_a_short_address() -> None:
    told: list[Any] = []
    app = with_shortcuts(lambda environ, respond: [b"TensorBoard"], "/lab")
    for path in ("/lab/lesson2c", "/lab/lesson3d", "/lab/lesson9"):
        app({"PATH_INFO": path}, lambda status, headers: told.append(dict(headers)["Location"]))
    page = "./data/plugin/lab_faces/index.html#"
    assert told == [
        f"{page}pins=poplar&view=over_training",
        f"{page}face=eye_color%3Ablue&pins=maple%2Clinden&view=fool",
    ]


@contextlib.contextmanager
def served(*flags: str, shell: str = "") -> Iterator[tuple[int, list[str]]]:
    """A board in a process of its own, after some words of a shell: its port, and what it says up
    to its first link."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [*BOARD, "--port", str(port), *flags]
    if shell:
        words = ["sh", "-c", f'{shell}; exec "$@"', "sh", *words]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdout is not None
    try:
        said = list(iter(lambda: process.stdout.readline().strip(), ""))
        said.append(process.stdout.readline().strip())
        yield port, said
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 160 folders with one figure each, as a sweep's means have them."""
    root = tmp_path_factory.mktemp("curves")
    train(root / "run000", RunConfig(), accuracy=0.5, error=None)
    (written,) = (root / "run000").glob("events*")
    for number in range(1, MANY):
        (root / f"run{number:03d}").mkdir()
        shutil.copy(written, root / f"run{number:03d}")
    return root


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
@pytest.mark.parametrize("limit", ["ulimit -Sn 128", "ulimit -Sn 128; ulimit -Hn 128"])
def test_there_may_be_more_runs_than_open_files(curves: Path, limit: str) -> None:
    """A soft limit is raised; under a hard one, a loader that keeps no file open does."""
    with served("--logdir", str(curves), shell=limit) as (port, _):
        url = f"http://127.0.0.1:{port}/"
        for _ in range(1200):
            if len(ask(url, "runs")) == MANY:
                break
            time.sleep(0.1)
        assert len(ask(url, "runs")) == MANY
        assert len(ask(url, "plugin/scalars/tags")) == MANY


def test_curves_alone_get_links_to_curves_alone(curves: Path, url: str) -> None:
    """Means over runs have no pictures, no networks and no verdict: those views would be empty."""
    wait_for_runs(url)
    with served("--logdir", str(curves)) as (port, said):
        base = f"http://127.0.0.1:{port}/"
        assert any("folder above" in line for line in said)
    few = [link for link in board.deep_links(base) if not link.of_runs]
    names = {urlsplit(base + link.view).fragment.partition("&")[0] for link in few}
    assert names == {"timeseries", "custom_scalars", "hparams"}
    assert said[-1] == few[0].url


@pytest.mark.parametrize("host", ["0.0.0.0", "::1"])
def test_a_board_elsewhere_is_complete_and_says_who_can_reach_it(curves: Path, host: str) -> None:
    """Everything below a path, at an address of IPv6 or at all addresses."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        pytest.skip("no IPv6 here")
    flags = ("--logdir", str(curves), "--host", host, "--path-prefix", "lab/one/")
    with served(*flags) as (port, said):
        alone = host == "::1"
        told = " ".join(said)
        assert ("alone" in said[0]) == alone
        assert "password" in told
        assert "--path-prefix" in told, "no network's file is run there"
        here = "[::1]" if alone else "127.0.0.1"
        base = f"http://{here}:{port}/lab/one/"
        assert said[-1].endswith(f":{port}/lab/one/overview")
        assert "lab_faces" in ask(base, "plugins_listing")
        with urllib.request.urlopen(f"{base}data/plugin/lab_faces/index.js", timeout=20) as page:
            assert page.status == 200
        assert leads_to(f"http://{here}:{port}/") == base
        found = leads_to(f"{base}faces?run=run007")
        assert found.startswith(f"{base}#lab_faces")
        assert "run007" in found
        if not alone:
            others = ("127.0.0.2", *reach.here()[1:2])
            for other in others:
                socket.create_connection((other, port), timeout=5).close()


def test_the_lab_s_own_tab_comes_early(url: str) -> None:
    """TensorBoard's menu covers the labels of the last tabs in a window of 1,366 px."""
    assert list(ask(url, "plugins_listing")).index("lab_faces") < 2


@pytest.mark.parametrize(
    "host", ["", "nosuch.invalid", "192.0.2.77", "http://127.0.0.1", "127.0.0.1:6006", "a b", "[]"]
)
def test_a_host_that_is_not_this_machine_is_explained(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--host") as caught:
        board.start(tmp_path, host=host)
    assert repr(host) in str(caught.value)
    assert "0.0.0.0" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["/a b", "/a?b", "../x", "/a/../b", "/ü", "//evil.example/#"])
def test_a_prefix_that_is_no_path_is_explained(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--path-prefix") as caught:
        board.start(tmp_path, prefix=prefix)
    assert repr(prefix) in str(caught.value)


def test_addresses_for_elsewhere_are_this_machine_s() -> None:
    """What is printed leads here from outside: never a wildcard."""
    for host in ("0.0.0.0", "::", "[::]"):
        names = reach.hosts(host)
        assert names
        assert not set(names) & {"0.0.0.0", "::"}
    assert reach.hosts("[::1]") == ["::1"]
    assert reach.url("::1", 7, "/lab") == "http://[::1]:7/lab/"
    assert reach.is_local("127.0.0.1")
    assert reach.is_local("::1")
    assert not reach.is_local("0.0.0.0")
    assert not reach.is_local("192.0.2.1")


def test_who_came_through_ssh_is_told_how_to_see_the_board() -> None:
    def tunnel(url: str, connection: str) -> str:
        return reach.tunnel(url, {"SSH_CONNECTION": connection})

    assert reach.tunnel("http://127.0.0.1:7/", {}) == ""
    assert tunnel("http://127.0.0.1:7/", "odd") == ""
    plain = tunnel("http://127.0.0.1:7007/lab/", "10.0.0.1 5 10.0.0.2 22")
    assert re.search(r"-L 7007:127\.0\.0\.1:7007 \S*10\.0\.0\.2,", plain)
    assert plain.endswith("http://127.0.0.1:7007/lab/")
    other = tunnel("http://[::1]:7007/", "10.0.0.1 5 10.0.0.2 2222")
    assert "-L 7007:[::1]:7007" in other
    assert "-p 2222" in other


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
        def __init__(self, plugins: list[object], server_class: object) -> None:
            assert plugins

        def configure(self, argv: list[str]) -> None:
            asked.append(argv)

        def launch(self) -> str:
            return "http://127.0.0.1:1/"

    program = importlib.import_module("tensorboard.program")  # the name alone is a lazy stand-in
    monkeypatch.setattr(program, "TensorBoard", Server)
    assert board.start(Path(name)).urls == ["http://127.0.0.1:1/"]
    assert f"--logdir={name}" in asked[0]
    assert asked[0][asked[0].index("--host") + 1] == "127.0.0.1"


def test_a_folder_without_runs_is_explained_in_one_line(tmp_path: Path) -> None:
    for nothing in (tmp_path, tmp_path / "not there"):
        ended = run_here("board", "--logdir", str(nothing))
        assert ended.code == 2
        assert ended.out == ""
        assert "no runs in" in ended.err
        assert len(ended.err.splitlines()) == 1


def test_links_alone_start_nothing() -> None:
    ended = run_here("board", "--links-only", "--port", "7007")
    assert ended.code == 0, ended.err
    for link in board.deep_links("http://127.0.0.1:7007/"):
        assert link.url in ended.out
    ended = run_here("board", "--links-only", "--host", "lab.example", "--path-prefix", "x")
    assert "http://lab.example:6006/x/overview" in ended.out
