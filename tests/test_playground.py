"""The playground's answers: true to the lab's own, refused in one line where there are none."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from werkzeug.test import Client

from lab.core.config import DataConfig, ModelConfig, RunConfig, to_json
from lab.core.run_dir import RunDir
from lab.measure import predict
from lab.models import ModelSpec, create_model, digest_of, only_agreed
from lab.playground import logdir as listing
from lab.playground import model_cache
from lab.playground.plugin import QUESTIONS, FacesPlugin
from lab.playground.read_ahead import ReadAhead
from lab.playground.request import read_face, start_face, write_face
from lab.playground.work_queue import WorkQueue
from lab.runs.load import Opened, open_run, open_snapshot
from lab.runs.provenance import provenance_of
from lab.runs.train import start
from lab.training import BEST, load_checkpoint
from lab.worlds import draw_examples, get_task
from lab.worlds.faces import ATTRIBUTES, Attribute, Faces, render
from support.configs import tiny
from support.run_folders import stop

NET = """
from torch import nn
from lab.models import ModelSpec

def net(spec: ModelSpec) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * spec.image_size**2, spec.num_outputs))
"""


class Page:
    """Asks the plugin as a browser would, without sockets."""

    def __init__(self, logdir: Path | str | None) -> None:
        place = None if logdir is None else str(logdir)
        self.apps = FacesPlugin(SimpleNamespace(logdir=place)).get_plugin_apps()

    def get(self, question: str, **parameters: Any) -> tuple[int, Any]:
        path = f"/{question}"
        answer = Client(self.apps[path]).get(path, query_string=parameters)
        return answer.status_code, answer.get_json()

    def ok(self, question: str, **parameters: Any) -> Any:
        status, content = self.get(question, **parameters)
        assert status == 200, content
        return content

    def post(self, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
        answer = Client(self.apps["/allow"]).post("/allow", data=body, content_type=kind)
        return answer.status_code, answer.get_json()

    def runs(self) -> dict[str, Any]:
        return {run["name"]: run for run in self.ok("runs")["runs"]}


def config(out: Path, name: str, **changes: Any) -> RunConfig:
    usual: dict[str, Any] = {"num_test": 4, "model": "linear", "steps": 2}
    return tiny(out, name=name, **{**usual, **changes})


def described(run: RunConfig) -> str:
    """What its config.json says."""
    return to_json(run, provenance_of(run))


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real runs of two steps, and all that can be wrong with a folder."""
    root = tmp_path_factory.mktemp("runs")
    start(config(root, "plain"))
    start(config(root, "noisy", label_noise=1.0, label_noise_kind="flip"))
    start(config(root, "cue", cues=("eye_color:1",), cue_visibility=0.3))
    start(config(root / "below", "eyes", task="count_eyes"))
    outside = tmp_path_factory.mktemp("outside")
    start(config(outside, "secret"))
    (root / "link").symlink_to(outside / "secret")
    (root / "borrowed").mkdir()
    (root / "borrowed" / "config.json").write_text(to_json(config(root, "borrowed")))
    (root / "borrowed" / "checkpoints").symlink_to(outside / "secret" / "checkpoints")
    (root / "empty").mkdir()
    (root / "empty" / "config.json").write_text(described(config(root, "empty")))
    (root / "damaged").mkdir()
    (root / "damaged" / "config.json").write_text('{"format": 1, "data": 7}')
    (root / "foreign").mkdir()
    (root / "foreign" / "events.out.tfevents.1.x").touch()
    (root / "torn" / "checkpoints").mkdir(parents=True)
    (root / "torn" / "config.json").write_text(described(config(root, "torn")))
    (root / "torn" / "checkpoints" / "last.pt").write_bytes(b"half of a")
    (root / "<img src=x onerror=alert(1)>").mkdir()
    (root / "<img src=x onerror=alert(1)>" / "events.out.tfevents.1.x").touch()
    return root


@pytest.fixture(scope="module")
def page(logdir: Path) -> Page:
    return Page(logdir)


def test_every_kind_of_folder_is_listed_and_explained(page: Page) -> None:
    runs = page.runs()
    assert {name: run["kind"] for name, run in runs.items()} == {
        "plain": "ready", "noisy": "ready", "cue": "ready", "below/eyes": "ready", "torn": "ready",
        "link": "foreign", "foreign": "foreign", "damaged": "foreign", "empty": "waiting",
        "borrowed": "broken", "<img src=x onerror=alert(1)>": "foreign",
    }  # fmt: skip
    assert all(run["trouble"] for run in runs.values() if run["kind"] != "ready")
    assert "eye color always agrees with the label" in " ".join(runs["cue"]["conditions"])
    every = config(logdir, "noisy").data.num_train
    assert f"100 % of its labels are wrong ({every} of {every})" in runs["noisy"]["conditions"]
    look = page.ok("look", face="", run=["torn", "empty", "borrowed", "link", "foreign", "nobody"])
    for answer in look["answers"]:
        assert answer["trouble"]
        assert "\n" not in answer["trouble"]
        assert "chances" not in answer


@pytest.mark.parametrize("name", ["plain", "cue", "below/eyes"])
def test_answers_are_those_of_the_network(page: Page, logdir: Path, name: str) -> None:
    written = "eye_color:blue,nose:0,smile:-0.5,identity:-77"
    (answer,) = page.ok("look", face=written, run=name)["answers"]
    run_config, model, *_ = open_run(logdir / name)
    visibility = {"eye_color": 0.3} if name == "cue" else {}
    face = read_face(written)
    face = replace(face, visibility=visibility)
    logits = predict(model, render(face, size=16))
    assert answer["chances"] == pytest.approx(logits.softmax(dim=1)[0].tolist(), abs=2e-6)
    assert answer["says"] == int(logits.argmax())
    assert answer["truth"] == (2 if run_config.data.task == "count_eyes" else 0)


def test_a_written_face_is_read_as_the_same_face(logdir: Path) -> None:
    faces = draw_examples(DataConfig(num_train=20), split="train", count=20, seed=3).samples
    for i in range(20):
        values = write_face(faces, i)
        back = read_face(",".join(f"{name}:{value}" for name, value in values.items()))
        assert int(back.identity[0]) == int(faces.identity[i])
        for name in ATTRIBUTES:
            assert back[name][0] == faces[name][i], name


def test_the_table_has_every_attribute_and_starts_with_a_person(page: Page) -> None:
    table = page.ok("table")
    rows = [row for group in table["groups"] for row in group["attributes"]]
    assert sorted(row["name"] for row in rows) == sorted(ATTRIBUTES)
    assert table["start"] == write_face(start_face())
    (answer,) = page.ok("look", face="", run="plain")["answers"]
    assert table["tasks"]["person"]["classes"][answer["truth"]] == "person"
    assert page.ok("random", number=5) == page.ok("random", number=5)


@pytest.mark.parametrize(
    "face", ["", "eyes:0", "subject:house", "subject:clock,nose:0", "mouth:0,light_strength:0"]
)
def test_controls_without_effect_are_those_that_change_no_picture(page: Page, face: str) -> None:
    """Every value of every attribute, drawn at another size than for the answer."""
    without = page.ok("effects", face=face)["without"]
    plain = render(read_face(face), size=48)

    def seen(name: str, row: Attribute, base: Faces, against: torch.Tensor) -> bool:
        values = row.values or np.linspace(row.low, row.high, 5).tolist()
        pictures = render(Faces.cat([base.do(**{name: value}) for value in values]), size=48)
        return bool((pictures != against).any())

    still = {
        name for name, row in ATTRIBUTES.items() if not seen(name, row, read_face(face), plain)
    }
    assert set(without) == still
    for name, by in ((name, by) for name, by in without.items() if by):
        hides = start_face().redrawn({by: read_face(face)[by]})
        for base in (start_face(), hides):
            shows = seen(name, ATTRIBUTES[name], base, render(base, size=48))
            assert shows == (base is not hides), f"{name} is hidden by {by}"


def test_why_it_is_no_person_is_what_would_make_it_one(page: Page) -> None:
    """The changes that are named suffice, and none of them can be spared."""
    task, told = get_task("person"), 0
    for number in range(12):
        values = page.ok("random", number=number)["face"]
        written = ",".join(f"{name}:{value}" for name, value in values.items())
        (answer,) = page.ok("look", face=written, run="plain")["answers"]
        face = read_face(written)
        assert bool(answer["why"]) == (answer["truth"] == 0)
        wanted = {each["name"]: each["wanted"] for each in answer["why"]}
        assert all(values[each["name"]] == each["now"] for each in answer["why"])
        seen = page.ok("effects", face=written)["without"]
        hidden = {name: "natural" if name == "arrangement" else int(ATTRIBUTES[name].values[-1])
                  for name in task.relevant if name in seen}  # fmt: skip
        if wanted:
            told += 1
            assert int(task.label(face.do(**hidden).do(**wanted))[0]) == 1
        for name in wanted:
            fewer = {each: value for each, value in wanted.items() if each != name}
            assert int(task.label(face.do(**hidden).do(**fewer))[0]) == 0
    assert told > 3
    (answer,) = page.ok("look", face="eyes:1", run="below/eyes")["answers"]
    assert answer["why"] == [], "one eye is one eye"
    (answer,) = page.ok("look", face="eyes:1,subject:mug", run="below/eyes")["answers"]
    assert [each["name"] for each in answer["why"]] == ["subject"]


def test_a_list_that_ends_says_so_and_what_is_beyond_can_be_asked(
    logdir: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = page.ok("runs")
    assert (everything["more"], everything["searched"]) == (0, True)
    monkeypatch.setattr(listing, "MOST_RUNS", 3)
    cut = page.ok("runs")
    assert len(cut["runs"]) == 3
    assert cut["more"] == len(everything["runs"]) - 3
    names = {run["name"] for run in cut["runs"]}
    beyond = next(run for run in everything["runs"] if run["name"] not in names)
    about = page.ok("about", run=beyond["name"])
    assert {**about, "age": 0} == {**beyond, "age": 0}
    assert page.ok("about", run="nobody")["kind"] == "gone"
    monkeypatch.setattr(listing, "MOST_FOLDERS", 2)
    assert not page.ok("runs")["searched"]


def test_strips_agree_with_looks(page: Page) -> None:
    told = page.ok("strips", face="hair_color:red", run="plain")
    strips = {strip["name"]: strip for strip in told["strips"]}
    assert set(strips) == set(ATTRIBUTES)
    for name in ("eye_color", "mouth_open", "eyes"):
        for value, chance, truth in zip(
            *(strips[name][key] for key in ("values", "chances", "truth")), strict=True
        ):
            face = f"hair_color:red,{name}:{value}"
            (answer,) = page.ok("look", face=face, run="plain")["answers"]
            assert answer["chances"][told["watched"]] == pytest.approx(chance, abs=1e-4)
            assert answer["truth"] == truth
    blind = page.ok("strips", face="eyes:0", run="plain")["strips"]
    assert not next(s for s in blind if s["name"] == "eye_color")["visible"]
    assert strips["eyes"]["relevant"]
    assert not strips["eye_color"]["relevant"]


def test_only_the_whole_set_of_parts_is_a_person(page: Page) -> None:
    sets = page.ok("parts", face="", run="plain")["sets"]
    assert [len(each["parts"]) for each in sets if each["truth"] == 1] == [4]
    assert len(sets) == 16
    assert page.ok("parts", face="", run="below/eyes")["sets"] == []


def test_a_training_face_is_its_own_nearest_one_with_its_wrong_label(page: Page) -> None:
    data = DataConfig(num_train=12, image_size=16, label_noise=1.0, label_noise_kind="flip")
    examples = draw_examples(data, split="train", count=12, seed=0)
    written = ",".join(f"{name}:{value}" for name, value in write_face(examples.samples, 5).items())
    told = page.ok("nearest", face=written, run="noisy")
    assert told["same"]
    for way in told["ways"]:
        first = way["faces"][0]
        assert first["number"] == 5
        assert first["distance"] == 0
        assert first["label"] == int(examples.labels[5]) != first["truth"]
    assert not page.ok("nearest", face="", run="noisy")["same"]


def test_fooling_changes_nuisances_alone_until_the_answer_is_wrong(page: Page) -> None:
    outcomes = set()
    for number in range(8):
        face = page.ok("random", number=number)["face"]
        written = ",".join(f"{name}:{value}" for name, value in face.items())
        told = page.ok("fool", face=written, run="plain")
        outcomes.add(told["outcome"])
        if told["outcome"] != "fooled":
            continue
        frames = told["frames"]
        assert frames[0] == {**face, **{k: frames[0][k] for k in face}}
        relevant = ("subject", "arrangement", "eyes", "nose", "mouth", "ears", "identity")
        assert all(frame[name] == face[name] for frame in frames for name in relevant)
        says = []
        for frame in (frames[-2], frames[-1]):
            text = ",".join(f"{name}:{value}" for name, value in frame.items())
            says.append(page.ok("look", face=text, run="plain")["answers"][0])
        assert says[0]["says"] == says[0]["truth"]
        assert says[1]["says"] != says[1]["truth"]
    assert "fooled" in outcomes


def test_a_round_of_the_game_tells_what_the_run_says(page: Page) -> None:
    for number in range(6):
        told = page.ok("round", run="cue", number=number)
        face = ",".join(f"{name}:{value}" for name, value in told["face"].items())
        (answer,) = page.ok("look", face=face, run="cue")["answers"]
        assert answer["chances"] == pytest.approx(told["chances"], abs=1e-4)
        assert (answer["says"], answer["truth"]) == (told["says"], told["truth"])


def test_code_of_others_runs_only_after_consent(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(NET)
    runs = tmp_path / "runs"
    start(config(runs, "mine", model=f"{net}:net"))
    net.write_text(NET + f"\nopen({str(tmp_path / 'ran')!r}, 'a').close()\n")
    page = Page(runs)
    assert page.runs()["mine"]["kind"] == "consent"
    for question in ("look", "strips", "nearest", "causes", "fool"):
        page.get(question, face="", run="mine")
    assert not (tmp_path / "ran").exists()

    assert page.post(b'{"run": "mine"}', kind="text/plain")[0] == 405
    assert page.post(b'{"run": "mine"}')[0] == 200
    assert page.runs()["mine"]["kind"] == "ready"
    assert "chances" in page.ok("look", face="", run="mine")["answers"][0]
    assert (tmp_path / "ran").exists()

    net.write_text(NET + "\n# changed\n")
    assert page.runs()["mine"]["kind"] == "consent"
    net.unlink()
    fresh = Page(runs)
    (answer,) = fresh.ok("look", face="", run="mine")["answers"]
    assert str(net) in answer["trouble"]
    assert fresh.post(b'{"run": "mine"}')[0] == 400


def test_consent_is_for_what_the_file_imports_too(tmp_path: Path) -> None:
    net, helper, trap = tmp_path / "net.py", tmp_path / "body.py", tmp_path / "ran"
    net.write_text("from body import net")
    helper.write_text(NET)
    runs = tmp_path / "runs"
    start(config(runs, "mine", model=f"{net}:net"))
    page = Page(runs)
    assert page.post(b'{"run": "mine"}')[0] == 200
    assert page.runs()["mine"]["kind"] == "ready"
    conditions = page.runs()["mine"]["conditions"]
    helper.write_text(NET + f"\nopen({str(trap)!r}, 'a').close()\n")
    listed = page.runs()["mine"]
    assert listed["kind"] == "consent"
    assert "body.py is changed" in listed["code"]
    assert not any("is changed" in each for each in listed["conditions"])
    page.get("look", face="", run="mine")
    assert not trap.exists()
    assert page.post(b'{"run": "mine"}')[0] == 200
    assert "chances" in page.ok("look", face="", run="mine")["answers"][0]
    assert trap.exists(), "agreed to, although it has changed"
    changed = page.runs()["mine"]["conditions"][1]
    assert changed.startswith("not the code that was trained: ")
    assert "body.py is changed" in changed
    helper.write_text(NET)
    assert page.runs()["mine"]["conditions"] == conditions


def test_a_file_may_be_agreed_to_beforehand_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, helper, trap = tmp_path / "net.py", tmp_path / "body.py", tmp_path / "ran"
    net.write_text("from body import net")
    helper.write_text(NET)
    runs = tmp_path / "runs"
    start(config(runs, "mine", model=f"{net}:net"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    for named in ("net.py", "link/net.py", str(net)):
        monkeypatch.setattr(FacesPlugin, "allowed", model_cache.keys_of([Path(named)]))
        page = Page(runs)
        assert page.runs()["mine"]["kind"] == "ready"
        assert "chances" in page.ok("look", face="", run="mine")["answers"][0]
    for other in (net, helper):
        content = other.read_text()
        other.write_text(f"{content}\nopen({str(trap)!r}, 'a').close()\n")
        page = Page(runs)
        assert page.runs()["mine"]["kind"] == "consent"
        page.get("look", face="", run="mine")
        model_cache.keys_of([net])
        assert not trap.exists()
        other.write_text(content)


@pytest.mark.parametrize(
    ("name", "why"), [("", "a folder"), ("no.py", "no such"), ("net.txt", "no Python file")]
)
def test_what_cannot_be_agreed_to_beforehand_is_one_line(
    name: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "net.txt").touch()
    with pytest.raises(ValueError, match=f"--allow-model .*{why}"):
        model_cache.keys_of([tmp_path / name])


def test_a_missing_file_may_lie_elsewhere_if_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, there, other = tmp_path / "net.py", tmp_path / "there.py", tmp_path / "other.py"
    net.write_text(NET)
    runs = tmp_path / "runs"
    start(config(runs, "mine", model=f"{net}:net"))
    net.rename(there)
    other.write_text(NET + "# other")
    assert "--model-file" in Page(runs).runs()["mine"]["trouble"]
    monkeypatch.setattr(FacesPlugin, "model_files", [other, there])
    page = Page(runs)
    assert str(there) in page.runs()["mine"]["code"]
    assert page.post(b'{"run": "mine"}')[0] == 200
    assert "chances" in page.ok("look", face="", run="mine")["answers"][0]


def test_what_is_opened_is_what_was_listed(tmp_path: Path) -> None:
    """Settings that are exchanged behind the page's back, their size and time kept."""
    runs = tmp_path / "runs"
    start(config(runs, "mine"))
    net = tmp_path / "n.py"
    net.write_text(NET + f"\nopen({str(tmp_path / 'ran')!r}, 'a').close()\n")
    page = Page(runs)
    assert page.runs()["mine"]["kind"] == "ready"
    path = runs / "mine" / "config.json"
    state, text = path.stat(), path.read_text()
    other = text.replace('"linear"', json.dumps(f"{net}:net"))
    spare = len(other) - len(text)
    assert spare >= 0
    padded = text + " " * spare  # the benign file is as long as the other
    path.write_text(padded)
    assert page.runs()["mine"]["kind"] == "ready"
    state = path.stat()
    path.write_text(other)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    page.get("look", face="", run="mine")
    assert not (tmp_path / "ran").exists()


def test_what_runs_is_what_was_agreed_to(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(NET)
    digest = digest_of(net.read_bytes())
    spec = ModelSpec(image_size=16)
    with only_agreed({digest}):
        create_model(f"{net}:net", spec)
    net.write_text(NET + f"\nopen({str(tmp_path / 'ran')!r}, 'a').close()\n")
    with only_agreed({digest}), pytest.raises(ValueError, match="not the file that was agreed to"):
        create_model(f"{net}:net", spec)
    assert not (tmp_path / "ran").exists()
    create_model(f"{net}:net", spec)
    assert (tmp_path / "ran").exists(), "elsewhere a file needs no consent"


def test_a_library_s_network_is_no_file(tmp_path: Path) -> None:
    start(
        config(
            tmp_path, "small", num_train=4, image_size=32, model="torchvision:squeezenet1_1",
            width=ModelConfig().width,
        )
    )  # fmt: skip
    page = Page(tmp_path)
    assert page.runs()["small"]["kind"] == "ready"
    assert "chances" in page.ok("look", face="", run="small")["answers"][0]


@pytest.mark.parametrize("value", ["NaN", "1e999", "1" + "0" * 400, "true", '"x"', "-7"])
def test_damaged_figures_are_left_out(tmp_path: Path, value: str) -> None:
    start(config(tmp_path, "a"))
    (tmp_path / "a" / "summary.json").write_text(
        f'{{"status": "finished", "accuracy": {{"test": {{"value": {value}}}}}}}'
    )
    assert Page(tmp_path).runs()["a"]["figures"]["accuracy/test"] is None


def test_a_network_that_exits_is_explained(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "import sys\nfrom pathlib import Path\nfrom torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def forward(self, x):\n"
        f"        if Path({str(tmp_path / 'exit')!r}).exists():\n"
        "            sys.exit(3)\n"
        "        return super().forward(x.flatten(1))\n"
        "def net(spec):\n"
        "    return Net(3 * spec.image_size**2, spec.num_outputs)\n"
    )
    runs = tmp_path / "runs"
    start(config(runs, "a", model=f"{net}:net"))
    page = Page(runs)
    assert page.post(b'{"run": "a"}')[0] == 200
    assert "chances" in page.ok("look", face="", run="a")["answers"][0]
    (tmp_path / "exit").touch()
    (answer,) = page.ok("look", face="", run="a")["answers"]
    assert f"network fails: SystemExit: 3 ({net}:7)" in answer["trouble"]


def test_who_saw_every_face_once_studied_many(tmp_path: Path) -> None:
    start(config(tmp_path, "once", steps=5, online=True))
    page = Page(tmp_path)
    assert page.runs()["once"]["conditions"][0] == "20 training faces, none twice"
    told = page.ok("nearest", face="", run="once")
    assert (told["searched"], told["studied"]) == (20, 20)


def consent(page: Page, headers: dict[str, str] | None = None, **environ: Any) -> int:
    """The status of an agreement about nobody: 404 where agreeing would have been possible."""
    answer = Client(page.apps["/allow"]).post(
        "/allow", data=b'{"run": "nobody"}', content_type="application/json",
        headers={"Host": "127.0.0.1:6006", **(headers or {})}, environ_overrides=environ,
    )  # fmt: skip
    return answer.status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:6006", 404), ("127.0.0.1", 404), ("[::1]:6006", 404), ("faces.localhost", 404),
     ("evil.example", 403), ("evil.example:6006", 403), ("127.0.0.1.evil.example", 403)],
)  # fmt: skip
def test_consent_is_given_at_home_alone(page: Page, host: str, status: int) -> None:
    """Whoever owns a name can let it lead to this machine; a page of theirs then counts as ours."""
    assert consent(page, {"Host": host}) == status


class Connection(socket.socket):
    """A connection that ends at an address of this machine in its network."""

    def getsockname(self) -> tuple[str, int]:
        return ("192.168.1.5", 6006)


@pytest.mark.parametrize(
    ("remote", "status"),
    [("127.0.0.1", 404), ("127.8.8.8", 404), ("::1", 404), ("::ffff:127.0.0.1", 404),
     ("192.168.1.5", 404), ("192.168.1.6", 403), ("::ffff:192.168.1.6", 403), ("10.0.0.1", 403),
     ("fe80::1%eth0", 403), ("2001:db8::1", 403), ("<local>", 403), ("", 403)],
)  # fmt: skip
def test_consent_is_given_at_this_computer_alone(page: Page, remote: str, status: int) -> None:
    """A board for a class is asked by others, too, at an address of digits as at home."""
    near, far = socket.socketpair()
    with far, Connection(fileno=near.detach()) as connection:
        environ = {"REMOTE_ADDR": remote, "werkzeug.socket": connection}
        for host in ("127.0.0.1:6006", "192.168.1.5:6006"):
            assert consent(page, {"Host": host}, **environ) == status
        listed = Client(page.apps["/runs"]).get("/runs", environ_overrides=environ).get_json()
        assert bool(listed["stranger"]) == (status == 403), "the page knows before anybody tries"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("X-Forwarded-For", "127.0.0.1", 403), ("Forwarded", "for=127.0.0.1", 403),
     ("X-Real-IP", "127.0.0.1", 403), ("Via", "1.1 proxy", 403),
     ("Origin", "http://127.0.0.1:6006", 404), ("Origin", "http://lab.example", 403),
     ("Origin", "http://127.0.0.1:7007", 403), ("Origin", "null", 403)],
)  # fmt: skip
def test_consent_is_given_without_a_proxy_and_on_our_own_page(
    page: Page, name: str, value: str, status: int
) -> None:
    assert consent(page, {name: value}, REMOTE_ADDR="127.0.0.1") == status


def test_under_a_path_nobody_consents(logdir: Path) -> None:
    """A proxy that tells nothing of itself passes on everybody as if they were at this computer."""
    flags = SimpleNamespace(path_prefix="/lab")
    page = Page(logdir)
    page.apps = FacesPlugin(SimpleNamespace(logdir=str(logdir), flags=flags)).get_plugin_apps()
    assert consent(page, REMOTE_ADDR="127.0.0.1") == 403


def test_a_newer_checkpoint_is_taken_up(tmp_path: Path) -> None:
    start(config(tmp_path, "a", steps=30, checkpoint_every=0.0))
    last = tmp_path / "a" / "checkpoints" / "last.pt"
    newest = last.read_bytes()
    stop(tmp_path / "a")
    (tmp_path / "a" / "summary.json").unlink()  # it is still in training
    page = Page(tmp_path)
    first = page.ok("look", face="", run="a")["answers"][0]["chances"]
    (tmp_path / "new.pt").write_bytes(newest)
    os.replace(tmp_path / "new.pt", last)
    second = page.ok("look", face="", run="a")["answers"][0]["chances"]
    assert first != second


def test_networks_are_put_away_when_there_are_too_many(
    logdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_cache, "MOST", 2)
    page = Page(logdir)
    names = ["plain", "noisy", "cue", "below/eyes"]
    answers = page.ok("look", face="", run=names)["answers"]
    assert [answer["name"] for answer in answers if "chances" in answer] == names
    monkeypatch.setattr(model_cache, "MEMORY", 1)
    assert page.ok("nearest", face="", run="plain")["searched"] == 12


def test_a_class_is_answered_and_not_refused(page: Page) -> None:
    """Forty at once, as thirty pages ask: whatever waits is answered in the end."""
    expected = page.ok("look", face="eyes:1", run=["plain", "cue"])
    same = {"face": "eyes:1", "run": ["plain", "cue"]}
    questions: list[tuple[str, dict[str, Any]]] = [("runs", {}), ("table", {})]
    for i in range(24):
        face = f"identity:{i}"
        questions.append(("strips", {"face": face, "run": "plain", "slot": f"{i}.why"}))
        questions += [("look", {**same, "slot": f"{i}.look"})] if i < 8 else []
        questions += [("effects", {"face": face})] if i < 4 else []
        questions += [("nearest", {"face": face, "run": "cue"})] if i < 2 else []
    start = threading.Barrier(len(questions))

    def ask(question: str, parameters: dict[str, Any]) -> tuple[str, int, Any]:
        start.wait()
        return question, *page.get(question, **parameters)

    with ThreadPoolExecutor(len(questions)) as crowd:
        told = list(crowd.map(lambda each: ask(*each), questions))
    assert [status for _, status, _ in told] == [200] * 40
    assert all(content == expected for question, _, content in told if question == "look")
    assert not any("overtaken" in content for *_, content in told), "each has a page of its own"


def test_of_one_page_s_questions_the_newest_is_answered(page: Page) -> None:
    """Twelve places of a slider: each is answered, or overtaken by a later one; the last never."""
    start = threading.Barrier(12)

    def ask(i: int) -> Any:
        start.wait()
        return page.ok("strips", face=f"identity:{i}", run="plain", slot="page.why")

    with ThreadPoolExecutor(12) as slider:
        told = list(slider.map(ask, range(12)))
    answered = [content for content in told if "strips" in content]
    assert answered
    assert all(content == {"overtaken": True} for content in told if "strips" not in content)
    assert page.get("strips", face="", run="plain", slot=["a", "b"])[0] == 400


@pytest.mark.parametrize("place", [None, "", "gs://bucket/runs", "/no/such/folder"])
def test_without_runs_there_is_still_a_face(place: str | None) -> None:
    page = Page(place)
    listed = page.ok("runs")
    assert listed["runs"] == []
    assert listed["trouble"]
    assert page.ok("look", face="glasses:round")["picture"].startswith("data:image/")
    assert page.get("strips", face="", run="x")[0] == 404


HOSTILE = [
    "", ".", "..", "../..", "/etc/passwd", "plain/../plain", "plain/", "//", "plain/checkpoints",
    "%2e%2e", "link", "link/..", "below", "below/eyes/..", "\x00", "a" * 5000, "ünïcödé", "<b>",
    "eye_color:mauve", "eye_color", "eyes:3", "eyes:1.5", "eyes:two", "smile:nan", "smile:inf",
    "smile:1e999", "smile:-9", "smile:0x1", "smile:1_0", "smile:", ":", ",,,", "nobody:1",
    "identity:9223372036854775808", "identity:x", "eyes:1,eyes:2", "identity:1,identity:2",
    "smile:٣", "eyes:-0", "nose:true", "face:face", "smile:" + "1" * 300, "eyes:1\n", "'; drop",
    "{{7*7}}", "../../secret", "-1", "99999999999999999999", "1e3", "0.5", "plain",
]  # fmt: skip


def test_hostile_requests_get_one_clear_line(page: Page) -> None:
    """Hundreds of requests with all that is wrong: 200, or a 400 or 404 with one line."""
    chance = random.Random(0)
    names = ["face", "run", "number", "size", "seen", "exact", "path", "__class__", ""]
    seen: dict[int, int] = {}
    for _ in range(700):
        question = chance.choice(QUESTIONS)
        good = {"face": "", "run": "plain", "number": "1"} if chance.random() < 0.7 else {}
        odd = {
            chance.choice(names): [chance.choice(HOSTILE) for _ in range(chance.choice([1, 1, 2]))]
            for _ in range(chance.choice([0, 1, 1, 2]))
        }
        wanted = {"table": (), "runs": (), "random": ("number",), "look": ("face", "run"),
                  "round": ("run", "number")}.get(question, ("face", "run"))  # fmt: skip
        parameters = {name: good[name] for name in wanted if name in good} | odd
        status, content = page.get(question, **parameters)
        seen[status] = seen.get(status, 0) + 1
        assert status in (200, 400, 404), (question, parameters, content)
        if status != 200:
            assert content["error"]
            assert "\n" not in content["error"]
            assert len(content["error"]) < 1500
            assert "secret" not in content["error"] or "secret" in json.dumps(parameters)
    assert seen[200] > 20
    assert seen[400] > 200
    assert seen[404] > 5


BODIES = [
    b"",
    b"[]",
    b"{}",
    b'{"run": 1}',
    b'{"run": "plain"}',
    b"\xff",
    b"[" * 5000,
    b"x" * 20_000,
]


@pytest.mark.parametrize("body", BODIES)
def test_hostile_posts_get_one_clear_line(page: Page, body: bytes) -> None:
    status, content = page.post(body)
    assert status == 400
    assert content["error"]
    assert page.post(b'{"run": "../../secret"}')[0] == 404


def test_only_listed_files_are_served_and_with_their_headers(page: Page) -> None:
    assert "/index.js" in page.apps
    assert not any("*" in route for route in page.apps)
    answer = Client(page.apps["/index.html"]).get("/index.html")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert Client(page.apps["/look"]).post("/look").status_code == 405


def test_the_page_is_safe_and_self_contained() -> None:
    folder = Path(__file__).parent.parent / "lab" / "playground" / "static"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "innerHTML" not in text
        assert "eval(" not in text
        for line in text.splitlines():
            assert "http" not in line or "w3.org" in line, f"{path.name}: {line}"


def test_tensorboard_starts_without_pytorch_and_a_broken_one_is_explained(logdir: Path) -> None:
    code = (
        "import sys; from types import SimpleNamespace; from werkzeug.test import Client\n"
        "sys.modules['torch'] = None\n"  # importing it raises ImportError
        "from lab.playground.plugin import FacesPlugin\n"
        f"plugin = FacesPlugin(SimpleNamespace(logdir={str(logdir)!r}))\n"
        "apps = plugin.get_plugin_apps(); assert plugin.is_active()\n"
        "page = Client(apps['/index.js']).get('/index.js'); assert page.status_code == 200\n"
        "answer = Client(apps['/runs']).get('/runs'); assert answer.status_code == 503\n"
        "assert 'torch' in answer.get_json()['error']\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_a_program_ends_in_order_though_questions_wait(logdir: Path) -> None:
    """Requests' threads are daemons; PyTorch at work in one would crash the ending interpreter."""
    code = (
        "import threading; from types import SimpleNamespace; from werkzeug.test import Client\n"
        "from lab.playground.plugin import FacesPlugin\n"
        f"apps = FacesPlugin(SimpleNamespace(logdir={str(logdir)!r})).get_plugin_apps()\n"
        "answered = threading.Semaphore(0)\n"
        "def ask(number):\n"
        "    for i in range(10_000):\n"
        "        asked = {'face': f'identity:{number + 10 * i}', 'run': 'cue'}\n"
        "        Client(apps['/strips']).get('/strips', query_string=asked)\n"
        "        answered.release()\n"
        "for number in range(4):\n"
        "    threading.Thread(target=ask, args=(number,), daemon=True).start()\n"
        "for _ in range(3):\n"
        "    answered.acquire()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with snapshots and wrong labels."""
    out = tmp_path_factory.mktemp("filmed")
    run = config(
        out, "run", model="cnn", width=2, steps=60, num_train=16, label_noise=0.5,
        label_noise_kind="flip", cues=("eye_color:1",), cue_visibility=0.5, eval_every=20,
    )  # fmt: skip
    start(run)
    return out / "run"


FACE = "eye_color:green,smile:0.5,nose:0"

PATIENCE = 60
"""Seconds to wait for what should take none."""


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


def asked_at(filmed: Path, step: int) -> torch.Tensor:
    """The probabilities for `FACE` by the snapshot, by other means than the tab's."""
    opened = open_run(filmed)
    model = open_snapshot(filmed, step, opened).model if step < 60 else opened.model
    face = replace(read_face(FACE), visibility={"eye_color": 0.5})
    logits = predict(model, render(face, size=opened.config.data.image_size))
    return logits.double().softmax(dim=1)[0]


def test_a_run_that_stopped_early_is_trained_for_the_steps_of_its_weights(tmp_path: Path) -> None:
    settings = {"num_validation": 20, "early_stopping": 2, "eval_every": 1, "learning_rate": 1.0}
    start(config(tmp_path, "stopped", steps=50, **settings))
    page = Page(tmp_path)
    told = page.runs()["stopped"]
    kept = load_checkpoint(tmp_path / "stopped" / "checkpoints" / BEST).step
    assert kept < RunDir(tmp_path / "stopped").summary()["step"] < 50
    assert told["step"] == kept
    (answer,) = page.ok("look", face=FACE, run="stopped")["answers"]
    assert answer["step"] == kept
    assert "at most 50 steps" in told["conditions"]


def test_the_answers_are_those_of_the_step_that_is_asked_about(filmed: Path) -> None:
    page = Page(filmed.parent)
    steps = page.runs()["run"]["snapshots"]
    assert steps[0] == 0
    between = steps[-2] + 1  # the snapshot before it counts
    for step, means in ((0, 0), (steps[-2], steps[-2]), (between, steps[-2]), (60, 60), (99, 60)):
        (answer,) = page.ok("look", face=FACE, run="run", step=step)["answers"]
        assert answer["step"] == means
        assert answer["chances"] == pytest.approx(asked_at(filmed, means).tolist(), abs=2e-6)
    for question in ("strips", "parts", "nearest"):
        first, last = (page.ok(question, face=FACE, run="run", **at) for at in ({"step": 0}, {}))
        assert first != last
    for wrong in ("1.5", "x", str(10**9)):
        status, content = page.get("look", face=FACE, run="run", step=wrong)
        assert status == 400
        assert "step" in content["error"]


def test_a_page_with_the_timeline_has_the_snapshots_read_before_it_asks(
    filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noted(folder: Path, step: int, opened: Opened) -> Opened:
        read.append(step)
        return open_snapshot(folder, step, opened)

    monkeypatch.setattr(model_cache, "open_snapshot", noted)
    page = Page(filmed.parent)
    steps = page.runs()["run"]["snapshots"]
    page.ok("look", face=FACE, run="run")
    assert not read
    page.ok("look", face=FACE, run="run", film=1)
    until(lambda: len(read) == len(steps))
    page.ok("look", face=FACE, run="run", film=1, step=steps[-1])
    assert read == steps[::-1]  # from the end back, each once


def test_snapshots_that_do_not_fit_into_the_cache_are_left_to_be_asked_for(
    filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = model_cache.ModelCache()
    ahead = ReadAhead(cache, first=WorkQueue("test"))
    run = cache.get(listing.open_logdir(str(filmed.parent)).find("run"))
    steps = run.unread()
    size = run.snapshot_size(steps[-1])
    monkeypatch.setattr(model_cache, "MEMORY", run.bytes + size)
    ahead.read([run])
    until(lambda: not ahead.left)
    assert list(run.snapshots) == [steps[-1]]


def test_a_face_over_training_is_asked_of_every_snapshot(filmed: Path) -> None:
    page = Page(filmed.parent)
    told = page.ok("over_training", face=FACE, run="run")
    assert told["steps"] == [*page.runs()["run"]["snapshots"], 60]
    for step, chance, says in zip(told["steps"], told["chances"], told["says"], strict=True):
        expected = asked_at(filmed, step)
        assert chance == pytest.approx(float(expected[told["watched"]]), abs=1e-5)
        assert says == int(expected.argmax())
    strips = {each["name"]: each for each in page.ok("strips", face=FACE, run="run")["strips"]}
    for name, row in ATTRIBUTES.items():
        if row.kind != "continuous":  # all of whose values both try
            assert told["moves"][name][-1] == pytest.approx(strips[name]["moves"], abs=2e-5)
    for each in told["counterparts"]:
        assert (each["truth"] != told["truth"]) == each["relevant"]
        strip = strips[each["name"]]
        if each["value"] in strip["values"]:
            place = strip["values"].index(each["value"])
            assert each["chances"][-1] == pytest.approx(strip["chances"][place], abs=2e-5)
    evaluated = [json.loads(line) for line in (filmed / "metrics.jsonl").read_text().splitlines()]
    for tag in ("accuracy/train", "accuracy/test"):
        expected = [[line["step"], round(line[tag], 4)] for line in evaluated]
        assert told["accuracies"][tag] == expected
    assert told["trained_on"] is None


def test_training_faces_are_listed_wrong_labels_first_and_known_again(filmed: Path) -> None:
    page = Page(filmed.parent)
    listed = page.ok("training_faces", run="run")
    rest = page.ok("training_faces", run="run", start=12)["faces"]
    faces = [*listed["faces"], *rest]
    assert sorted(each["number"] for each in faces) == list(range(16))
    wrong = [each["label"] != each["truth"] for each in faces]
    assert wrong == sorted(wrong, reverse=True)
    assert sum(wrong) == listed["mislabeled"] > 0
    examples = draw_examples(open_run(filmed).config.data, seed=0, split="train", count=16)
    for each in faces[:3]:
        assert each["label"] == int(examples.labels[each["number"]])
        written = ",".join(f"{name}:{value}" for name, value in each["face"].items())
        known = page.ok("over_training", face=written, run="run")["trained_on"]
        assert known == {key: each[key] for key in ("number", "label", "truth")}


def test_snapshots_behind_a_link_are_not_opened(filmed: Path, tmp_path: Path) -> None:
    copied = tmp_path / "runs" / "run"
    shutil.copytree(filmed, copied)
    shutil.rmtree(copied / "checkpoints" / "snapshots")
    (copied / "checkpoints" / "snapshots").symlink_to(filmed / "checkpoints" / "snapshots")
    page = Page(tmp_path / "runs")
    assert page.runs()["run"]["snapshots"] == []
    (answer,) = page.ok("look", face=FACE, run="run", step=0)["answers"]
    assert answer["step"] == 60
    (copied / "checkpoints" / "snapshots").unlink()
    (copied / "checkpoints" / "snapshots").mkdir()
    for step in (0, 1):
        name = f"step-{step:08d}.pt"
        (copied / "checkpoints" / "snapshots" / name).write_bytes(b"torn")
    (answer,) = page.ok("look", face=FACE, run="run", step=0)["answers"]
    assert "step-00000000.pt" in answer["trouble"]
    assert page.ok("over_training", face=FACE, run="run")["steps"] == [60]
