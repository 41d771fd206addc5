"""One table of metrics: everything that reports a number goes by it, and refuses others."""

import json
import math
import re
from pathlib import Path

import pytest

from lab.core import metrics
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.estimate import Estimate
from lab.core.metrics import METRICS, OWN, Metric
from lab.experiments.table import flatten
from lab.measure import split_metrics
from lab.runs.train import start
from lab.tracking.summary import nest, write_summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that can be measured."""
    config = RunConfig(
        data=DataConfig(
            num_train=24, num_test=100, image_size=16, cues=("eye_color=blue/brown:0.9",),
            unseen_combinations=("hair_length=long,beard=full",), label_noise=0.3,
        ),
        model=ModelConfig(width=2),
        train=TrainConfig(steps=4, eval_every=2, num_validation=10),
        counterfactuals=4, pictures=False, name="all", out=tmp_path_factory.mktemp("runs"),
    )  # fmt: skip
    return start(config).folder


def test_every_number_of_a_run_has_a_row_and_lies_in_its_range(folder: Path) -> None:
    summary = flatten(json.loads((folder / "summary.json").read_text()))
    met = set()
    for tag, found in summary.items():
        row = metrics.find(tag)
        met.add(row.name)
        low, high = row.limits
        assert math.isnan(found.value) or low <= found.value <= high, tag
        assert row.interval or found.low is None, tag
    others = (
        "--data", metrics.UNDRAWN, metrics.OTHER_SHARES, metrics.OTHER_GROUPS,
        metrics.ONLY_TESTED,
        "logits that are not finite", "a test set known before training",
    )  # fmt: skip
    expected = {row.name for row in METRICS if row.when != "evaluate" and row.needs not in others}
    assert met == expected, "and every row but those of `evaluate` or of other runs is met"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for tag in lines[-1].keys() - {"step"}:
        row = metrics.find(tag)
        assert row.when == "evaluation"
        assert not row.clock


def test_numbers_without_a_row_are_refused(tmp_path: Path) -> None:
    for wrong in ("accuracy/trian", "elegance/test", "own/a/b", "seconds"):
        with pytest.raises(ValueError, match=re.escape(repr(wrong))):
            nest({wrong: 0.5})
        with pytest.raises(ValueError, match="metrics"):
            write_summary(
                tmp_path, status="finished", step=1, metrics={wrong: 0.5}, verdict="", config={}
            )
    assert list(tmp_path.iterdir()) == []


def test_rows_are_told_apart_and_tables_show_those_that_say_so() -> None:
    names = [row.name for row in (*METRICS, OWN)]
    assert len(set(names)) == len(names)
    headings = [row.heading for row in METRICS if row.heading]
    assert len(set(headings)) == len(headings), "two columns of one table never look alike"
    for row in METRICS:
        assert row.name.count("/") == 1
        assert row.meaning
        assert metrics.find(row.name.replace("<", "a_").replace(">", "")) == row
        if row.shown and "<" not in row.name:
            assert row.heading, f"{row.name} stands at the head of a column"
        if row.chance == "task":
            assert metrics.chance_level(row.name, 5) == pytest.approx(0.2)
    for chart in (title for row in METRICS for title in row.charts):
        assert chart.count("/") == 1, "a category and a title"
    text = metrics.markdown()
    assert all(f"`{row.name}`" in text for row in METRICS)


def test_what_is_computed_on_splits_is_in_the_table() -> None:
    tags = [tag for each in split_metrics() for tag in each.tags.values()]
    assert len(set(tags)) == len(tags)
    assert {metrics.find(tag).when for tag in tags} == {"evaluation"}


def test_a_row_of_the_users_hides_none_of_the_labs() -> None:
    for name in ("accuracy/test", "own/", "own/a/b", "own/a b", "brier"):
        with pytest.raises(ValueError, match="own/NAME"):
            metrics.declare(Metric(name=name, meaning="x"))
    assert metrics.find("own/anything") == OWN
    assert metrics.heading("own/anything") == "own/anything"


def test_limits_cut_intervals() -> None:
    assert metrics.limits("accuracy/test") == (0, 1)
    low, high = metrics.limits("loss/test")
    assert (low, Estimate(0.1, -1, 1).within(low, high).low) == (0, 0)
    assert high == float("inf")
