"""Networks beside a pool's: without some faces, once more, on the whole set; kept, and judged."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lab.core.config import RunConfig
from lab.measure.attribution import attribution, list_attributions
from lab.pool import run_pool
from lab.pool.attribution import attribution_section, check_runs
from lab.pool.beside import Beside, again, like_those_of, whole, without
from lab.pool.findings import Findings
from lab.pool.removal import Removal, check_removal, removal_section, section_of
from lab.pool.run import PoolResult
from lab.pool.train import Job, Report, do
from lab.pool.whole import MOST, _Collector, do_whole, whole_networks
from support.configs import tiny
from support.executors import Here
from support.pools import files
from support.scripts import is_a_good_line, run_here

FLAGS = (
    "--task shape --num-train 20 --num-test 30 --image-size 16 --model mlp --width 1 --steps 10"
    " --batch-size 8 --label-noise 0.3 --device cpu --processes 1"
)


pytestmark = pytest.mark.usefixtures("short_bootstraps", "plain_figures")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be trained in this process."""
    for module in ("run", "beside"):
        monkeypatch.setattr(f"lab.pool.{module}.open_executor", lambda name, processes: Here())


def config_of(out: Path, **changes: Any) -> RunConfig:
    """A small pool's settings."""
    usual: dict[str, Any] = {
        "task": "shape", "num_train": 20, "num_test": 30, "model": "mlp", "steps": 20,
        "batch_size": 8, "label_noise": 0.3,
    }  # fmt: skip
    return tiny(out, **{**usual, **changes})


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> PoolResult:
    """A pool of 20 networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
        return run_pool(config_of(tmp_path_factory.mktemp("pools")), networks=20)


def test_which_examples_they_are_trained_on(pool: PoolResult) -> None:
    job = like_those_of(pool)
    assert whole(job, 3).members(20).all()
    assert torch.equal(again(job, 3).members(20), pool.pool.members[3])
    left = without(job, 3, [1, 5])
    assert (~left.members(20)).nonzero()[:, 0].tolist() == [1, 5]
    seeds = {each.seed for each in (whole(job, 3), again(job, 3), left, again(job, 4))}
    assert len(seeds) == 4
    assert {each.network for each in (whole(job, 3), again(job, 3), left)} == {3}


def test_they_are_trained_by_the_code_of_the_pool(pool: PoolResult) -> None:
    """A network that leaves out what a pool's network leaves out, with its seed, is that one."""
    job = like_those_of(pool)
    out = (~pool.pool.members[2]).nonzero()[:, 0].tolist()

    class Same(type(without(job, 2, out))):  # type: ignore[misc]
        seed = Job(**{**vars(job), "network": 2}).seed

    same = do(Same(**vars(without(job, 2, out))))
    assert same.trained is not None
    assert torch.equal(same.trained.test_logits, pool.pool.test_logits[2])
    other = do(without(job, 2, out))
    assert other.trained is not None
    assert not torch.equal(other.trained.test_logits, pool.pool.test_logits[2])


def test_checkpoints_are_those_of_the_training(pool: PoolResult) -> None:
    report = do_whole(whole(like_those_of(pool), 0))
    assert report.checkpoints is not None
    assert report.trained is not None
    steps = list(report.checkpoints.steps)
    assert steps == sorted(set(steps))
    assert 0 not in steps
    assert steps[-1] == report.trained.step == 20
    first, last = report.checkpoints.weights[0], report.checkpoints.weights[-1]
    assert any(not torch.equal(first[name], last[name]) for name in first)
    networks, failed = whole_networks(pool, runs=1, beside=Beside())
    assert not failed
    kept = networks[0].weights[-1]
    assert all(torch.equal(kept[name], last[name]) for name in last)
    with torch.no_grad():
        logits = networks[0].trained()(pool.test.images.float() / 127.5 - 1)
    assert torch.allclose(logits, report.trained.test_logits, atol=1e-5)


@pytest.mark.parametrize("count", [1, 5, 10, 11, 40, 41, 333])
def test_so_many_checkpoints_at_even_distances(count: int) -> None:
    collector = _Collector()
    layer = nn.Linear(1, 1)
    for _ in range(count):
        collector(layer)
    numbers = collector.numbers
    assert len(numbers) == len(collector.weights) <= MOST + 1
    assert numbers[0] == 0
    assert numbers[-1] == count - 1
    assert len({b - a for a, b in pairwise(numbers[:-1])}) <= 1
    assert count <= MOST or len(numbers) > MOST / 2


def test_removal_is_kept_and_continued(pool: PoolResult, monkeypatch: pytest.MonkeyPatch) -> None:
    findings, said = Findings.of(pool), list[str]()
    beside = Beside(say=said.append)
    calls = [0]

    def interrupted(job: Job) -> Report:
        calls[0] += 1
        if calls[0] > 3:
            raise KeyboardInterrupt
        return do(job)

    monkeypatch.setattr("lab.pool.beside.do", interrupted)
    with pytest.raises(KeyboardInterrupt):
        removal_section(findings, faces=4, runs=3, beside=beside)
    monkeypatch.setattr("lab.pool.beside.do", do)
    section, failed = removal_section(findings, faces=4, runs=3, beside=beside)
    assert section is not None
    assert not failed
    assert section.summary["left_out"] == 4
    assert section.summary["networks_of_each_kind"] == 3
    random, memorized = (section.summary[f"without_{kind}"] for kind in ("random", "memorized"))
    assert section.summary["difference"]["value"] == pytest.approx(
        memorized["value"] - random["value"]
    )
    before = files(pool.folder / "without")
    assert len(before) == 6
    monkeypatch.setattr("lab.pool.beside.do", interrupted)  # nothing is left to do
    again_section, _ = removal_section(findings, faces=4, runs=3, beside=beside)
    assert again_section == section
    assert files(pool.folder / "without") == before
    assert any(line.endswith("3 of them there already") for line in said)


def test_a_planted_difference_is_found_and_none_where_there_is_none() -> None:
    generator = torch.Generator().manual_seed(0)
    ease = torch.rand(300, generator=generator)
    memorized, random = (
        torch.rand(10, 300, generator=generator) < (ease + more).clamp(0, 1) for more in (-0.1, 0.0)
    )
    found = Removal.of(memorized, random)
    low, high = found.difference.interval
    assert low < -0.06
    assert high < 0
    wanted = memorized.double().mean() - random.double().mean()
    assert found.difference.value == pytest.approx(float(wanted))
    same = torch.rand(10, 300, generator=generator) < ease
    low, high = Removal.of(same, random).difference.interval
    assert low < 0 < high


@pytest.mark.parametrize("networks", [2, 3, 5, 10])
def test_few_networks_that_differ_are_seldom_told_to_differ_by_what_they_lack(
    networks: int,
) -> None:
    """Two sets of networks of one kind, some of which are better than others."""
    generator = torch.Generator().manual_seed(networks)
    ease, told, trials = torch.rand(1000, generator=generator), 0, 300
    for _ in range(trials):
        more = 0.05 * torch.randn(2 * networks, 1, generator=generator)
        hits = torch.rand(2 * networks, 1000, generator=generator) < ease + more
        low, high = Removal.of(hits[:networks], hits[networks:]).difference.interval
        told += low > 0 or high < 0
    assert told / trials < 0.085


def test_networks_that_all_answer_alike_have_no_interval_in_the_removal() -> None:
    """As with early stopping that kept untrained ones: none is told as one without ends."""
    alike = torch.tensor([True, False]).repeat(3, 50)
    found = Removal.of(alike, alike)
    assert math.isinf(found.difference.interval[0])
    section = section_of(found, faces=4, wrong=0, noun="shapes", count=20)
    told = [*section.sentences, *(cell for row in section.rows for cell in row)]
    assert not any("inf" in text for text in told)
    assert "The difference is +0.0 percentage points: no difference" in section.sentences[0]


class Noting(nn.Linear):
    """A layer that keeps more than tensors in its state."""

    def get_extra_state(self) -> dict[str, int]:
        """A number."""
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Nothing."""


def test_checkpoints_hold_what_is_no_tensor_too() -> None:
    layer, collector = Noting(2, 2), _Collector()
    collector(layer)
    kept = collector.weights[0]
    assert kept.keys() == layer.state_dict().keys()
    layer.load_state_dict(kept)


def test_the_trial_judges_every_method(pool: PoolResult) -> None:
    section, failed = attribution_section(Findings.of(pool), runs=2, beside=Beside())
    assert section is not None
    assert not failed
    assert section.summary["runs"] == 2
    assert section.summary["networks"] == 20
    assert set(section.summary["methods"]) == {
        "influence_functions", "neighbors", "tracin", "trak",
    }  # fmt: skip
    rows = list(csv.DictReader(section.files["attribution.csv"].splitlines()))
    values = [float(row["score"]) for row in rows[:4]]
    assert values == sorted(values, reverse=True)
    assert all(-1 <= value <= 1 for value in values)
    for row in rows[:4]:
        assert float(row["score"]) == pytest.approx(
            section.summary["methods"][row["attribution"]]["value"], abs=1e-4
        )
    assert len(files(pool.folder / "again")) == 20
    assert "the best is" in section.sentences[0]


NETWORKS = """import torch
from torch import nn
from torch.func import functional_call

class Mixed(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.one = nn.Linear(3 * spec.image_size**2, 4)
        self.end = nn.Linear(4, spec.num_outputs).double()

    def forward(self, x):
        return self.end(torch.tanh(self.one(x.flatten(1))).double())

class Averaged(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.net = nn.Linear(3 * spec.image_size**2, spec.num_outputs, bias=False)
        self.register_buffer("mean", self.net.weight.detach().clone())

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(self.net.weight, 0.5)
            return self.net(x.flatten(1))
        return functional_call(self.net, {"weight": self.mean}, (x.flatten(1),))

def mixed(spec):
    return Mixed(spec)

def averaged(spec):
    return Averaged(spec)
"""


def test_the_trial_judges_networks_with_weights_in_float64(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    words = [*FLAGS.replace("mlp", f"{tmp_path / 'nets.py'}:mixed").split(), "--networks", "16"]
    words.remove("--width"), words.remove("1")
    done = run_here("pool", *words, "--out", str(tmp_path / "pools"), "--attribution-runs", "1")
    assert done.code == 0, done.err
    (folder,) = (tmp_path / "pools").iterdir()
    summary = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert set(summary["attribution"]["methods"]) == set(list_attributions())
    assert not summary["attribution"]["left_out"]


def test_methods_that_need_gradients_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    config = config_of(tmp_path / "pools", model=f"{tmp_path / 'nets.py'}:averaged")
    section, failed = attribution_section(
        Findings.of(run_pool(config, networks=16)), runs=1, beside=Beside()
    )
    assert section is not None
    assert not failed
    assert set(section.summary["left_out"]) == {"TracIn", "TRAK"}
    assert set(section.summary["methods"]) == {"influence_functions", "neighbors"}
    told = [line for line in section.sentences if line.startswith("Left out:")]
    assert len(told) == 2
    assert all("no gradients lead from its answers in eval mode" in line for line in told)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda case: case.images.nothing, "it fails: AttributeError: "),
        (lambda case: torch.eye(3), "it fails: RuntimeError: "),
        (lambda case: torch.zeros(20, 30), "it says the same of all training shapes"),
        (lambda case: torch.full((20, 30), math.nan), "some of what it says are no finite numbers"),
    ],
)
def test_a_method_that_fails_is_left_out_and_told(
    pool: PoolResult, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Any], Any], why: str
) -> None:
    tracin = replace(attribution("tracin"), method=broken)
    monkeypatch.setattr(
        "lab.pool.attribution.attribution",
        lambda name: tracin if name == "tracin" else attribution(name),
    )
    section, failed = attribution_section(Findings.of(pool), runs=2, beside=Beside())
    assert section is not None
    assert not failed
    assert list(section.summary["left_out"]) == ["TracIn"]
    assert section.summary["left_out"]["TracIn"].startswith(why)
    assert len(section.summary["methods"]) == 3
    assert not any("TracIn" in row[0] for row in section.rows)


@pytest.mark.parametrize(
    "name", ["score_trial.trial", "removal.removal", "attribution.attribution"]
)
def test_a_measure_that_fails_does_not_take_the_page_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("nowhere")

    monkeypatch.setattr(f"lab.pool.{name}_section", broken)
    words = [*FLAGS.split(), "--networks", "16", "--out", str(tmp_path), "--without-memorized", "4"]
    words += ["--without-runs", "2", "--attribution-runs", "1", "--score-runs", "1"]
    done = run_here("pool", *words)
    assert done.code == 1
    (folder,) = tmp_path.iterdir()
    summary = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert (folder / "pool.html").exists()
    flags = {"score_trial": "--score-runs", "removal": "--without-memorized"}
    kind = name.partition(".")[0]
    assert {"score_trial", "removal", "attribution"} - summary.keys() == {kind}
    (line,) = (each for each in done.err.splitlines() if each.startswith("error: "))
    is_a_good_line(line, "nowhere")
    assert flags.get(kind, "--attribution-runs") in line
    assert "KeyError: 'nowhere'" in line


def test_the_command_says_and_keeps_both(tmp_path: Path) -> None:
    words = [*FLAGS.split(), "--networks", "16", "--out", str(tmp_path), "--without-memorized", "4"]
    words += ["--without-runs", "2", "--attribution-runs", "1"]
    done = run_here("pool", *words)
    assert done.code == 0, done.err
    (folder,) = tmp_path.iterdir()
    summary = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    page = (folder / "pool.html").read_text(encoding="utf-8")
    said = " ".join(done.out.split())
    assert "2 networks without the 4 most memorized shapes" in said
    assert "2 networks without 4 random ones" in said
    for name in ("influence", "removal", "attribution"):
        assert name in summary
    for sentence in summary["sentences"]:
        assert sentence in said
    assert "Attribution methods on trial" in page
    assert "What the memorized shapes are good for" in page
    before = files(folder)
    assert run_here("pool", *words).code == 0
    after = files(folder)
    rest = {"attribution.csv", "pool.html"}  # with processor seconds
    assert {k: v for k, v in before.items() if k not in rest} == {
        k: v for k, v in after.items() if k not in rest
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--without-memorized 11", "--without-memorized must be 0 to 10"),
        ("--without-memorized -1", "--without-memorized must be 0 to 10"),
        ("--without-memorized 2 --without-runs 1", "--without-runs must be 2 to 1,000, not 1"),
        ("--attribution-runs -1", "--attribution-runs must be 0 to 1,000, not -1"),
        ("--attribution-runs 1 --networks 9", "--attribution-runs 1 needs --networks 16 or more"),
    ],
)
def test_bad_input_is_told_in_a_line(tmp_path: Path, words: str, said: str) -> None:
    done = run_here("pool", *FLAGS.split(), "--out", str(tmp_path / "pools"), *words.split())
    assert done.code == 2
    assert said in done.err
    is_a_good_line(done.err.rstrip("\n"))
    assert not (tmp_path / "pools").exists()


def test_what_fails_is_told(pool: PoolResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job) -> Report:
        return Report(network=job.network, seconds=0.0, error="it broke")

    monkeypatch.setattr("lab.pool.beside.do", broken)
    section, failed = removal_section(Findings.of(pool), faces=5, runs=2, beside=Beside())
    assert section is None
    assert failed[0] == "network 0 of networks without the 5 most memorized shapes: it broke"
    assert len(failed) == 4
    check_removal(0, 2, num_train=4)
    check_runs(0, networks=2)
