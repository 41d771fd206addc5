"""Pictures of a Python program as an .npz file, which every command of the lab then takes.

A run is opened again by its pictures: its evaluation, its resumption and its tab need them in the
next process, too. A file has them there; tensors of a program that has ended would be gone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from lab.core.atomic import draft, replace
from lab.core.paths import at_home
from lab.core.pictures import as_rgb
from lab.core.text import plain
from lab.worlds.arrays import SUFFIX, read_labels
from lab.worlds.datasets import known_classes, renumbers
from lab.worlds.npz import Array, Form, Npz, Unfit, refuse_dim

BLOCK = 256
"""Pictures that are held at a time."""

FORMS = "(pictures, labels) as tensors or arrays, or a map-style dataset of such pairs"


def save_npz(
    path: str | Path, train: Any, *, test: Any = None, classes: Sequence[str] | None = None
) -> Path:
    """Write pictures with labels as a file for `--data` (`DataConfig.data`), and return its path.

    `train` are `(pictures, labels)` as tensors or arrays, or a map-style
    `torch.utils.data.Dataset` whose items are such pairs, pictures as tensors or PIL's, of which
    16 bits, floats and transparency are read as in files (`lab.core.pictures`). All have the same
    size: uint8 or floats from 0 to 1, (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3
    channels; they are stored as uint8. Labels are whole numbers or texts. `test`: the same for the
    test set; None: the run's seed splits each class. `classes`: the names of the labels from 0 on;
    None: those of the attribute `classes` of the dataset, or of those within it (of a `Subset`, a
    `ConcatDataset`), unless its `target_transform` or `__getitem__` makes other labels of them; all
    must have the same. Each item is read once: random augmentation of a dataset would be stored as
    it came out, and belongs left out. `ValueError` in one line if something does not fit; nothing
    is written then.
    """
    path = at_home(path)
    if path.suffix.lower() != SUFFIX:
        raise ValueError(f"{path}: the name must end in {SUFFIX}")
    known = _classes(path, {"train": train, "test": test}) if classes is None else None
    what = "train"
    try:
        with draft(path) as new:
            with zipfile.ZipFile(new, "w") as archive:
                given = [(train, _add(archive, "x", "y", train))]
                if test is not None:
                    what = "test"
                    given.append((test, _add(archive, "x_test", "y_test", test)))
                if known and not any(
                    renumbers(each, known, range(len(labels)), labels) for each, labels in given
                ):
                    classes = known
                if classes is not None:
                    _write(archive, "class_names", np.array([str(name) for name in classes]))
            what = "it"
            read_labels(Npz(new))
            replace(new, path)
    except Unfit as error:
        raise ValueError(f"{path}: {what} does not fit: {error}") from None
    return path


def _classes(path: Path, given: Mapping[str, Any]) -> Sequence[str] | None:
    """The names of the labels from 0 on, where the training set's dataset knows them; `given` are
    the sets by name. `ValueError` in one line if two datasets in them name their classes otherwise:
    a label would stand for different ones."""
    known = {what: known_classes(each) for what, each in given.items()}
    found = [(what, names) for what, several in known.items() for names in several if names]
    for what, names in found[1:]:
        first, others = found[0]
        if names != others:
            also = f"{what} {_some(names)}" if what != first else f"{_some(names)}, too"
            raise ValueError(
                f"{path}: {first} has the classes {_some(others)}, and {also}: the same label would"
                " stand for different ones. Give all the same, or classes="
            )
    train = known["train"]
    return train[0] if len(train) == 1 and train[0] else None


def _add(archive: zipfile.ZipFile, x: str, y: str, given: Any) -> list[Any]:
    """Write pictures and labels as two arrays; the labels."""
    count, blocks = _blocks(given)
    labels: list[Any] = []
    form, largest = None, 0.0
    with archive.open(f"{x}.npy", "w", force_zip64=True) as file:
        for pictures, some in blocks:
            here = Form.of(x, (count, *pictures.shape[1:]), pictures.dtype)
            if form is None:
                form = here
                gray = form.channels is None or form.shape[1 + form.channels] == 1
            elif here.shape != form.shape:
                raise Unfit(
                    f"pictures of {here.shape[1:]} and {form.shape[1:]}: one size is needed"
                )
            pixels = form.pixels(x, pictures)
            largest = max(largest, float(pictures.max(initial=0)))
            if not labels:
                shape = (count, *pixels.shape[1:3], *(() if gray else (3,)))
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write((pixels[..., 0] if gray else pixels).tobytes())
            labels += some
        if form is None:
            raise Unfit("there is no picture")
        refuse_dim(x, form.kind, largest)
    stored = np.array(labels)
    if stored.dtype.kind not in "iuU":
        raise Unfit(f"labels must be whole numbers or texts, not {stored.dtype}")
    _write(archive, y, stored)
    return labels


def _blocks(given: Any) -> tuple[int, Iterator[tuple[Array, list[Any]]]]:
    """How many examples there are, and some at a time: pictures, and labels."""
    if isinstance(given, (tuple, list)) and len(given) == 2:
        x, y = (_array(part) for part in given)
        if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
            raise Unfit(f"{_length(x)} pictures and {_length(y)} labels")
        starts = range(0, len(x), BLOCK)
        if len(y):
            _label(y[0])
        return len(x), ((x[i : i + BLOCK], y[i : i + BLOCK].tolist()) for i in starts)
    if isinstance(given, IterableDataset) or not (
        hasattr(given, "__len__") and hasattr(given, "__getitem__")
    ):
        raise Unfit(f"it must be {FORMS}, not {type(given).__name__}")
    return len(given), _items(given)


def _items(dataset: Any) -> Iterator[tuple[Array, list[Any]]]:
    for start in range(0, len(dataset), BLOCK):
        pictures, labels = [], []
        for i in range(start, min(start + BLOCK, len(dataset))):
            item = dataset[i]
            if not (isinstance(item, (tuple, list)) and len(item) == 2):
                raise Unfit("each item must be a pair of a picture and its label")
            pictures.append(_array(item[0]).copy())  # it may give the next one in the same memory
            labels.append(_label(_array(item[1])))
        if len({(each.shape, each.dtype) for each in pictures}) > 1:
            shapes = sorted({f"{each.shape} {each.dtype}" for each in pictures})
            raise Unfit(f"pictures of {shapes[0]} and {shapes[1]}: one size is needed")
        yield np.stack(pictures), labels


def _label(given: Array) -> Any:
    """A label as a number or a text; `Unfit` if it is neither."""
    if given.size != 1:
        raise Unfit(
            f"a label has the shape {given.shape}: it must be one whole number or text, and come"
            " in the order (picture, label); of a row of zeros and a one give its place, argmax()"
        )
    return given.item()


def _array(given: Any) -> Array:
    """A tensor, an array, a list or a picture of PIL's as an array."""
    if isinstance(given, Tensor):
        known = given.float() if given.dtype is torch.bfloat16 else given  # which NumPy lacks
        array: Array = known.detach().cpu().numpy()
        return array
    if hasattr(given, "convert") and hasattr(given, "mode"):
        try:
            as_is = given.mode == "L" and not given.has_transparency_data
            return np.asarray(given if as_is else as_rgb(given))
        except ValueError as error:
            raise Unfit(f"a picture cannot be read: {error}") from None
    try:
        return np.asarray(given)
    except ValueError as error:  # rows of several lengths
        raise Unfit(" ".join(str(error).split())[:100]) from None


def _some(classes: Sequence[str]) -> str:
    """The first names of classes in words."""
    return plain(", ".join(map(str, classes[:5])) + (", …" if len(classes) > 5 else ""))


def _length(array: Array) -> str:
    return f"{len(array):,}" if array.ndim else "no"


def _write(archive: zipfile.ZipFile, key: str, array: Array) -> None:
    with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)
