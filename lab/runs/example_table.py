"""A table with a row for each training and test example, its prediction and how sure that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from lab.measure import example_losses, predict
from lab.measure.reliance import log_odds
from lab.worlds import Examples, StoredWorld, World

COLUMNS = (
    "split", "number", "file", "subpopulation", "label", "true_label", "prediction", "right",
    "loss", "log_odds", "rank",
)  # fmt: skip
"""Columns of the table; those of the attributes follow, where these are known.

`number`: position in the split, from 0. `label`: the given one, with label noise. `loss`: in nats,
of the given label. `log_odds`: log(p / (1 - p)) of its probability p. `rank`: by loss among the
training examples, 1 for the largest, which is the likeliest to have a wrong label; empty for test
examples.
"""

Progress = Callable[[str, int, int], None]


def example_table(
    model: nn.Module, *, train: World, test: World, progress: Progress = lambda what, done, of: None
) -> str:
    """The table as CSV text: the training set of one world, the test set of the other."""
    rows = _rows(model, train, "train", train.data.num_train, progress)
    order = sorted(range(len(rows)), key=lambda i: -rows[i]["loss"])
    for rank, i in enumerate(order, 1):
        rows[i]["rank"] = rank
    rows += _rows(model, test, "test", test.data.num_test, progress)
    text = io.StringIO()
    names = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    table = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _rows(
    model: nn.Module, world: World, split: str, count: int, progress: Progress
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    what = f"{split} {world.noun}"
    progress(what, 0, count)
    for examples in world.batches(split, count):
        rows += _of(examples, predict(model, examples.images), split, len(rows), world)
        progress(what, len(rows), count)
    return rows


def _of(
    examples: Examples, logits: Tensor, split: str, start: int, world: World
) -> Iterator[dict[str, Any]]:
    labels = examples.labels.cpu()
    losses, odds = example_losses(logits, labels), log_odds(logits, labels)
    attributes = {name: examples.samples.names(name) for name in examples.samples.schema}
    said = logits.argmax(dim=1).tolist()

    def name(code: int) -> str:
        return examples.classes[code]

    for i, label in enumerate(labels.tolist()):
        yield {
            "split": split,
            "number": start + i,
            "file": world.name(split, start + i) if isinstance(world, StoredWorld) else "",
            "subpopulation": examples.kinds[int(examples.subpopulations[i])].name,
            "label": name(label),
            "true_label": name(int(examples.clean_labels[i])),
            "prediction": name(said[i]),
            "right": said[i] == label,
            "loss": float(f"{float(losses[i]):.6g}"),
            "log_odds": float(f"{float(odds[i]):.6g}"),
            **{key: words[i] for key, words in attributes.items()},
        }
