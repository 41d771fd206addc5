"""Equal rows of two sets that are chance, or were copied before a random division, are never said
to have been put into both; those that were are."""

import numpy as np
import pytest

from lab.watching.exchangeable import surely_copied

Rows = list[tuple[int, ...]]


def rows(random: np.random.Generator, count: int, columns: int, values: int) -> Rows:
    """Independent ones, of columns of so many values that are not equally frequent."""
    shares = 1 / np.arange(1, values + 1)
    drawn = random.choice(values, size=(count, columns), p=shares / shares.sum())
    return [tuple(row) for row in drawn.tolist()]


@pytest.mark.parametrize(
    ("train", "test", "columns", "values"),
    [(100, 2000, 4, 5), (150, 500, 4, 5), (300, 600, 6, 3), (200, 2000, 8, 3), (1000, 250, 6, 4)],
)
def test_independent_rows_are_chance(train: int, test: int, columns: int, values: int) -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        sets = (rows(random, count, columns, values) for count in (train, test))
        assert not surely_copied(*sets)


@pytest.mark.parametrize("times", [2, 5])
def test_rows_that_were_copied_before_the_division_are_no_others(times: int) -> None:
    """Nor those of a training set that was filled up after it."""
    random = np.random.default_rng(1)
    for _ in range(60):
        every = rows(random, 200, 8, 40) * times
        random.shuffle(every)
        train, test = every[: 120 * times], every[120 * times :]
        assert set(train) & set(test)
        assert not surely_copied(train, test)
        train = rows(random, 200, 5, 4)
        more = [train[k] for k in random.integers(0, 40, 400)]
        assert not surely_copied([*train, *more], rows(random, 200, 5, 4))


@pytest.mark.parametrize(("columns", "values"), [(8, 40), (5, 6)])
def test_rows_that_were_put_into_both_sets_are_told(columns: int, values: int) -> None:
    random = np.random.default_rng(2)
    for _ in range(60):
        train = rows(random, 400, columns, values)
        test = [*train[:100], *rows(random, 100, columns, values)]
        assert surely_copied(train, test)


def test_sets_without_equal_rows_and_of_one_row_each() -> None:
    assert not surely_copied([1, 2, 3], [4, 5])
    assert not surely_copied([1], [1])
