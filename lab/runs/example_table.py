"""A table with a row for each training and test example, its prediction and how sure that is."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lab.core.text import own_columns
from lab.measure import example_losses, predict
from lab.measure.label_doubts import Features, features_of, label_doubts
from lab.measure.predictions import log_odds
from lab.worlds import Examples, StoredWorld, World

COLUMNS = (
    "split", "number", "file", "subpopulation", "label", "true_label", "prediction", "right",
    "loss", "log_odds", "rank", "neighbors_against", "doubt_rank",
)  # fmt: skip
"""Columns of the table; those of the attributes follow, where these are known: of drawn examples,
and the columns of `--groups`, as `own_columns` has them ("group:loss").

`number`: position in the split, from 0. `label`: the given one, with label noise. `loss`: in nats,
of the given label. `log_odds`: log(p / (1 - p)) of its probability p. For training examples alone:
`rank` by loss, 1 for the largest; `neighbors_against`, the share of the ten nearest neighbors, by
the network's features, that have another label; `doubt_rank`, 1 for the likeliest wrong label (see
`lab.measure.label_doubts`).
"""

Progress = Callable[[str, int, int], None]


def example_table(
    model: nn.Module, *, train: World, test: World, progress: Progress = lambda what, done, of: None
) -> str:
    """The table as CSV text: the training set of one world, the test set of the other."""
    labels: list[Tensor] = []

    def look(examples: Examples) -> None:
        labels.append(examples.labels.cpu())

    rows = _rows(model, train, "train", train.data.num_train, progress, look)
    losses = torch.tensor([row["loss"] for row in rows], dtype=torch.float64)
    order = losses.argsort(descending=True, stable=True).tolist()
    doubts = label_doubts(_features(model, train, len(rows)), torch.cat(labels), losses)
    for rank, i in enumerate(order, 1):
        rows[i]["rank"] = rank
    for row, against, rank in zip(
        rows, doubts.against.tolist(), doubts.ranks.tolist(), strict=True
    ):
        row["neighbors_against"] = "" if math.isnan(against) else round(against, 4)
        row["doubt_rank"] = rank
    rows += _rows(model, test, "test", test.data.num_test, progress, lambda examples: None)
    text = io.StringIO()
    names = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    table = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _features(model: nn.Module, world: World, count: int) -> Features:
    """Makes the features of the first `count` training examples, range by range in their order; the
    examples are loaded a batch at a time, and no more features are held than a range has."""
    batches = world.batches("train", count)
    waiting = torch.empty(0)

    def made(where: slice) -> Tensor | None:
        nonlocal waiting
        wanted = min(where.stop, count) - where.start
        parts = [waiting] if len(waiting) else []
        while sum(map(len, parts)) < wanted:
            part = features_of(model, next(batches).images)
            if part is None:
                return None
            parts.append(part)
        whole = torch.cat(parts)
        waiting = whole[wanted:].clone()
        return whole[:wanted]

    return made


def _rows(
    model: nn.Module,
    world: World,
    split: str,
    count: int,
    progress: Progress,
    look: Callable[[Examples], None],
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    what = f"{split} {world.noun}"
    progress(what, 0, count)
    for examples in world.batches(split, count):
        look(examples)
        rows += _of(examples, predict(model, examples.images), split, len(rows), world)
        progress(what, len(rows), count)
    return rows


def _of(
    examples: Examples, logits: Tensor, split: str, start: int, world: World
) -> Iterator[dict[str, Any]]:
    labels = examples.labels.cpu()
    losses, odds = example_losses(logits, labels), log_odds(logits, labels)
    names = own_columns(examples.samples.schema, beside=COLUMNS, kind="group")
    attributes = {names[each]: examples.samples.names(each) for each in names}
    said = logits.argmax(dim=1).tolist()

    def name(code: int) -> str:
        return examples.classes[code]

    for i, label in enumerate(labels.tolist()):
        yield {
            "split": split,
            "number": start + i,
            "file": world.name(split, start + i) if isinstance(world, StoredWorld) else "",
            "subpopulation": examples.all_subpopulations[int(examples.subpopulations[i])].name,
            "label": name(label),
            "true_label": name(int(examples.clean_labels[i])),
            "prediction": name(said[i]),
            "right": said[i] == label,
            "loss": float(f"{float(losses[i]):.6g}"),
            "log_odds": float(f"{float(odds[i]):.6g}"),
            **{key: words[i] for key, words in attributes.items()},
        }
