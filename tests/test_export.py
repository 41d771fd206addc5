"""Exports read back, redraw to the same pixels, repeat byte for byte, and overwrite nothing."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from lab.core.config import DataConfig
from lab.worlds import Examples, draw_examples, get_task, open_world
from lab.worlds.export import LEVELS, class_folders, write_folder, write_npz
from lab.worlds.faces import ATTRIBUTES, Faces, render
from support.scripts import is_refused, load_script, run_here

CONFIG = DataConfig(image_size=20, label_noise=0.4)


@pytest.fixture(scope="module")
def examples() -> Examples:
    return draw_examples(CONFIG, split="train", count=30, seed=0)


def batches(size: int) -> Iterator[Examples]:
    return open_world(CONFIG).batches("train", 30, size)


def digests(path: Path) -> dict[str, str]:
    files = sorted(p for p in [path, *path.rglob("*")] if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_image_folder_reads_the_pictures_and_labels(examples: Examples, tmp_path: Path) -> None:
    assert write_folder(batches(12), tmp_path / "faces") == 30
    folder = ImageFolder(str(tmp_path / "faces"))
    assert len(folder) == 30
    for (picture, label), (name, _) in zip(folder, folder.samples, strict=True):
        number = int(Path(name).stem)
        assert label == examples.labels[number]
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        assert torch.equal(pixels, examples.images[number])


def test_the_table_redraws_the_pictures(examples: Examples, tmp_path: Path) -> None:
    write_folder([examples], tmp_path / "faces")
    with (tmp_path / "faces" / "metadata.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    columns: dict[str, list[str | int | float]] = {}
    for name, row in ATTRIBUTES.items():
        read = {"categorical": str, "count": int, "continuous": float}[row.kind]
        columns[name] = [read(line[name]) for line in table]
    identity = torch.tensor([int(line["identity"]) for line in table])
    faces = replace(examples.samples, identity=identity).do(**columns)
    assert torch.equal(render(faces, size=20), examples.images)
    task = get_task(CONFIG.task)
    for line, picture, label, clean, kind in zip(
        table,
        examples.images,
        examples.labels,
        examples.clean_labels,
        examples.subpopulations,
        strict=True,
    ):
        pixels = np.array(Image.open(tmp_path / "faces" / line["file_name"]))
        assert (pixels == picture.permute(1, 2, 0).numpy()).all()
        assert line["label"] == task.classes[label]
        assert line["clean_label"] == task.classes[clean]
        assert line["kind"] == task.subpopulations[kind].name


def test_numpy_reads_the_npz_without_pickle(examples: Examples, tmp_path: Path) -> None:
    assert write_npz(batches(12), tmp_path / "faces.npz") == 30
    with np.load(tmp_path / "faces.npz", allow_pickle=False) as read:
        arrays = dict(read)
    metadata = json.loads(str(arrays["metadata"]))
    assert (arrays["imgs"] == examples.images.permute(0, 2, 3, 1).numpy()).all()
    assert metadata["latents_names"] == list(ATTRIBUTES)
    assert metadata["classes"] == list(examples.classes)
    for name, found in (
        ("labels", examples.labels), ("clean_labels", examples.clean_labels),
        ("subpopulations", examples.subpopulations),
    ):  # fmt: skip
        assert (arrays[name] == found.numpy()).all()
    values = {
        name: torch.from_numpy(column).to(examples.samples[name].dtype)
        for name, column in zip(ATTRIBUTES, arrays["latents_values"].T, strict=True)
    }
    faces = Faces(values, torch.from_numpy(arrays["identity"]), schema=ATTRIBUTES)
    assert torch.equal(render(faces, size=20), examples.images)
    for column, row, size in zip(
        arrays["latents_classes"].T, ATTRIBUTES.values(), metadata["latents_sizes"], strict=True
    ):
        assert column.min() >= 0
        assert column.max() < size == (len(row.values) or LEVELS)


@pytest.mark.parametrize("write", [write_folder, write_npz])
def test_the_same_faces_give_the_same_bytes(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(batches(30), tmp_path / "once")
    write(batches(7), tmp_path / "again")
    assert digests(tmp_path / "once") == digests(tmp_path / "again")
    assert len(digests(tmp_path / "once")) >= 1


@pytest.mark.parametrize("write", [write_folder, write_npz])
def test_nothing_is_overwritten(write, examples: Examples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(ValueError, match=f"{name} exists already; nothing is overwritten"):
            write([examples], tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize("write", [write_folder, write_npz])
def test_nothing_half_written_is_left(write, examples: Examples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def interrupted() -> Iterator[Examples]:
        yield examples
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(interrupted(), tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []


def test_folders_sort_like_labels_when_there_are_many_classes() -> None:
    folders = class_folders(tuple(f"class {n}" for n in range(12)))
    assert folders == sorted(folders)


def test_the_command_writes_a_runs_faces(examples: Examples, tmp_path: Path) -> None:
    words = "--num-train 30 --image-size 20 --label-noise 0.4 --out"
    assert run_here("export", *words.split(), str(tmp_path / "faces")).code == 0
    write_folder([examples], tmp_path / "expected")
    assert digests(tmp_path / "faces") == digests(tmp_path / "expected")


@pytest.mark.parametrize(
    ("out", "kind", "says"), [("a.npz", "folder", "add --format npz"), ("a", "npz", "end in .npz")]
)
def test_the_name_must_fit_the_format(out: str, kind: str, says: str, tmp_path: Path) -> None:
    """Else --data could not read it back by that name."""
    said = is_refused(
        load_script("export").export, ["--out", str(tmp_path / out), "--format", kind]
    )
    assert says in said
    assert list(tmp_path.iterdir()) == []
