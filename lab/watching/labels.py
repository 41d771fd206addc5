"""The user's labels as they come: numbers, texts, rows with a single 1."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.core.text import plain, unknown
from lab.watching.trees import Tree, as_tensor


def is_texts(values: Any) -> bool:
    """Whether they are texts, in a list or an array."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "USO" and any(isinstance(each, (str, bytes)) for each in values)
    return isinstance(values, (list, tuple)) and any(isinstance(each, str) for each in values)


def as_labels(given: Any, what: str, names: Sequence[str], *, beside: Tree | None = None) -> Tensor:
    """Labels (N,) int64, from 0: of numbers in a tensor, array or list, (N,) or (N, 1), of rows
    (N, C) with a single 1, or of texts that are among the `names` of the classes. `ValueError` in
    one line for others, which says if the inputs `beside` them look like labels."""
    order = ""
    if isinstance(beside, Tensor) and beside.ndim == 1 and not beside.is_floating_point():
        order = (
            "; its inputs are one whole number for each example: if those are the labels, turn the"
            " pairs round, (input, label)"
        )
    if is_texts(given):
        return _numbered([str(each) for each in given], what, names)
    if isinstance(given, (np.ndarray, list, tuple)):
        with suppress(ValueError):
            given = as_tensor(np.asarray(given), what)
    if not isinstance(given, Tensor):
        raise ValueError(f"{what}: labels must be numbers, not {type(given).__name__}{order}")
    labels = given.detach().cpu()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and _is_one_hot(labels):
        labels = labels.long().argmax(dim=1)
    if labels.ndim != 1:
        soft = order
        if labels.ndim == 2 and not order:
            soft = (
                "; of soft labels give the most probable class, labels.argmax(1); where a loader"
                " mixes them, as by mixup in its collate_fn, give its dataset in place of it"
            )
            if bool(((labels == 0) | (labels == 1)).all()):
                soft = "; several classes at once are not measured: give one column, labels[:, 0]"
        shape = ", ".join(("N", *map(str, labels.shape[1:])))  # N may be those of a part alone
        raise ValueError(
            f"{what}: labels must be one class for each example, (N,), not ({shape}){soft}"
        )
    whole = labels.to(torch.int64)
    wrong = labels[(whole.to(labels.dtype) != labels) | (whole < 0)]
    if len(wrong):
        unlabeled = "; leave examples without a label out" if bool((wrong < 0).all()) else ""
        raise ValueError(
            f"{what}: labels must be whole numbers from 0, not {wrong[0].item():g}{unlabeled}"
        )
    return whole


def _numbered(texts: Sequence[str], what: str, names: Sequence[str]) -> Tensor:
    if not names:
        raise ValueError(
            f"{what}: labels are texts such as {plain(texts[0])!r}: give classes=, their names in"
            " the order of the model's outputs"
        )
    places = {name: i for i, name in enumerate(names)}
    for text in texts:
        if text not in places:
            raise ValueError(f"{what}: {unknown('class', plain(text), places)}")
    return torch.tensor([places[text] for text in texts])


def _is_one_hot(labels: Tensor) -> bool:
    """Whether each row (N, C) is 0 but for a single 1."""
    ones = labels == 1
    return bool((ones.sum(dim=1) == 1).all()) and bool((ones | (labels == 0)).all())
