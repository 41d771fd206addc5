"""Power laws and means over seeds, against SciPy."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from lab.measure import fit_power_law, mean_of_seeds, student_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 1000])
def test_the_quantile_is_students(degrees: int) -> None:
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6))
def test_a_mean_of_seeds_has_students_interval(values: list[float]) -> None:
    said = mean_of_seeds(values)
    error = stats.sem(values)
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    assert said.value == pytest.approx(np.mean(values), abs=1e-9)
    assert said.interval[0] == pytest.approx(np.mean(values) - reach, rel=1e-5, abs=1e-8)
    assert said.interval[1] == pytest.approx(np.mean(values) + reach, rel=1e-5, abs=1e-8)


def test_few_seeds_have_no_interval() -> None:
    assert mean_of_seeds([0.5]).low is None
    assert math.isnan(mean_of_seeds([]).value)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([32, 100, 300, 1000, 3000]), st.floats(0.001, 0.9)),
        min_size=4, max_size=15,
    ).filter(lambda points: all(len(set(column)) > 1 for column in zip(*points, strict=True)))
)  # fmt: skip
def test_the_fit_is_that_of_scipy(points: list[tuple[int, float]]) -> None:
    sizes, errors = zip(*points, strict=True)
    law = fit_power_law(sizes, errors)
    line = stats.linregress(np.log(sizes), np.log(errors))
    assume(math.isfinite(line.stderr))  # scipy has none where the errors differ by rounding alone
    assert law.exponent.value == pytest.approx(line.slope, rel=1e-6, abs=1e-9)
    assert law.factor == pytest.approx(math.exp(line.intercept), rel=1e-6)
    reach = stats.t.ppf(0.975, len(points) - 2) * line.stderr
    assert law.exponent.interval[0] == pytest.approx(line.slope - reach, rel=1e-5, abs=1e-7)
    assert law.exponent.interval[1] == pytest.approx(line.slope + reach, rel=1e-5, abs=1e-7)


def test_the_band_is_that_of_the_line() -> None:
    sizes = [32, 32, 100, 100, 1000, 1000]
    errors = [0.45, 0.42, 0.3, 0.33, 0.1, 0.12]
    law = fit_power_law(sizes, errors)
    x, y = np.log(sizes), np.log(errors)
    design = np.stack([np.ones_like(x), x], axis=1)
    covariance = np.linalg.inv(design.T @ design)
    noise = np.sum((y - design @ (covariance @ design.T @ y)) ** 2) / 4
    for size in (32, 320, 5000):
        row = np.array([1, math.log(size)])
        reach = stats.t.ppf(0.975, 4) * math.sqrt(noise * row @ covariance @ row)
        said = law.at(size)
        assert math.log(said.interval[1] / said.value) == pytest.approx(reach, rel=1e-6)
        assert math.log(said.value / said.interval[0]) == pytest.approx(reach, rel=1e-6)
    assert str(law).startswith("1.") or "size^-0." in str(law)


def test_a_law_is_found_again() -> None:
    sizes = [10, 100, 1000, 10_000]
    law = fit_power_law(sizes, [2 * size**-0.35 for size in sizes])
    assert law.exponent.value == pytest.approx(-0.35)
    assert law.factor == pytest.approx(2)
    assert law.at(500).value == pytest.approx(2 * 500**-0.35)


@pytest.mark.parametrize(
    ("sizes", "errors", "said"),
    [
        ([1, 2], [0.1, 0.2], "three points"),
        ([5, 5, 5], [0.1, 0.2, 0.3], "two sizes"),
        ([1, 2, 3], [0.1, 0.0, 0.3], "above 0"),
        ([0, 2, 3], [0.1, 0.1, 0.3], "above 0"),
        ([1, 2, 3], [0.1, math.nan, 0.3], "above 0"),
    ],
)
def test_what_has_no_law_is_refused(sizes: list[float], errors: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit_power_law(sizes, errors)
