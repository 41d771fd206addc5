"""The trial of per-example scores in a pool: trained as runs are, kept, compared, told."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor

from lab.experiments.runner.jobs import key_of
from lab.measure import intervals
from lab.measure.example_scores import SCORES
from lab.measure.rank_correlation import rank_correlation, spearman
from lab.measure.second_split import ALL_SCORES
from lab.pool import membership, run_pool
from lab.pool.beside import Beside
from lab.pool.findings import Findings
from lab.pool.run import PoolResult
from lab.pool.score_trial import MEMORIZATION, ScoreTrial, trial_section
from lab.pool.scored import Scored, ScoredJob, scored_runs
from lab.pool.store import Pool
from lab.pool.train import Job, Report, do
from lab.runs.resolve import resolve
from lab.runs.train import start
from support.configs import tiny
from support.executors import Here
from support.pools import visible
from support.scripts import is_a_good_line, run_here

FLAGS = (
    "--task shape --num-train 20 --num-test 30 --image-size 16 --model linear --steps 20"
    " --batch-size 8 --label-noise 0.3 --device cpu --processes 1 --networks 10"
)

SETTINGS: dict[str, Any] = {
    "task": "shape", "num_train": 20, "num_test": 30, "model": "linear", "width": 8, "steps": 20,
    "batch_size": 8, "label_noise": 0.3, "counterfactuals": 48, "pictures": True,
}  # fmt: skip


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, short_bootstraps: None, plain_figures: None) -> None:
    """Let pools train in this process, and be told quickly."""
    for module in ("run", "beside"):
        monkeypatch.setattr(f"lab.pool.{module}.open_executor", lambda name, processes: Here())


def scored_of(pool: PoolResult, runs: int, said: list[str] | None = None) -> Scored | None:
    """The scores of so many trainings beside a pool."""
    beside = Beside(say=(said if said is not None else []).append)
    found, failed = scored_runs(pool, runs=runs, beside=beside)
    assert not failed
    return found


def test_each_training_has_seeds_of_its_own(here: None, tmp_path: Path) -> None:
    config = tiny(tmp_path / "pools", **{**SETTINGS, "label_noise": 0.0})
    scored = scored_of(run_pool(config, networks=2), 2)
    assert scored is not None
    assert len(scored) == 2
    assert all(found.shape == (2, 20) for found in scored.scores.values())
    assert not torch.equal(scored.scores["final_loss"][0], scored.scores["final_loss"][1])
    named: dict[str, Any] = {"config": config, "share": 0.7, "key": ""}
    jobs = [kind(network=k, **named) for k in range(3) for kind in (Job, ScoredJob)]
    assert len({job.seed for job in jobs}) == 6


def test_a_scored_training_is_trained_as_any_run_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the pool's seed for the network, too, its scores are those that the run writes."""
    config = tiny(tmp_path / "runs", **SETTINGS, scores=True)
    folder = start(config).folder
    rows = list(csv.DictReader((folder / "example_scores.csv").read_text().splitlines()))
    monkeypatch.setattr("lab.pool.beside.torch_seed", lambda seed, *name: seed)
    resolved = resolve(config).config
    report = do(ScoredJob(network=7, config=resolved, share=0.7, key=key_of(resolved)))
    assert report.trained is not None, report.error
    for score in SCORES:
        told = torch.tensor([float(row[score.name]) for row in rows], dtype=torch.float64)
        torch.testing.assert_close(report.trained.scores[score.name], told, rtol=1e-5, atol=1e-12)


def test_they_are_kept_added_to_and_made_anew_if_damaged(here: None, tmp_path: Path) -> None:
    config = tiny(tmp_path, **SETTINGS)
    said: list[str] = []
    pool = run_pool(config, networks=2)
    first, more = scored_of(pool, 2), scored_of(pool, 3, said)
    assert first is not None
    assert more is not None
    assert "3 trainings on all 20 shapes, to score each, 2 of them there already" in said
    for name, found in more.scores.items():
        assert torch.equal(found[:2], first.scores[name])
    place = pool.folder / "scored" / "00001.npz"
    before = place.read_bytes()
    for damaged in (b"", before[:200]):
        place.write_bytes(damaged)
        again = scored_of(pool, 3)
        assert again is not None
        assert place.read_bytes() == before
        assert all(torch.equal(again.scores[n], x) for n, x in more.scores.items())
    assert scored_of(pool, 0) is None


def test_those_of_an_earlier_version_are_made_anew(here: None, tmp_path: Path) -> None:
    pool = run_pool(tiny(tmp_path, **SETTINGS), networks=2)
    scored_of(pool, 1)
    place = pool.folder / "scored" / "00000.npz"
    before = place.read_bytes()
    with np.load(place) as kept:
        values = {name: kept[name] for name in kept.files}
    assert values["negative_ssft"].shape == (20,)
    assert values["second_epochs"] >= 1
    np.savez(place, **{**values, "format": np.int64(1)})
    scored_of(pool, 1)
    assert place.read_bytes() == before


def test_one_that_fails_is_told_and_trained_by_the_same_command(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(job: Job) -> Report:
        if job.scores and job.network == 1:
            return Report(network=1, seconds=0.0, error="it broke")
        return do(job)

    flags = [*FLAGS.split(), "--score-runs", "2", "--out", str(tmp_path)]
    monkeypatch.setattr("lab.pool.scored.do", sometimes)
    done = run_here("pool", *flags)
    assert done.code == 1
    assert done.err.endswith(
        "error: network 1 of trainings on all 20 shapes, to score each: it broke\n"
    )
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "findings.json").read_text())["score_trial"]["runs"] == 1
    monkeypatch.setattr("lab.pool.scored.do", do)
    pool = run_pool(tiny(tmp_path, **SETTINGS), networks=10)
    assert pool.folder == folder
    again = scored_of(pool, 2)
    assert again is not None
    assert len(again) == 2


def test_the_command_writes_what_it_says(here: None, tmp_path: Path) -> None:
    flags = [*FLAGS.split(), "--out", str(tmp_path)]
    assert run_here("pool", *flags).code == 0
    (folder,) = tmp_path.iterdir()
    assert "score_trial" not in json.loads((folder / "findings.json").read_text())
    done = run_here("pool", *flags, "--score-runs", "2")
    assert done.code == 0, done.err
    summary = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    trial = summary["score_trial"]
    names = [MEMORIZATION, *(score.name for score in ALL_SCORES)]
    assert list(trial["scores"]) == names
    assert trial["left_out"] == {}
    assert "leaves out" not in done.out
    text = (folder / "score_trial.csv").read_text(encoding="utf-8")
    rows = {(r["score"], r["figure"]): r for r in csv.DictReader(text.splitlines())}
    assert list(rows) == [(n, figure) for n in names for figure in ("auroc", "rank_correlation")]
    scores = list(csv.DictReader((folder / "scores.csv").read_text().splitlines()))
    memorized = np.array([float(row["memorization"]) for row in scores])
    wrong = np.array([row["cause"] == "wrong label" for row in scores])
    kept = [np.load(folder / "scored" / f"0000{k}.npz") for k in range(2)]
    for score in ALL_SCORES:
        values = (kept[0][score.name] + kept[1][score.name]) / 2
        pairs = values[wrong][:, None] - values[~wrong][None, :]
        area = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
        found = trial["scores"][score.name]
        assert found["auroc"]["wrong label"]["value"] == pytest.approx(area)
        assert float(rows[score.name, "auroc"]["value"]) == pytest.approx(area, abs=1e-4)
        wanted = spearmanr(values, memorized).statistic
        assert found["rank_correlation"]["value"] == pytest.approx(wanted, abs=2e-3)
        alone = np.mean([spearmanr(each[score.name], memorized).statistic for each in kept])
        told = found["mean_of_single_trainings"][MEMORIZATION]
        assert told == pytest.approx(alone, abs=2e-3)
    assert (
        trial["scores"][MEMORIZATION]["auroc"]["wrong label"]
        == (summary["causes"]["wrong label"]["above_ordinary"])
    )
    page = (folder / "pool.html").read_text(encoding="utf-8")
    assert "Scores of single trainings" in page
    assert "a second training, on as many shapes that are drawn anew (" in visible(page)
    assert trial["second_epochs"] == [int(each["second_epochs"]) for each in kept]
    for line in summary["sentences"][-2:]:
        assert line in " ".join(done.out.split())
        assert " ".join(line.split()) in visible(page)
    assert str(folder / "score_trial.csv") in done.out


NETWORK = """import torch
from torch import nn

class Net(nn.Linear):
    def forward(self, x):
        if self.training:
            return super().forward(x.flatten(1))
        with torch.inference_mode():
            return super().forward(x.flatten(1))

def net(spec):
    return Net(3 * spec.image_size**2, spec.num_outputs)
"""


def test_scores_that_the_networks_do_not_have_are_left_out(here: None, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    config = tiny(tmp_path / "pools", **{**SETTINGS, "model": f"{tmp_path / 'net.py'}:net"})
    pool = run_pool(config, networks=10)
    said: list[str] = []
    first = scored_of(pool, 2, said)
    assert first is not None
    (warning,) = (line for line in said if line.startswith("warning: "))
    assert "--score-runs leaves out gradient norm (GraNd), because" in warning
    assert "and loss curvature, because" in warning
    assert set(first.left_out) == {"gradient_norm", "curvature"}
    assert set(first.scores) == {score.name for score in ALL_SCORES} - set(first.left_out)
    before = (pool.folder / "scored" / "00000.npz").stat().st_mtime_ns
    again = scored_of(pool, 2)
    assert again is not None
    assert again.left_out == first.left_out
    assert all(torch.equal(again.scores[name], found) for name, found in first.scores.items())
    assert (pool.folder / "scored" / "00000.npz").stat().st_mtime_ns == before, "it is kept"
    section, failed = trial_section(Findings.of(pool), runs=2, beside=Beside())
    assert section is not None
    assert not failed
    assert set(section.summary["left_out"]) == {"gradient norm (GraNd)", "loss curvature"}
    assert list(section.summary["scores"]) == [MEMORIZATION, *first.scores]
    assert sum(line.startswith("Left out: ") for line in section.sentences) == 2
    assert any(f"Of {len(first.scores)} scores of 2 trainings" in s for s in section.sentences)


@pytest.mark.parametrize("runs", ["-1", "1001"])
def test_bad_input_is_told_in_a_line_and_nothing_is_written(tmp_path: Path, runs: str) -> None:
    words = [*FLAGS.split(), "--score-runs", runs, "--out", str(tmp_path / "pools")]
    done = run_here("pool", *words)
    assert done.code == 2
    assert f"--score-runs must be 0 to 1,000, not {runs}" in done.err
    is_a_good_line(done.err.rstrip("\n"))
    assert not (tmp_path / "pools").exists()


def planted(tmp_path: Path) -> tuple[Findings, Tensor]:
    """A pool whose networks know half of the wrong labels by heart, and which examples these are:
    all others they predict by the rule."""
    run = resolve(tiny(tmp_path, **{**SETTINGS, "num_train": 200, "label_noise": 0.4}))
    train, test = run.world.load("train", 200), run.world.load("test", 30)
    members = torch.stack([membership(k, count=200, share=0.7, seed=0) for k in range(20)])
    known = train.mislabeled & (torch.arange(200) % 2 == 0)

    def one_hot(labels: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(labels, len(train.classes)).float()

    by_rule = one_hot(train.clean_labels)
    given_ = one_hot(train.labels)
    by_heart = (members & known)[:, :, None]
    pool = Pool(
        networks=tuple(range(20)), members=members,
        train_logits=torch.where(by_heart, given_, by_rule),
        test_logits=one_hot(test.clean_labels).expand(20, -1, -1),
        steps=torch.zeros(20, dtype=torch.int64), weights_of=torch.zeros(20, dtype=torch.int64),
        fitted=torch.zeros(20, dtype=torch.bool),
        losses=torch.ones(20),
    )  # fmt: skip
    result = PoolResult(
        folder=tmp_path, run=run, share=0.7, pool=pool, train=train, test=test, seconds=0.0,
        failed=(),
    )  # fmt: skip
    return Findings.of(result), known


def scored_by(scores: dict[str, Tensor]) -> Scored:
    """Trainings with these scores, of a step and an epoch each."""
    ones = torch.ones(len(scores["el2n"]), dtype=torch.int64)
    return Scored(scores=scores, steps=ones, second_epochs=ones)


def test_causes_are_compared_with_each_other(tmp_path: Path) -> None:
    findings, known = planted(tmp_path)
    wrong = findings.causes["wrong label"]
    parts = {"wrong label": replace(wrong, members=known),
             "rare": replace(wrong, members=wrong.members & ~known)}  # fmt: skip
    findings = replace(findings, causes={"ordinary": findings.causes["ordinary"], **parts})
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(1, 200, generator=generator, dtype=torch.float64)
    scores = {score.name: noise for score in ALL_SCORES}
    scores["el2n"] = noise + 2.0 * known
    trial = ScoreTrial.of(findings, scored_by(scores))
    rows = {row.name: row for row in trial.rows}
    assert list(rows["el2n"].over) == ["wrong label"], "each pair once"
    assert rows["el2n"].over["wrong label"]["rare"].value == 1
    assert rows[MEMORIZATION].over["wrong label"]["rare"].value == 1
    one, other = (noise[0, part.members].tolist() for part in parts.values())
    above = sum(a > b for a in one for b in other) / len(one) / len(other)
    told = trial.as_dict()["scores"]["curvature"]["auroc_over"]["wrong label"]["rare"]
    assert told["value"] == pytest.approx(above)


def test_the_best_scores_are_named_and_the_worst_are_not(tmp_path: Path) -> None:
    """One planted score tells wrong labels, another what is known by heart, all others nothing."""
    findings, known = planted(tmp_path)
    wrong = findings.result.train.mislabeled
    generator = torch.Generator().manual_seed(1)
    scores = {
        score.name: torch.rand(3, 200, generator=generator, dtype=torch.float64)
        for score in ALL_SCORES
    }
    scores["el2n"] = scores["el2n"] + 2.0 * wrong
    scores["curvature"] = scores["curvature"] + 2.0 * known
    trial = ScoreTrial.of(findings, scored_by(scores))
    assert trial.best["wrong label"][0].name == "el2n"
    assert trial.best[MEMORIZATION][0].name == "curvature"
    rows = {row.name: row for row in trial.rows}
    assert rows["el2n"].areas["wrong label"].value == 1
    assert rows[MEMORIZATION].areas["wrong label"].value == pytest.approx(
        0.5 + known.sum().item() / wrong.sum().item() / 2
    )
    assert rows[MEMORIZATION].agreement.value == pytest.approx(1)
    assert rows["gradient_norm"].areas["wrong label"].interval[0] < 0.5
    for what, (row, wide) in trial.best.items():
        usual = row.agreement if what == MEMORIZATION else row.areas[what]
        assert wide.value == usual.value
        assert wide.interval[1] - wide.interval[0] >= usual.interval[1] - usual.interval[0]
    first, last = trial.sentences()
    assert "finds shapes with a wrong label best is error norm (EL2N)" in first
    assert "more often" in first
    assert "agrees most with the memorization score is loss curvature" in last


VALUES = st.lists(st.integers(-4, 4), min_size=3, max_size=12)


@given(VALUES, st.randoms(use_true_random=False))
def test_spearman_is_that_of_scipy(values: list[int], chance: Any) -> None:
    others = [chance.randint(-3, 3) for _ in values]
    one, other = torch.tensor(values).double(), torch.tensor(others).double()
    found = spearman(one, other)
    if len(set(values)) == 1 or len(set(others)) == 1:
        assert math.isnan(found)
        return
    assert found == pytest.approx(spearmanr(values, others).statistic)
    assert spearman(one.exp(), other) == pytest.approx(found), "it goes by the order alone"
    assert spearman(-one, other) == pytest.approx(-found)


def test_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of normal pairs with correlation r, Spearman's is 6 / pi asin(r / 2)."""
    r, truth = 0.6, 6 / math.pi * math.asin(0.3)
    generator = torch.Generator().manual_seed(0)
    hits, times = 0, 30
    for _ in range(times):
        x = torch.randn(60, 2, generator=generator, dtype=torch.float64)
        found = rank_correlation(x[:, 0], r * x[:, 0] + math.sqrt(1 - r * r) * x[:, 1])
        hits += found.interval[0] <= truth <= found.interval[1]
    assert hits >= 0.8 * times


def test_areas_among_several_are_wider() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(40, generator=generator) + shift for shift in (0.0, 0.7))
    for smaller, larger in ((one, other), (one, one + 100)):
        usual, wide = (intervals.area(smaller, larger, among=n) for n in (1, 8))
        assert usual.value == wide.value
        assert wide.interval[0] < usual.interval[0]
        assert wide.interval[1] >= usual.interval[1]
    with pytest.raises(ValueError, match="3 values of one measure, 2 of the other"):
        spearman(torch.zeros(3), torch.zeros(2))
