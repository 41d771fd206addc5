"""The bench compares like with like, and its table says what was measured."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.core.config import DataConfig
from lab.experiments.timing import rate, ratio, take_turns
from lab.worlds import draw_examples
from lab.worlds.faces import render

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benches import growth
from benches.growth import Cost, compare
from benches.pillow_drawing import draw
from benches.table import Row, number, to_text

ALIKE = 0.97
"""Least correlation of the two drawings' 8 by 8 thumbnails; the lowest of 1,000 faces had 0.992."""


def _thumbnails(pictures: np.ndarray) -> np.ndarray:
    count, side = len(pictures), pictures.shape[1] // 8
    return pictures.reshape(count, 8, side, 8, side, 3).mean(axis=(2, 4)).reshape(count, -1)


def test_pillow_draws_the_same_pictures() -> None:
    examples = draw_examples(DataConfig(image_size=64), split="train", count=24, seed=0)
    assert len(set(examples.subpopulations.tolist())) > 2, (
        "persons and several kinds of non-persons"
    )
    ours = _thumbnails(examples.images.permute(0, 2, 3, 1).numpy())
    theirs = _thumbnails(draw(examples.samples, size=64))
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs, strict=True)]
    assert min(alike) > ALIKE
    others = [np.corrcoef(a, b)[0, 1] for a, b in zip(ours, np.roll(theirs, 1, 0), strict=True)]
    assert max(others) < ALIKE, "the bound tells different pictures apart"


@pytest.mark.parametrize("subject", ["clock", "house", "mug", "flower", "car"])
def test_pillow_draws_the_same_things(subject: str) -> None:
    examples = draw_examples(DataConfig(image_size=16), split="train", count=4, seed=1)
    faces = examples.samples.do(subject=subject)
    ours = _thumbnails(render(faces, size=64).permute(0, 2, 3, 1).numpy())
    theirs = _thumbnails(draw(faces, size=64))
    for a, b in zip(ours, theirs, strict=True):
        assert np.corrcoef(a, b)[0, 1] > ALIKE


def test_jobs_take_turns_after_one_warm_up() -> None:
    calls: list[str] = []

    def job(name: str, seconds: float, items: int) -> int:
        calls.append(name)
        now[0] += seconds
        return items

    now = [0.0]
    jobs = {"a": lambda: job("a", 6.0, 3), "b": lambda: job("b", 1.0, 2)}
    seconds = take_turns(jobs, repetitions=3, clock=lambda: now[0])
    assert calls == ["a", "b"] * 4
    assert seconds == {"a": [2.0] * 3, "b": [0.5] * 3}
    assert rate(seconds["b"]) == 2.0
    assert ratio(seconds["a"], seconds["b"]) == (4.0, "4 to 4 in 3 turns")


def test_a_row_states_its_goal_and_whether_it_is_reached() -> None:
    fast, slow = Row(what="a", value=16.0, least=15), Row(what="b", value=14.9, least=15)
    assert (fast.goal, fast.verdict, slow.verdict) == ("≥ 15", "reached", "MISSED")
    cheap, dear = Row(what="c", value=19.0, most=20), Row(what="d", value=21.0, most=20)
    assert (cheap.goal, cheap.verdict, dear.verdict) == ("≤ 20", "reached", "MISSED")
    unknown = Row(what="e", value=math.nan, least=100, note="no compiler")
    assert unknown.verdict == "not measured"
    assert unknown.entry()["value"] is None, "JSON knows no NaN"
    assert Row(what="f", value=1.0).verdict == ""


def test_the_table_has_a_line_for_every_row_and_columns_that_align() -> None:
    rows = [Row(what="short", value=1234.5, unit="faces/s"), Row(what="a longer one", value=0.5)]
    title, heads, *lines = to_text("Title", rows).splitlines()
    assert title == "Title"
    assert [line.split()[0] for line in lines] == ["short", "a"]
    assert "1,234 faces/s" in lines[0]
    assert len(lines[1]) == heads.index("measured") + len("measured"), "numbers end together"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.4, "1,234"), (123.4, "123"), (12.34, "12.3"), (0.01234, "0.0123"), (0, "0"),
     (math.nan, "—")],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_the_costs_of_a_number_of_faces_can_be_measured() -> None:
    costs = json.loads(growth.cost(64))
    assert costs["faces"] == 64
    assert all(costs[name] > 0 for name in ("sampling", "drawing", "step", "evaluation"))


def test_growth_is_told_against_proportion() -> None:
    def cost(faces: int, each: float) -> Cost:
        return Cost(faces=faces, sampling=faces * each, drawing=faces * each, step=each,
                    evaluation=(faces + 2000) * each, memory=0.0)  # fmt: skip

    rows = compare(cost(1000, 2.0), cost(10_000, 2.0))
    assert [row.value for row in rows] == [10, 10, 1, 4]
    assert all(row.note == f"in proportion: {row.value:g}" for row in rows)
