"""The bench compares like with like, and its table says what was measured."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from lab.core.estimate import Estimate
from lab.experiments.timing import rate, ratio, steps_of, take_turns
from lab.models import ModelSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benches import growth
from benches.growth import Cost, compare
from benches.table import Row, number, to_text
from benches.useful import PARTS, Trained, rows_of


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


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.complex64])
def test_steps_of_networks_with_weights_of_any_type_can_be_timed(
    tmp_path: Path, kind: torch.dtype
) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return torch.view_as_real(super().forward(x.flatten(1).to(self.weight)) + 0j)"
        "[..., 0]\n"
        "def net(spec):\n"
        f"    return Net(3 * spec.image_size**2, spec.num_outputs, dtype={kind})\n"
    )
    step = steps_of(f"{tmp_path / 'net.py'}:net", ModelSpec(image_size=16, num_outputs=2))
    assert step(2) == 2


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


def test_the_costs_of_a_number_of_faces_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "TEST_FACES", 50)
    monkeypatch.setattr(growth, "STEPS", 3)
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


def test_a_useful_network_meets_every_part_of_the_criterion() -> None:
    """The least part and the highest nuisance decide; objects are no part."""

    def verdicts(accuracy: float = 0.99, **changed: float) -> list[str]:
        values = {**dict.fromkeys(PARTS, 0.9), "subject": 0.2, "blur": 0.05, "gaze": 0.0}
        shares = {
            name: Estimate(value, 0.0, 1.0, 48) for name, value in {**values, **changed}.items()
        }
        run = Trained(
            wall=60.0,
            processor=50.0,
            pictures=1000,
            accuracy=Estimate(accuracy, 0.98, 1.0, 2000),
            reliance=shares,
        )
        return [row.verdict for row in rows_of(0, run)[1:]]

    assert verdicts() == ["reached"] * 3
    assert verdicts(accuracy=0.985) == ["MISSED", "reached", "reached"]
    assert verdicts(ears=0.84) == ["reached", "MISSED", "reached"]
    assert verdicts(gaze=0.06) == ["reached", "reached", "MISSED"]
