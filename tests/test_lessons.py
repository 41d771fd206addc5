"""Lessons: what counts as confirmed, and that each lesson's runs, checks and figures can work."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import scipy.stats

from lab.core.estimate import Estimate
from lab.experiments import Cell, Job, Plan, Run, Table, make_grid, make_jobs
from lab.experiments.lessons import (
    Claim,
    Guess,
    Lesson,
    at_least,
    falls,
    find_lesson,
    greater,
    if_confirmed,
    list_lessons,
    near,
    rises,
    teach,
    to_markdown,
    together,
)
from lab.experiments.lessons.book.which_cue import same_winner
from lab.experiments.lessons.claims import every, leads, none_exceeds, slopes, some_exceed
from lab.experiments.lessons.guess import bin_of
from lab.experiments.plan import PoolPlan
from lab.experiments.runner.run import check_jobs
from lab.training import evaluation_steps
from support.configs import tiny as settings

A = np.array([0.90, 0.92, 0.91])
NOISE = np.array([0.05, -0.30, 0.40])
J = np.array([0.004, -0.003, 0.002])
"""A little noise: differences that are the same in all seeds decide nothing."""


def test_a_difference_is_decided_seed_by_seed() -> None:
    shared = np.array([0.1, 0.5, 0.9])  # what seeds share does not count
    assert greater("", shared + A, shared).verdict == "confirmed"
    assert greater("", shared, shared + A).verdict == "refuted"
    assert greater("", shared + NOISE, shared).verdict == "not enough evidence"
    assert greater("", shared + A, shared, by=0.95).verdict == "refuted"
    assert greater("", np.array([np.nan, 1, 1]), shared).verdict == "not enough evidence"


def test_the_best_of_equals_is_not_confirmed_to_be_better() -> None:
    """Of many equal settings the one that happened to do best would be, nearly always."""
    random = np.random.default_rng(0)
    own = wide = first = 0
    for _ in range(400):
        values, there = random.normal(size=(20, 8)), random.normal(size=8)
        options = {str(number): row for number, row in enumerate(values)}
        own += greater("", values.max(axis=0), there).verdict == "confirmed"
        wide += some_exceed("", options, there).verdict == "confirmed"
        first += leads("", options).verdict == "confirmed"
    assert own > 350
    assert wide < 0.05 * 400
    assert first < 0.05 * 400


def test_one_that_is_better_is_found_and_named() -> None:
    options = {"low": A - 0.5 + J, "high": A + 0.3 + J, "equal": A + NOISE}
    claim = some_exceed("", options, A)
    assert claim.verdict == "confirmed"
    assert claim.evidence.startswith("high: ")
    assert some_exceed("", {"low": A - 0.5 + J, "lower": A - 0.6 + J}, A).verdict == "refuted"
    assert (
        some_exceed("", {"low": A - 0.5 + J, "equal": A + NOISE}, A).verdict
        == "not enough evidence"
    )
    assert leads("", {"first": A + 0.3 + J, "a": A, "b": A - 0.1 + J}).verdict == "confirmed"
    assert leads("", {"first": A + NOISE, "a": A}).verdict == "not enough evidence"


def test_that_none_is_better_is_the_opposite() -> None:
    options = {"low": A - 0.5 + J, "lower": A - 0.6 + J}
    assert none_exceeds("", options, A).verdict == "confirmed"
    assert none_exceeds("", {**options, "high": A + 0.3 + J}, A).verdict == "refuted"
    assert none_exceeds("", {**options, "equal": A + NOISE}, A).verdict == "not enough evidence"


def test_the_wider_interval_is_bonferronis() -> None:
    low, high = scipy.stats.t.interval(1 - 0.05 / 3, 2, NOISE.mean(), scipy.stats.sem(NOISE))
    claim = some_exceed("", {"a": A - 9, "b": A - 8, "c": A + NOISE}, A)
    assert f"({low:.3f} to {high:.3f}), for the best of 3" in claim.evidence


def test_winners_that_differ_are_not_the_same() -> None:
    one = {"sky": A + 0.3 + J, "skin": A}
    other = {"sky": A, "skin": A + 0.3 + J}
    assert same_winner({"a": one, "b": one}).verdict == "confirmed"
    assert same_winner({"a": one, "b": other}).verdict == "refuted"
    torn = {"sky": A + NOISE, "skin": A}
    assert same_winner({"a": one, "b": torn}).verdict == "not enough evidence"


def test_of_many_claims_every_one_must_hold() -> None:
    good, bad, open_ = (at_least("", values, 0.5) for values in (A, A - 0.8, A - 0.41))
    assert (good.verdict, bad.verdict, open_.verdict) == (
        "confirmed", "refuted", "not enough evidence",
    )  # fmt: skip
    assert every("", {"a": good, "b": good}).verdict == "confirmed"
    assert every("", {"a": good, "b": open_}).verdict == "not enough evidence"
    told = every("all", {"a": good, "b": bad})
    assert told.verdict == "refuted"
    assert told.evidence == f"a {good.evidence}; b {bad.evidence} (refuted)"


def test_what_was_never_reached_is_said() -> None:
    claim = greater("", np.array([np.nan, 2.0, 3.0]), np.ones(3))
    assert (claim.verdict, claim.evidence) == (
        "not enough evidence", "without a number in 1 of 3 seeds",
    )  # fmt: skip


def test_the_interval_is_that_of_scipy() -> None:
    low, high = scipy.stats.t.interval(0.95, 2, A.mean(), scipy.stats.sem(A))
    assert f"({low:.3f}–{high:.3f})" in at_least("", A, 0.5).evidence


def test_a_bound_and_a_place() -> None:
    assert at_least("", np.ones(3), 1.0).verdict == "confirmed"
    assert at_least("", A, 0.99).verdict == "refuted"
    assert at_least("", A, 0.91).verdict == "not enough evidence"
    assert near("", A, 0.9, within=0.1).verdict == "confirmed"
    assert near("", A, 0.5, within=0.1).verdict == "refuted"
    assert near("", NOISE, 0.0, within=0.1).verdict == "not enough evidence"


def test_seeds_that_all_agree_establish_nothing_alone() -> None:
    """Their interval has no width because their spread is not known, not because there is none; but
    a share of 1 in all seeds can be no higher, nor one of 0 lower."""
    same, other, zero = np.full(3, 0.95), np.full(3, 0.5), np.zeros(3)
    xs = [1.0, 2.0]
    for claim in (
        greater("", same, other), greater("", other, same), at_least("", same, 0.9),
        at_least("", other, 0.9), near("", other, 0.5, within=0.1), near("", same, 0.5, within=0.1),
        rises("", xs, [other, same]), falls("", xs, [other, same]),
        some_exceed("", {"a": same, "b": other - 0.1}, other), leads("", {"a": same, "b": other}),
        none_exceeds("", {"a": other}, same),
    ):  # fmt: skip
        assert claim.verdict == "not enough evidence", claim
    named = some_exceed("", {"same": A.round(0), "apart": A - 0.05}, other)
    assert named.verdict == "confirmed"
    assert named.evidence.startswith("apart: "), "not the one of which nothing is known"
    assert at_least("", np.ones(3), 0.99).verdict == "confirmed"
    assert at_least("", zero, 0.9).verdict == "refuted"
    assert [bin_of(values, (0.4, 0.6)) for values in (same, np.ones(3), zero, A)] == [None, 2, 0, 2]
    assert bin_of(zero, (0.05, 0.2), ends=(-1, 1)) is None, "differences of 0"


def test_a_slope_is_that_of_scipy_for_each_seed() -> None:
    xs, values = [1.0, 2.0, 4.0], [np.array([1.0, 5.0]), np.array([2.0, 3.0]), np.array([2.5, 0])]
    expected = [scipy.stats.linregress(xs, [v[s] for v in values]).slope for s in range(2)]
    np.testing.assert_allclose(slopes(xs, values), expected)
    up = [A, A + 0.1 + J, A + 0.2 - J]
    assert rises("", xs, up).verdict == falls("", xs, up[::-1]).verdict == "confirmed"
    assert rises("", xs, up[::-1]).verdict == falls("", xs, up).verdict == "refuted"
    wild = [A, A + NOISE, A - NOISE]
    assert rises("", xs, wild).verdict == falls("", xs, wild).verdict == "not enough evidence"


def test_a_lesson_is_confirmed_if_all_of_it_is() -> None:
    yes, no, open_ = (
        Claim("", word, "") for word in ("confirmed", "refuted", "not enough evidence")
    )  # type: ignore[arg-type]
    assert together([yes, yes]) == "confirmed"
    assert together([yes, no, open_]) == "refuted"
    assert together([yes, open_]) == together([]) == "not enough evidence"


class Planted(dict[str, Estimate]):
    """Final figures of a run: any tag that is asked for, from a fixed random value."""

    def __missing__(self, tag: str) -> Estimate:
        self[tag] = Estimate.point(float(np.random.default_rng(crc32(tag.encode())).uniform(0.5)))
        return self[tag]

    def __contains__(self, tag: object) -> bool:
        return True


def write_history(folder: Path, job: Job) -> None:
    """What a run leaves of its evaluations."""
    tags = ("accuracy/train", "accuracy/test", "accuracy/validation", "accuracy/conflicting",
            "memorization/mislabeled_fitted",
            "memorization/mislabeled_true_label")  # fmt: skip
    train = job.config.train
    assert train.steps is not None
    steps = evaluation_steps(train.steps, train.eval_every)
    lines = [
        {"step": step, **dict.fromkeys(tags, 0.4 + 0.6 * step / train.steps)} for step in steps
    ]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def write_scores(folder: Path, job: Job) -> None:
    """What a pool leaves of its faces."""
    scores = np.random.default_rng(crc32(job.key.encode())).uniform(-1, 1, size=(50, 2))
    rows = ["first_half,second_half", *(",".join(map(str, row)) for row in scores.tolist())]
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")


def planted(plan: Plan, folder: Path) -> Table:
    """A table as if the runs had been done, with a short history each, or the pools."""
    cells: dict[Any, Cell] = {}
    for number, job in enumerate(make_jobs(plan.base, make_grid(plan.grid), seeds=3, out=folder)):
        folder_ = folder / str(number)
        folder_.mkdir(parents=True)
        (write_scores if isinstance(plan, PoolPlan) else write_history)(folder_, job)
        run = Run(job.config.seed, folder_, Planted())
        key = tuple(map(repr, job.settings.values()))
        old = cells.get(key)
        cells[key] = Cell(job.settings, job.config, (*(old.runs if old else ()), run))
    return Table(make_grid(plan.grid), folder, tuple(cells.values()))


@pytest.mark.parametrize("name", list_lessons())
def test_each_lesson_can_be_taken(name: str, tmp_path: Path) -> None:
    """Its runs are possible, and its check and figure work on what they would leave."""
    lesson = find_lesson(name)
    tables = {}
    for key, plan in lesson.plans.items():
        jobs = make_jobs(plan.base, make_grid(plan.grid), seeds=3, out=tmp_path)
        check_jobs(jobs[:1] + jobs[-1:])
        tables[key] = planted(plan, tmp_path / key)
    claims = lesson.check(tables)
    assert claims
    assert all(claim.text and claim.evidence for claim in claims)
    answer = lesson.guess.answer(tables, claims)
    assert answer is None or 0 <= answer < len(lesson.guess.choices)
    lesson.plot(tables, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
    assert lesson.question.endswith("?")
    assert lesson.duration.endswith((" s", " min"))


def tiny(out: Path) -> Lesson:
    base = settings(out, num_train=16, batch_size=64)
    return dataclasses.replace(
        find_lesson("scarce_data"),
        plans={"sizes": Plan(base, {"num_train": (8, 16)})},
        check=lambda tables: [
            near("a guess", tables["sizes"].cells[0].values("loss/test"), 0.7, within=50.0)
        ],
        guess=Guess(("less", "more"), if_confirmed(1)),
        plot=lambda tables, path: path.write_bytes(b"drawn"),
    )


@pytest.mark.usefixtures("runs_here")
def test_a_lesson_asks_first_and_its_runs_are_kept(tmp_path: Path) -> None:
    said: list[str] = []
    outcome = teach(
        "tiny", tiny(tmp_path), out=tmp_path, seeds=2, processes=1, say=said.append, watch=False
    )
    assert "Before you look" in said[0]
    assert outcome.verdict == "confirmed"
    stored = json.loads((tmp_path / "lesson.json").read_text())
    assert stored["claims"][0]["verdict"] == "confirmed"
    assert stored["answer"] == 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}
    assert len(before) == 4
    with (tmp_path / "cells-sizes.csv").open(encoding="utf-8", newline="") as file:
        found = {(row["num_train"], row["metric"]): row for row in csv.DictReader(file)}
    for size in ("8", "16"):
        values = [
            json.loads(path.read_text())["accuracy"]["test"]["value"]
            for path in before
            if json.loads(path.read_text())["config"]["data"]["num_train"] == int(size)
        ]
        row = found[size, "accuracy/test"]
        assert float(row["mean"]) == pytest.approx(np.mean(values))
        assert row["seeds"] == "2"
    results = to_markdown(tmp_path.parent)
    assert results.startswith("### `tiny`: confirmed\n\nPublished: test error falls")
    assert "\n- ✓ a guess: " in results
    assert not any("You expected" in line for line in said)
    asked: list[str] = []

    def expect(question: str) -> str:
        assert len(said) == heard + 1, "only the question may be known"
        asked.append(question)
        return " nine of ten "

    heard = len(said)
    teach("tiny", tiny(tmp_path), out=tmp_path, seeds=2, processes=1, say=said.append, ask=expect,
          watch=False)  # fmt: skip
    assert len(asked) == 1
    assert any("You expected: nine of ten" in line for line in said[heard:])
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}


def test_an_unknown_lesson_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="scarce_data"):
        find_lesson("scarce_date")
