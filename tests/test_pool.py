"""A pool of networks: trained as runs are, killed and continued, added to, refused, told."""

import csv
import json
import re
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from lab.core.config import RunConfig
from lab.experiments.runner.jobs import key_of, known_by
from lab.measure import predict
from lab.models import isolated
from lab.pool import membership, run_pool
from lab.pool.causes import causes
from lab.pool.findings import Findings
from lab.pool.membership import network_seed, networks_for
from lab.pool.report import part_rows, report
from lab.pool.run import LOSS_BOUND, PoolResult, with_criterion
from lab.pool.store import PoolDir
from lab.pool.train import Report, do
from lab.pool.words import sentences
from lab.runs.checkpoints import give_weights
from lab.runs.network import build_model, model_spec
from lab.runs.provenance import provenance_of
from lab.runs.resolve import resolve
from lab.training import EpochBatches, fit, load_checkpoint
from lab.worlds import draw_examples, open_world
from support.configs import tiny
from support.executors import Here
from support.killing import Script
from support.picture_folders import fill
from support.pools import files, findings_of, visible
from support.scripts import is_a_good_line, run_here

pytestmark = pytest.mark.usefixtures("short_bootstraps")

FLAGS = (
    "--task shape --num-train 20 --num-test 30 --image-size 16 --model linear --steps 20"
    " --batch-size 8 --label-noise 0.3 --device cpu --processes 1"
)


def small(out: Path, **changes: Any) -> RunConfig:
    """The settings that `FLAGS` ask for."""
    usual: dict[str, Any] = {
        "task": "shape", "num_train": 20, "num_test": 30, "model": "linear", "width": 8,
        "steps": 20, "batch_size": 8, "label_noise": 0.3,
    }  # fmt: skip
    settings = tiny(out, **{**usual, **changes})
    return replace(settings, counterfactuals=RunConfig().counterfactuals, pictures=True)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pools train in this process."""
    monkeypatch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())


def summary_of(folder: Path) -> dict[str, Any]:
    """A pool's summary, which must be plain JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (folder / "findings.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of a pool's scores."""
    text = (folder / "scores.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def written(result: PoolResult) -> dict[str, bytes]:
    """The files of a pool after its report, with what depends on its place taken out."""
    report(result)
    found = files(result.folder)
    for name in ("findings.json", "pool.json"):
        content = json.loads(found[name])
        content["config"]["out"] = ""
        found[name] = json.dumps(content).encode()
    return found


def test_a_network_is_trained_as_any_run_is(here: None, tmp_path: Path) -> None:
    config = small(tmp_path, label_noise=0.0)
    pool = run_pool(config, networks=4).pool
    train = draw_examples(config.data, split="train", count=20, seed=config.seed)
    test = draw_examples(config.data, split="test", count=30, seed=config.seed)
    members = membership(3, count=20, share=0.7, seed=config.seed)
    assert torch.equal(pool.members[3], members)
    seed = network_seed(3, seed=config.seed)
    with isolated("cpu", reseeded=True):
        model = build_model(replace(config, seed=seed), model_spec(config, train.classes))
        batches = EpochBatches(
            train.images[members], train.labels[members], batch_size=8, seed=seed
        )
        fit(model, batches, config.train, seed=seed)
        assert torch.equal(predict(model, train.images), pool.train_logits[3])
        assert torch.equal(predict(model, test.images), pool.test_logits[3])
    assert pool.steps.tolist() == [20] * 4


def test_networks_end_by_the_criterion_on_their_own_training_loss(
    here: None, tmp_path: Path
) -> None:
    config = small(tmp_path, steps=400, stop_at_loss=0.4, eval_every=10, label_noise=0.0)
    pool = run_pool(config, networks=3).pool
    assert pool.fitted.all()
    assert (pool.losses <= 0.4).all()
    assert (pool.steps < 400).all()


def test_the_criterion_is_tested_often_and_left_to_the_settings() -> None:
    usual = RunConfig()
    train = with_criterion(usual, size=350).train
    assert (train.stop_at_loss, train.eval_every) == (LOSS_BOUND, 25)
    assert with_criterion(usual, size=7_000).train.eval_every == 4 * 110, "four epochs"
    own = replace(usual, train=replace(usual.train, stop_at_loss=0.1, eval_every=7))
    assert with_criterion(own, size=350) == own
    fixed = replace(usual, train=replace(usual.train, steps=300))
    assert with_criterion(fixed, size=350) == fixed, "nothing ends it but its steps"


def test_more_networks_are_added_and_the_old_ones_stay(here: None, tmp_path: Path) -> None:
    few = run_pool(small(tmp_path), networks=3)
    before = files(few.folder)
    more = run_pool(small(tmp_path), networks=12)
    assert more.folder == few.folder
    assert before.items() <= files(more.folder).items()
    assert torch.equal(more.pool.train_logits[:3], few.pool.train_logits)
    assert torch.equal(more.pool.members[:3], few.pool.members)
    assert not torch.equal(more.pool.train_logits[3], few.pool.train_logits[0])
    again = run_pool(small(tmp_path), networks=3)
    assert torch.equal(again.pool.train_logits, few.pool.train_logits)
    assert again.seconds == 0, "nothing was left to train"


def test_weights_are_kept_from_which_the_networks_are_made_again(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small(tmp_path, name="mine")
    result = run_pool(config, networks=3)
    place = PoolDir(result.folder)
    resolved = resolve(config).config
    for k in range(3):
        assert torch.load(place.weights_file(k), weights_only=True)["step"] == 20
        model = build_model(resolved, model_spec(resolved, result.train.classes))
        give_weights(
            model, load_checkpoint(place.weights_file(k)), place.weights_file(k), config=resolved,
            spec=model_spec(resolved, result.train.classes), provenance=provenance_of(resolved),
        )  # fmt: skip
        assert torch.equal(predict(model, result.train.images), result.pool.train_logits[k])
    found = place.read(0)
    assert found is not None
    assert found.weights == b"", "predictions are read without them"

    before = files(result.folder)
    shutil.rmtree(result.folder / "weights")  # as a pool of an earlier version is
    said: list[str] = []
    run_pool(config, networks=5, say=said.append)
    assert "of disk (weights included)" in said[-1]
    assert [place.weights_file(k).exists() for k in range(5)] == [False] * 3 + [True] * 2
    size = place.weights_file(3).stat().st_size
    assert before["weights/00002.pt"] != place.weights_file(3).read_bytes()
    monkeypatch.setattr("lab.pool.run.WEIGHTS", 5.5 * size)
    run_pool(config, networks=6, say=said.append)
    assert re.search(r"\(without weights, which would take [\d.]+ MB\)", said[-1])
    assert place.file(5).exists()
    assert not place.weights_file(5).exists()


@pytest.mark.usefixtures("plain_figures")
def test_a_network_of_a_pool_is_trained_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a run of torchrun has left in the environment."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost",
                        "MASTER_PORT": "29500"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="ask for 2 processes"):
        run_pool(small(tmp_path / "pools"), networks=2)
    assert not (tmp_path / "pools").exists()


def test_killed_and_continued_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL with workers at work; then Ctrl-C between networks; then to the end."""
    words = [*FLAGS.split(), "--networks", "2000", "--out", str(tmp_path / "mine")]
    script = Script("pool", words)
    while len(list(tmp_path.rglob("*.npz"))) < 3:
        assert script.poll() is None, script.communicate()
        time.sleep(0.02)
    script.send_signal(signal.SIGKILL)
    script.communicate()
    kept = len(list(tmp_path.rglob("*.npz")))
    assert 3 <= kept < 2000
    number = kept + 6

    calls = [0]

    def interrupted(job: Any) -> Report:
        calls[0] += 1
        if calls[0] > 3:
            raise KeyboardInterrupt
        return do(job)

    monkeypatch.setattr("lab.pool.run.open_executor", lambda name, processes: OneByOne())
    monkeypatch.setattr("lab.pool.run.do", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_pool(small(tmp_path / "mine"), networks=number, say=said.append)
    assert said[-1] == f"{kept + 3} networks are kept; the same command continues"
    monkeypatch.setattr("lab.pool.run.do", do)
    assert len(list(tmp_path.rglob("*.npz"))) == kept + 3
    mine = run_pool(small(tmp_path / "mine"), networks=number)
    whole = run_pool(small(tmp_path / "whole"), networks=number)
    assert written(mine) == written(whole)


class OneByOne(Here):
    """Does a job only when its result is asked for, so that those before it are written."""

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Future[Any]:
        """A future that counts as done."""
        future: Future[Any] = Future()
        future.set_result(None)
        future.exception = lambda timeout=None: None  # type: ignore[method-assign]
        future.result = lambda timeout=None: function(argument)  # type: ignore[method-assign]
        return future


def test_a_damaged_file_is_trained_anew(here: None, tmp_path: Path) -> None:
    whole = run_pool(small(tmp_path), networks=3)
    before = files(whole.folder)
    place = PoolDir(whole.folder).file(1)
    place.write_bytes(place.read_bytes()[:500])
    PoolDir(whole.folder).file(2).write_bytes(b"")
    run_pool(small(tmp_path), networks=3)
    assert files(whole.folder) == before


@pytest.mark.parametrize(
    ("changes", "share", "said"),
    [
        ({"num_train": 24}, 0.7, "--num-train 20, not 24"),
        ({"steps": 9, "seed": 1}, 0.7, "--steps 20, not 9; --seed 0, not 1"),
        ({}, 0.5, "--share 0.7, not 0.5"),
    ],
)
def test_a_pool_of_other_settings_is_refused(
    here: None, tmp_path: Path, changes: dict[str, Any], share: float, said: str
) -> None:
    first = run_pool(small(tmp_path, name="mine"), networks=2)
    before = files(first.folder)
    with pytest.raises(ValueError, match="holds a pool of other settings") as caught:
        run_pool(small(tmp_path, **changes, name="mine"), networks=2, share=share)
    for part in said.split("; "):
        assert part in str(caught.value)
    is_a_good_line(str(caught.value))
    assert files(first.folder) == before
    other = run_pool(small(tmp_path, **changes), networks=2, share=share)
    assert other.folder != run_pool(small(tmp_path), networks=2).folder


def test_a_pool_of_networks_of_another_size_is_refused(here: None, tmp_path: Path) -> None:
    """The network's file is the same, and reads another one that has changed."""
    (tmp_path / "net.py").write_text(
        """
from pathlib import Path
from torch import nn

def net(spec):
    hidden = int((Path(__file__).parent / "hidden.txt").read_text())
    size = spec.in_channels * spec.image_size**2
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, spec.num_outputs)
    )
"""
    )
    config = small(tmp_path, name="mine", model=f"{tmp_path}/net.py:net", width=16)
    (tmp_path / "hidden.txt").write_text("4")
    first = run_pool(config, networks=2)
    run_pool(config, networks=2)
    before = files(first.folder)
    (tmp_path / "hidden.txt").write_text("8")
    with pytest.raises(ValueError, match=r"\(networks of 3,086 parameters, not 6,170\)") as caught:
        run_pool(config, networks=3)
    is_a_good_line(str(caught.value))
    assert files(first.folder) == before


def test_another_folder_is_refused(here: None, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"in the way: it has no pool.json, but letter.txt"):
        run_pool(small(tmp_path, name="mine"), networks=2)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--networks 1", "--networks must be 2 to 100,000, not 1"),
        ("--share 1", "--share must be above 0 and below 1, not 1"),
        ("--share 0.99", "--share 0.99 of 20 training examples is 20"),
        ("--online", "--online has no training set"),
        ("--name a/b", "--name 'a/b'"),
        ("--executor cluster", "--executor cluster: use local, dask://host:port"),
        ("--model-width 3", "--model-width"),
    ],
)
def test_bad_input_is_told_in_a_line_and_nothing_is_written(
    tmp_path: Path, words: str, said: str
) -> None:
    done = run_here("pool", *FLAGS.split(), "--out", str(tmp_path / "pools"), *words.split())
    assert done.code == 2
    assert said in done.err
    is_a_good_line(done.err.rstrip("\n"))
    assert not (tmp_path / "pools").exists()


def test_the_command_writes_what_it_says(here: None, tmp_path: Path) -> None:
    done = run_here("pool", *FLAGS.split(), "--networks", "20", "--out", str(tmp_path))
    assert done.code == 0, done.err
    (folder,) = tmp_path.iterdir()
    summary = summary_of(folder)
    rows = table(folder)
    assert summary["networks"] == 20
    assert len(rows) == 20
    scores = np.array([float(row["memorization"]) for row in rows])
    assert summary["all"]["mean_score"]["value"] == pytest.approx(scores.mean(), abs=1e-4)
    assert summary["all"]["by_heart"]["value"] == (scores >= 0.5).mean()
    same = summary["identity"]
    assert summary["all"]["mean_score"]["value"] == pytest.approx(same["members_minus_others"])
    for cause, part in summary["causes"].items():
        mine = [row for row in rows if row["cause"] == cause]
        assert part["count"] == len(mine)
        assert all((row["label"] != row["true_label"]) == (cause == "wrong label") for row in mine)
    for row in rows:
        inside, outside = float(row["accuracy_in"]), float(row["accuracy_out"])
        assert float(row["memorization"]) == pytest.approx(inside - outside, abs=2e-4)
        assert int(row["networks_in"]) + int(row["networks_out"]) == 20
        assert float(row["standard_error"]) > 0
        assert row["color"] in ("red", "green", "blue", "yellow")
    page = (folder / "pool.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)", page), "it needs nothing else"
    for line in summary["sentences"]:
        assert line in " ".join(done.out.split())
        assert line in visible(page)
    rates = summary["true_positive_rates"]
    assert len(rates["left_out"]) == 4
    assert len(rates["fresh"]) == 3
    for each in (*rates["left_out"].values(), *rates["fresh"].values(), rates["null"]):
        assert all(0 <= found["value"] <= 1 for found in each.values())
    assert "20 networks, each trained on 14 of 20 shapes; 1 process" in done.out
    for name in ("faces.png", "scores.png", "attacks.png"):
        assert str(folder / name) in done.out
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200
    events = EventAccumulator(str(folder / "board")).Reload()
    assert set(events.Tags()["images"]) == {
        "shapes/most_memorized", "shapes/least_memorized", "pool/scores", "pool/attacks",
    }  # fmt: skip
    for cause in ("ordinary", "wrong_label"):
        (histogram,) = events.Histograms(f"memorization_score/{cause}")
        mine = [row for row in rows if row["cause"] == cause.replace("_", " ")]
        assert histogram.step == 20
        assert histogram.histogram_value.num == len(mine)
    points = (folder / "board" / "projector" / "examples.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in points[1:]] == [row["memorization"] for row in rows]


@pytest.mark.usefixtures("plain_figures")
def test_one_network_that_fails_does_not_end_the_others(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(job: Any) -> Report:
        return Report(network=1, seconds=0.0, error="it broke") if job.network == 1 else do(job)

    monkeypatch.setattr("lab.pool.run.do", sometimes)
    flags = [*FLAGS.split(), "--networks", "12", "--out", str(tmp_path)]
    done = run_here("pool", *flags)
    assert done.code == 1
    assert done.err.endswith("error: network 1: it broke\n")
    monkeypatch.setattr("lab.pool.run.do", do)
    assert run_here("pool", *flags).code == 0


def test_a_worker_of_another_lab_trains_nothing(tmp_path: Path) -> None:
    from lab.pool.train import Job

    config = resolve(small(tmp_path)).config
    report = do(Job(network=0, config=config, share=0.7, key="00000000"))
    assert report.trained is None
    assert "run the same command again" in report.error
    assert do(Job(network=0, config=config, share=0.7, key=key_of(config))).trained is not None


def test_pictures_that_change_during_a_pool_are_told(tmp_path: Path) -> None:
    from lab.pool.train import Job

    for kind in ("ant", "bee"):
        fill(tmp_path / "own" / kind, 12)
    own = {"data": str(tmp_path / "own"), "num_train": 10, "num_test": 4}
    config = resolve(small(tmp_path, task="person", **own)).config
    key, seen = known_by(config)
    (tmp_path / "own" / "bee" / "001.png").unlink()
    said = do(Job(network=0, config=config, share=0.7, key=key, seen=seen)).error
    assert f"the pictures of --data {tmp_path / 'own'} are not what they were when the pool" in said
    assert "begins anew with the pictures as they are now" in said
    named = replace(config, name="mine")
    said = do(Job(network=0, config=named, share=0.7, key=key, seen=seen)).error
    assert "begins anew (under another --name) with the pictures as they are now" in said


@pytest.mark.usefixtures("plain_figures")
def test_few_networks_say_so_and_no_more(here: None, tmp_path: Path) -> None:
    result = run_pool(small(tmp_path, label_noise=0.01), networks=2)
    said = " ".join(report(result))
    summary = summary_of(result.folder)
    assert summary["all"]["mean_score"]["low"] is None
    assert summary["true_positive_rates"] is None
    assert "nan" not in said
    rows = table(result.folder)
    assert [row["memorization"] for row in rows].count("") == 8


def planted(out: Path, networks: int, how: str) -> Findings:
    """What is found of networks that were never trained, know their members by a table and else
    guess, or go by the rule."""
    run = resolve(small(out, num_train=200, num_test=100))
    train, test = (run.world.load(split, count) for split, count in (("train", 200), ("test", 100)))
    members = torch.stack([membership(k, count=200, share=0.7, seed=0) for k in range(networks)])
    generator = torch.Generator().manual_seed(networks)

    def predicted(labels: Tensor, known: Tensor | bool) -> Tensor:
        shape = (networks, len(labels))
        guesses = torch.rand(shape, generator=generator) < 0.5
        one_class = torch.rand((networks, 1), generator=generator) < 0.5
        right = {
            "guesses": guesses,
            "one class": one_class == (labels == 1),
            "table": (guesses & (torch.rand(shape, generator=generator) < 0.4)) | known,
            "rule": torch.ones(shape, dtype=torch.bool),
        }[how]
        given = torch.where(right, labels, (labels + 1) % len(train.classes))
        noise = 0.1 * torch.rand((*shape, len(train.classes)), generator=generator)
        return torch.nn.functional.one_hot(given, len(train.classes)).float() + noise

    logits = predicted(train.labels, members), predicted(test.clean_labels, False)
    return findings_of(run, (train, test), members, logits)


@pytest.mark.parametrize(("steps", "told"), [(10, True), (18, False)])
def test_members_that_networks_were_never_shown_are_told(
    steps: int, told: bool, tmp_path: Path
) -> None:
    findings = planted(tmp_path, 10, "guesses")
    pool = replace(findings.result.pool, weights_of=torch.full((10,), steps))
    findings = replace(findings, result=replace(findings.result, pool=pool))
    words = "10 of 10 networks took too few steps to be shown all 140 shapes"
    lines = [line for line in sentences(findings) if words in line]
    assert bool(lines) == told
    assert all("one of them 80:" in line for line in lines)


@pytest.mark.usefixtures("here")
def test_with_early_stopping_the_steps_are_those_of_the_kept_weights(tmp_path: Path) -> None:
    """Of a network that ended after 6 steps with the weights of step 0 nothing is said that steps
    to the end would have brought it."""
    config = small(
        tmp_path, steps=40, eval_every=2, early_stopping=2, num_validation=30, learning_rate=0.5,
        stop_at_loss=0.001,
    )  # fmt: skip
    result = run_pool(config, networks=4, processes=1)
    pool = result.pool
    assert (pool.weights_of < pool.steps).all()
    for network, step in enumerate(pool.weights_of.tolist()):
        assert load_checkpoint(PoolDir(result.folder).weights_file(network)).step == step
    findings = Findings.of(result)
    least, most = int(pool.weights_of.min()), int(pool.weights_of.max())
    assert findings.as_dict()["weights_of"] == {"least": least, "most": most}
    said = " ".join(sentences(findings))
    kept = f"{least}" if least == most else f"{least} to {most}"
    assert f"Early stopping kept the weights of {kept} steps" in said
    assert "did not before they were stopped early, or within the most steps" in said
    shown = pool.weights_of * result.run.config.train.batch_size
    short = int((shown < pool.members.sum(dim=1)).sum())
    assert short > 0
    for network in range(4):  # as kept by a version that did not note it
        file = PoolDir(result.folder).file(network)
        with np.load(file) as kept:
            np.savez(file, **{name: kept[name] for name in kept.files if name != "weights_of"})
    old = Findings.of(run_pool(config, networks=4, processes=1))
    assert old.result.seconds == 0, "all are kept"
    assert old.as_dict()["weights_of"] is None
    assert "Early stopping kept" not in " ".join(sentences(old))
    assert f"{short} of 4 networks have the weights of before they were shown all" in said


@pytest.mark.parametrize("networks", [2, 4, 9, 10, 20, 60])
@pytest.mark.parametrize("how", ["guesses", "one class", "table", "rule"])
def test_by_heart_is_said_of_what_is_and_never_of_noise(
    networks: int, how: str, tmp_path: Path
) -> None:
    findings = planted(tmp_path, networks, how)
    said = sentences(findings)
    few = networks < 10
    assert ("are too few" in said[0]) == few
    assert ("--networks 10 on" in said[0]) == few
    assert any("mean score" in line for line in said)
    by_heart = findings.all.by_heart.value
    told = not few and (how == "table" or by_heart == 0)
    assert findings.tells == findings.as_dict()["tells_by_heart"] == told
    assert said[0].startswith("Of the 200 training shapes") == told
    causes = [line for line in said[1:] if "with a wrong label" in line and "by heart" in line]
    assert bool(causes) == told
    assert ("noise" in said[0]) == (not few and not told)
    assert [row[3] for row in part_rows(findings)[1:]].count("—") == (0 if told else 1) * (
        len(part_rows(findings)) - 1
    )
    if how == "table" and not few:
        assert by_heart > 0.85
    if how == "rule":
        assert by_heart == 0


def test_the_networks_that_would_do_are_counted() -> None:
    for share, enough in ((0.7, 10), (0.5, 10), (0.9, 30), (0.2, 20)):
        assert networks_for(3, count=100, share=share, seed=0) == enough
    assert networks_for(3, count=100, share=0.99, seed=0) == 1000


def test_causes_are_told_apart(tmp_path: Path) -> None:
    config = small(tmp_path, num_train=200, cues=("color=red/blue:0.8",))
    world = open_world(config.data, seed=0)
    train = world.load("train", 200)
    found = causes(train, world.cues)
    assert torch.stack(list(found.values())).sum(dim=0).eq(1).all(), "each has one cause"
    assert torch.equal(found["wrong label"], train.mislabeled)
    colors = np.array(train.samples.names("color"))
    clean = train.clean_labels.numpy()
    agrees = np.where(clean == 1, colors == "red", colors == "blue")
    wanted = ~agrees & ~train.mislabeled.numpy()
    assert (found["contradicts a cue"].numpy() == wanted).all()
    assert 20 < wanted.sum() < 60
    assert list(
        causes(open_world(replace(config.data, label_noise=0.0, cues=())).load("train", 9))
    ) == ["ordinary"]


@pytest.mark.usefixtures("plain_figures")
def test_pictures_of_a_folder_have_scores_too(here: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(15):
            pixels = rng.normal(level, 60, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    config = small(
        tmp_path / "pools", task="person", data=str(tmp_path / "photos"), num_train=1000,
        label_noise=0.0,
    )  # fmt: skip
    result = run_pool(config, networks=10)
    findings = Findings.of(result)
    assert len(findings.scores.score) == 24
    assert findings.identity.fresh.value > 0.8
    report(result)
    rows = table(result.folder)
    assert all(Path(row["file"]).name.endswith(".png") for row in rows)


OF_EACH = """
import torch
from torch.nn.functional import cross_entropy
from lab.training import Objective

class OfFourteen(Objective):
    def __init__(self): self.kept = torch.zeros(14)
    def __call__(self, logits, batch):
        self.kept[batch.indices] = 1.0
        return cross_entropy(logits, batch.labels)
"""


@pytest.mark.usefixtures("runs_here")
def test_an_objective_is_tried_on_the_examples_of_one_network(tmp_path: Path) -> None:
    """Each of which is trained on 14 of 20 pictures."""
    (tmp_path / "mine.py").write_text(OF_EACH)
    mine = small(tmp_path / "pools", objective=f"{tmp_path}/mine.py:OfFourteen")
    assert len(run_pool(mine, networks=2, share=0.7, processes=1).pool) == 2
    with pytest.raises(ValueError, match=r"number 14 in batch\.indices"):
        run_pool(replace(mine, seed=1), networks=2, share=0.75, processes=1)
