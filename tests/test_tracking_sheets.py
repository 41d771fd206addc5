"""Contact sheets: sized for TensorBoard's cards; what is written in them follows the answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.tracking.predicted import PredictedExamples
from lab.tracking.sheets import (
    FACE,
    FACES,
    WIDTH,
    mislabeled_sheet,
    mistakes_sheet,
    training_sheet,
)

SHEETS = [training_sheet, mistakes_sheet, mislabeled_sheet]


def answers(
    said: list[int], labels: list[int], truth: list[int], *, sure: float = 0.9
) -> PredictedExamples:
    """PredictedExamples on plain gray faces, each of its own shade."""
    shades = torch.arange(len(said), dtype=torch.uint8) * 10
    right = torch.nn.functional.one_hot(torch.tensor(said, dtype=torch.int64), 2)
    return PredictedExamples(
        images=shades.view(-1, 1, 1, 1).expand(-1, 3, 32, 32),
        probabilities=right * sure + (1 - right) * (1 - sure),
        labels=torch.tensor(labels, dtype=torch.int64),
        clean_labels=torch.tensor(truth, dtype=torch.int64),
        classes=("not a person", "person"),
    )


def shades(sheet: np.ndarray) -> set[int]:
    """The gray levels that fill at least a quarter of a face, paper aside."""
    gray = sheet[(sheet == sheet[..., :1]).all(axis=-1)][:, 0]
    levels, counts = np.unique(gray, return_counts=True)
    return set(levels[counts > FACE * FACE / 4].tolist()) - {255}


@pytest.mark.parametrize("draw", SHEETS)
@pytest.mark.parametrize("count", [0, 1, 4, FACES, 100])
def test_a_sheet_is_as_wide_as_a_card_whatever_it_shows(draw, count: int) -> None:
    said = [i % 2 for i in range(count)]
    sheet = draw(answers(said, [0] * count, [1] * count))
    assert sheet.dtype == np.uint8
    assert sheet.shape[1:] == (WIDTH, 3)
    assert 0 < sheet.shape[0] <= 1024  # TensorBoard cuts off what is taller


@pytest.mark.parametrize("size", [16, 32, 48, 64, 200])
def test_faces_of_any_size_fill_their_place(size: int) -> None:
    made = answers([0, 0], [0, 0], [0, 0])
    black = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    sheet = training_sheet(replace(made, images=black))
    assert (sheet == 0).all(axis=-1).sum() == 2 * FACE * FACE


def test_mistakes_are_the_wrong_ones_surest_first() -> None:
    made = answers([0, 1, 1, 0, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1])
    sureness = torch.tensor([0.99, 0.6, 0.8, 0.7, 0.9])
    said = made.predicted
    probabilities = torch.stack([1 - sureness, 1 - sureness], 1)
    probabilities[torch.arange(5), said] = sureness
    made = replace(made, probabilities=probabilities)
    assert made.surest(~made.right, 2).confidence.tolist() == pytest.approx([0.8, 0.7])
    assert shades(mistakes_sheet(made)) == {10, 20, 30}


def test_the_mislabelled_are_shown_only_where_it_learned_their_wrong_label() -> None:
    made = answers(said=[1, 0, 1, 0], labels=[1, 1, 1, 0], truth=[0, 0, 1, 1])
    assert shades(mislabeled_sheet(made)) == {0, 30}


@pytest.mark.parametrize("draw", SHEETS)
def test_what_is_written_follows_the_probability_and_the_truth(draw) -> None:
    """Wrong about the first, right about the second, whose label is wrong."""
    one = draw(answers([1, 1], [0, 1], [0, 0], sure=0.9))
    assert (one == draw(answers([1, 1], [0, 1], [0, 0], sure=0.9))).all()
    other = draw(answers([1, 1], [0, 1], [0, 0], sure=0.8))
    assert one.shape == other.shape
    assert (one != other).any()
    assert shades(one) == shades(other)  # the faces are the same


def test_a_sheet_says_so_when_there_is_nothing_to_show() -> None:
    perfect = answers([0, 1], [0, 1], [0, 1])
    for draw in (mistakes_sheet, mislabeled_sheet):
        sheet = draw(perfect)
        assert shades(sheet) == set()
        assert (sheet != 255).any()


def test_long_class_names_stay_in_their_cell() -> None:
    made = answers([1] * 3, [0] * 3, [0] * 3)
    long = replace(made, classes=("a", "w" * 200))
    short = replace(made, classes=("a", "w"))
    assert mistakes_sheet(long).shape == mistakes_sheet(short).shape
    column = WIDTH // 3
    gaps = mistakes_sheet(long)[:, [column - 1, 2 * column - 1]]
    assert (gaps[26 + FACE + 4 :] == 255).all()


def test_drawing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answers([1, 0], [0, 0], [0, 1])
    before: list[Tensor] = [made.images.clone(), made.probabilities.clone()]
    for draw in SHEETS:
        draw(made)
    assert torch.equal(made.images, before[0])
    assert torch.equal(made.probabilities, before[1])
