"""Estimates as text: one form for values, shares, intervals and differences."""

import math
import re
from pathlib import Path

import pytest

from lab.core.estimate import Estimate
from lab.core.words import (
    NOTHING,
    auc,
    estimated,
    in_steps,
    interval,
    of_class,
    percent,
    percents,
    share,
)


def test_a_value_and_its_interval() -> None:
    assert estimated(Estimate(0.5, 0.25, 0.75)) == "0.50 (0.25–0.75)"
    assert estimated(Estimate(0.5, 0.25, 0.75), 1) == "0.5 (0.2–0.8)"
    assert estimated(Estimate(0.5)) == "0.50"
    assert estimated(Estimate(math.nan)) == NOTHING
    assert interval(Estimate(0.5)) == percents(Estimate(0.5)) == ""


def test_a_minus_is_not_taken_for_a_dash() -> None:
    assert interval(Estimate(0.1, -0.25, 0.75)) == "-0.25 to 0.75"
    assert estimated(Estimate(0.5, 0.25, 0.75), sign="+") == "+0.50 (+0.25 to +0.75)"


def test_names_that_are_numbers_are_told_from_counts() -> None:
    assert of_class(1200, "cat") == "1,200 cat"
    assert of_class(30, "7") == '30 "7"'
    assert of_class(30, "猫") == "30 猫"


def test_shares_in_percent() -> None:
    assert share(Estimate(0.5, 0.25, 0.75)) == "50.0 % (25.0–75.0)"
    assert share(Estimate(0.5)) == "50.0 %"
    assert auc(Estimate(0.9, 0.8, 0.95)).startswith("AUC 0.90 (0.80–0.95; ")
    assert auc(Estimate(0.9)).startswith("AUC 0.90 (0.5")


@pytest.mark.parametrize(
    ("value", "digits", "words"),
    [(1.0, 1, "100 %"), (0.0, 1, "0 %"), (0.0004, 1, "under 0.1 %"), (0.9996, 1, "over 99.9 %"),
     (0.004, 0, "under 1 %"), (0.996, 0, "over 99 %"), (0.9, 0, "90 %"), (math.nan, 1, NOTHING)],
)  # fmt: skip
def test_only_all_is_all_whatever_the_rounding(value: float, digits: int, words: str) -> None:
    assert percent(value, digits) == words


def test_one_step_is_no_steps() -> None:
    assert [in_steps(n) for n in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]
    lab = Path(__file__).parents[1] / "lab"
    loose = {
        f"{path.name}: {said}"
        for path in lab.rglob("*.py")
        for said in re.findall(r"\{[^{}]*\} steps\b", path.read_text(encoding="utf-8"))
    }
    assert not loose, "numbers of steps are written by `in_steps`"


def test_an_interval_is_cut_to_what_is_possible_and_holds_its_value() -> None:
    assert Estimate(0.9, 0.7, 1.1, 3).within(0, 1) == Estimate(0.9, 0.7, 1.0, 3)
    assert Estimate(0.9, 0.7, 1.1).within(-math.inf, math.inf) == Estimate(0.9, 0.7, 1.1)
    assert Estimate(0.9).within(0, 1) == Estimate(0.9)
    odd = Estimate(-0.2, -0.4, 0.1).within(0, 1)
    assert odd.interval == (-0.2, 0.1)
