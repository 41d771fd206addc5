"""Examples as files: folders of PNGs with a table beside them, and an npz like dSprites'.

Nothing is ever overwritten, nothing half-written is left behind, and the same examples always give
the same bytes.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lab.core.atomic import draft, replace
from lab.core.paths import at_home
from lab.worlds.examples import Examples
from lab.worlds.schema import Attribute

LEVELS = 10
"""Classes of a continuous attribute in `latents_classes`: equal steps from its low to its high."""

COLUMNS = ("file_name", "label", "clean_label", "kind", "identity")
"""First columns of metadata.csv; the attributes follow."""


def write_folder(batches: Iterable[Examples], path: Path) -> int:
    """Write a new folder with `<label>_<class>/<number>.png` and metadata.csv; returns the count.

    torchvision's `ImageFolder` reads it with the lab's labels; metadata.csv holds names in words
    and numbers that read back as the same float32. Raises `ValueError` if `path` exists.
    """
    total = 0
    with reserved(at_home(path)) as folder:
        folder.mkdir()
        with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            for examples in batches:
                if total == 0:
                    table.writerow((*COLUMNS, *examples.samples.schema))
                folders = class_folders(examples.classes)
                for name in folders:
                    (folder / name).mkdir(exist_ok=True)
                files = [
                    f"{folders[label]}/{number:06d}.png"
                    for number, label in enumerate(examples.labels.tolist(), total)
                ]
                pixels = examples.images.permute(0, 2, 3, 1).cpu().numpy()
                for name, picture in zip(files, pixels, strict=True):
                    Image.fromarray(picture).save(folder / name)
                table.writerows(zip(files, *_words(examples), strict=True))
                total += len(examples)
    return total


def write_npz(
    batches: Iterable[Examples], path: Path, *, about: Mapping[str, str] = MappingProxyType({})
) -> int:
    """Write a new compressed npz that loads with `allow_pickle=False`; returns the count.

    After dSprites (Matthey et al., 2017): `imgs` (N, S, S, 3) uint8, `latents_values` (N, K)
    float64, `latents_classes` (N, K) int64, `metadata` (a JSON text: names, sizes and meanings of
    the K attributes, and what `about` says); and `labels`, `clean_labels`, `subpopulations`,
    `identity` (N,) int64. Raises
    `ValueError` if `path` exists.
    """
    parts: dict[str, list[npt.NDArray[np.generic]]] = {}
    metadata = ""
    for examples in batches:
        metadata = metadata or _metadata(examples, about)
        for name, column in _arrays(examples).items():
            parts.setdefault(name, []).append(column)
    arrays = {name: np.concatenate(columns) for name, columns in parts.items()}
    with reserved(at_home(path)) as file, file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, metadata=np.array(metadata), **arrays)
    return len(arrays["labels"])


def class_folders(classes: tuple[str, ...]) -> list[str]:
    """A folder's name for each class, in words, that sorts in the order of the labels."""
    digits = len(str(len(classes) - 1))
    return [f"{label:0{digits}d}_{name.replace(' ', '_')}" for label, name in enumerate(classes)]


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """A place to write to that becomes `path` when all went well, and vanishes when not.

    `path` is reserved beforehand, so that nobody else's file or folder is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        raise ValueError(f"{path} exists already; nothing is overwritten") from None
    try:
        with draft(path) as new:
            yield new
            if new.is_dir():  # a folder cannot replace a file
                path.unlink()
            replace(new, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _words(examples: Examples) -> list[list[str]]:
    """The columns of metadata.csv after the first."""
    samples, classes = examples.samples, examples.classes
    return [
        [classes[label] for label in examples.labels.tolist()],
        [classes[label] for label in examples.clean_labels.tolist()],
        [examples.all_subpopulations[kind].name for kind in examples.subpopulations.tolist()],
        [str(number) for number in examples.samples.identity.tolist()],
        *(
            # NumPy's float32 prints the shortest text that reads back as the same number.
            [str(number) for number in samples.values[name].numpy()]
            if row.kind == "continuous"
            else samples.names(name)
            for name, row in samples.schema.items()
        ),
    ]


def _arrays(examples: Examples) -> dict[str, npt.NDArray[np.generic]]:
    samples = examples.samples
    columns = {name: samples.values[name].double().numpy() for name in samples.schema}
    classes = [_level(row, columns[name]) for name, row in samples.schema.items()]
    return {
        "imgs": examples.images.permute(0, 2, 3, 1).cpu().numpy(),
        "latents_values": _stacked(list(columns.values()), len(samples), np.float64),
        "latents_classes": _stacked(classes, len(samples), np.int64),
        "labels": examples.labels.cpu().numpy(),
        "clean_labels": examples.clean_labels.cpu().numpy(),
        "subpopulations": examples.subpopulations.cpu().numpy(),
        "identity": examples.samples.identity.numpy(),
    }


def _stacked(
    columns: Sequence[npt.NDArray[Any]], count: int, kind: type[np.generic]
) -> npt.NDArray[Any]:
    """Columns (N,) side by side, (N, K), also if there are none."""
    return np.stack(columns, axis=1) if columns else np.empty((count, 0), kind)


def _level(row: Attribute, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if row.kind != "continuous":
        return values.astype(np.int64)
    steps = np.floor((values - row.low) / (row.high - row.low) * LEVELS)
    return steps.clip(0, LEVELS - 1).astype(np.int64)


def _metadata(examples: Examples, about: Mapping[str, str]) -> str:
    schema = examples.samples.schema
    return json.dumps(
        {
            **about,
            "classes": examples.classes,
            "subpopulations": [kind.name for kind in examples.all_subpopulations],
            "latents_names": list(schema),
            "latents_sizes": [len(row.values) or LEVELS for row in schema.values()],
            "latents_meanings": [row.meaning for row in schema.values()],
            "latents_possible_values": {
                row.name: row.values or (row.low, row.high) for row in schema.values()
            },
        },
        indent=1,
    )
