"""The attribute table is complete and means what it says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.worlds.faces import ATTRIBUTES, PARTS, STRAYS, Attribute, attribute, sample_prior

ALMOST_ONE = 1 - 2.0**-53
rows = pytest.mark.parametrize("row", ATTRIBUTES.values(), ids=list(ATTRIBUTES))


@rows
def test_every_row_is_complete(row: Attribute) -> None:
    assert row.name.isidentifier()
    assert row.meaning
    if row.kind == "continuous":
        assert not row.values
        assert not row.prior
        assert row.low <= float(row.typical) <= row.high
        assert row.low < row.high
        if row.peak:
            assert row.low < float(row.typical) < row.high, "a peak has two flanks"
        ends = f"{row.low:g}", f"{row.high:g}"
        assert row.unit or ends == ("0", "1") or all(e in row.meaning for e in ends), (
            "a number has a unit, runs from 0 to 1, or its ends are explained"
        )
    else:
        assert len(set(row.values)) == len(row.values) > 1
        assert len(row.prior) == len(row.values)
        assert min(row.prior) >= 0
        assert sum(row.prior) == pytest.approx(1)
        assert row.prior[row.values.index(row.typical)] > 0  # type: ignore[arg-type]
    if row.kind == "count":
        assert row.values == tuple(range(len(row.values))), "codes of a count are the count"


def test_the_table_knows_its_parts() -> None:
    assert all(ATTRIBUTES[name].name == name for name in ATTRIBUTES)
    assert [ATTRIBUTES[part].group for part in PARTS] == ["structure"] * 4
    assert set(STRAYS) == set(PARTS)
    assert [ATTRIBUTES[name].group for name in STRAYS.values()] == ["stray"] * 4
    assert {row.group for row in ATTRIBUTES.values()} == {
        "structure", "stray", "face", "scene", "camera",
    }  # fmt: skip


def test_there_are_at_least_twenty_nuisances() -> None:
    assert sum(row.group not in ("structure", "stray") for row in ATTRIBUTES.values()) >= 20


@rows
@settings(max_examples=10)
@given(st.lists(st.floats(0, ALMOST_ONE), min_size=2), st.floats(0, 1))
def test_quantiles_rise_and_stay_in_range(
    row: Attribute, levels: list[float], variation: float
) -> None:
    u = np.array([0.0, *sorted(levels), ALMOST_ONE])
    values = row.quantile(u, variation=variation)
    assert (np.diff(values) >= -1e-12).all()
    if row.kind == "continuous":
        assert values.min() >= row.low - 1e-12
        assert values.max() <= row.high + 1e-12
    else:
        assert all(row.prior[int(code)] > 0 for code in values)


@rows
def test_without_variation_everybody_is_typical(row: Attribute) -> None:
    u = np.linspace(0, ALMOST_ONE, 99)
    if row.group != "structure":
        assert row.quantile(u, variation=0) == pytest.approx(row.code(row.typical))


@rows
def test_with_full_variation_the_whole_range_comes_up(row: Attribute) -> None:
    values = row.quantile(np.linspace(0, ALMOST_ONE, 9999))
    if row.kind == "continuous":
        ends = values.min(), values.max()
        assert ends == pytest.approx((row.low, row.high), abs=0.02 * (row.high - row.low))
    else:
        assert set(values) == {code for code, share in enumerate(row.prior) if share}


@rows
def test_values_have_codes(row: Attribute) -> None:
    if row.kind == "continuous":
        assert [row.code(row.low), row.code(row.high)] == [row.low, row.high]
    else:
        assert [row.code(value) for value in row.values] == list(range(len(row.values)))


@rows
def test_a_batch_accepts_its_own_numbers(row: Attribute) -> None:
    ends = row.values if row.kind != "continuous" else (row.low, row.high)
    for value in ends:
        faces = sample_prior(3, seed=0, **{row.name: value})
        assert torch.equal(faces.do(**{row.name: faces[row.name]})[row.name], faces[row.name])


@rows
def test_what_is_out_of_range_is_refused_in_words(row: Attribute) -> None:
    wrong: tuple[object, ...] = ("purpl", 7, None)
    if row.kind == "count":
        wrong = (-1, len(row.values), 0.5, True, "one", None)
    elif row.kind == "continuous":
        below, above = row.low - 1e-3, row.high + 1e-3
        wrong = (below, above, float("nan"), float("inf"), -1e300, True, "wide", None)
    for value in wrong:
        with pytest.raises(ValueError, match=row.name) as caught:
            row.code(value)
        message = str(caught.value)
        assert str(value) in message
        assert "\n" not in message
        allowed = (row.low, row.high) if row.kind == "continuous" else row.values
        assert all(f"{v:g}" in message for v in allowed if not isinstance(v, str)), message


def test_misspelled_names_get_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"eye_colour.*eye_color"):
        attribute("eye_colour")
    with pytest.raises(ValueError, match=r"purpl.*plum"):
        attribute("lip_color").code("purpl")
