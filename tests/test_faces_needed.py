"""How many faces are needed: read off learning curves, as numpy and SciPy would."""

import numpy as np
import pytest
import scipy.stats

from lab.experiments.report_card.card import plain
from lab.measure import faces_needed
from lab.measure.faces_needed import rounded

SIZES = (100, 300, 1000, 3000)


def test_it_is_numpys_interpolation_over_the_logarithm() -> None:
    curves = np.array([[0.6, 0.7, 0.88, 0.93], [0.55, 0.72, 0.91, 0.95], [0.6, 0.8, 0.86, 0.92]])
    logs = [float(np.interp(0.9, curve, np.log(SIZES))) for curve in curves]
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(logs), scipy.stats.sem(logs))
    found = faces_needed(SIZES, curves, 0.9)
    assert found.bound == ""
    np.testing.assert_allclose(
        [found.faces.value, found.faces.low, found.faces.high], np.exp([np.mean(logs), low, high])
    )


def test_the_first_crossing_counts() -> None:
    curve = np.array([[0.5, 0.9, 0.8, 0.95]])
    assert faces_needed(SIZES, curve, 0.9).faces.value == pytest.approx(300)
    assert str(faces_needed(SIZES, curve, 0.9)) == "about 300"


def test_beyond_the_sizes_there_are_bounds_only() -> None:
    curves = np.array([[0.6, 0.7, 0.8, 0.95], [0.6, 0.7, 0.8, 0.89]])
    never = faces_needed(SIZES, curves[1:], 0.9)
    assert (never.bound, never.faces.low) == ("more than", None)
    assert never.faces.value == pytest.approx(3000)
    assert str(never) == "more than 3,000"
    at_once = faces_needed(SIZES, curves + 0.4, 0.9)
    assert (str(at_once), at_once.faces.low) == ("at most 100", None)


def test_a_seed_that_never_gets_there_leaves_a_lower_bound_of_the_mean() -> None:
    curves = np.array([[0.6, 0.7, 0.9, 0.95], [0.6, 0.7, 0.8, 0.89]])
    some = faces_needed(SIZES, curves, 0.9)
    assert (some.bound, some.faces.low) == ("more than", None)
    assert some.faces.value == pytest.approx(np.sqrt(1000 * 3000))


def test_seeds_beyond_both_ends_leave_no_bound_of_the_mean() -> None:
    """Four of five seeds need ten faces or fewer, so that "more than" any mean would be false."""
    curves = [[0.91, 0.95, 0.95]] * 4 + [[0.5, 0.7, 0.89]]
    found = faces_needed([10, 60, 240], curves, 0.9)
    assert (found.bound, found.faces, found.seeds) == ("both", None, 5)
    assert str(found) == "at most 10 (4 of 5 seeds) to more than 240 (1 of 5)"
    as_json = plain(found, noun="pictures")
    assert as_json["pictures"] is None
    assert as_json["at_most"] == {"pictures": 10, "seeds": 4}
    assert as_json["more_than"] == {"pictures": 240, "seeds": 1}
    between = faces_needed([10, 60, 240], [*curves, [0.5, 0.9, 0.95]], 0.9)
    assert str(between) == "at most 10 (4 of 6 seeds) to more than 240 (1 of 6)"


def test_a_curve_needs_rising_sizes() -> None:
    for sizes in ([100], [300, 100], [100, 100]):
        with pytest.raises(ValueError, match="two rising sizes"):
            faces_needed(sizes, np.ones((2, len(sizes))), 0.9)


@pytest.mark.parametrize(("number", "said"), [(7.4, 7), (94.6, 95), (1234, 1200), (98_700, 99_000)])
def test_two_digits_count(number: float, said: int) -> None:
    assert rounded(number) == said
