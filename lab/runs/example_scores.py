"""`example_scores.csv`: a row for each training example, with the scores of one training."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

from torch import Tensor

from lab.worlds import Examples, StoredWorld, World

COLUMNS = ("number", "file", "label", "true_label", "mislabeled", "subpopulation")
"""Columns before those of the scores. `number`: position in the training set, from 0. `label`: the
given one, with label noise."""


def to_csv(world: World, train: Examples, scores: Mapping[str, Tensor]) -> str:
    """The table as CSV text, in the order of the training set; `scores` (N,) by column."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *scores])
    labels, truth = train.labels.tolist(), train.clean_labels.tolist()
    places = train.subpopulations.tolist()
    columns = [column.tolist() for column in scores.values()]
    for i, label in enumerate(labels):
        table.writerow([
            i,
            world.name("train", i) if isinstance(world, StoredWorld) else "",
            train.classes[label],
            train.classes[truth[i]],
            label != truth[i],
            train.all_subpopulations[places[i]].name,
            *(_number(column[i]) for column in columns),
        ])  # fmt: skip
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # names may be no text


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""
