"""Odd and damaged .npz files: a world, or one line that names the file."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from lab.core.config import DataConfig
from lab.worlds import open_world
from support.hostile import TIMES, search
from support.scripts import is_a_good_line

KINDS = ("u1", "i2", "f2", "f4", ">f8", "?", "c8", "O", "U3", "S3", "M8[s]", "V4")


def is_world_or_line(path: Path) -> None:
    """Assert that a file is a world whose pictures can be loaded, or refused in one line."""
    try:
        world = open_world(DataConfig(data=str(path), image_size=16), seed=0)
        examples = world.load("train", world.data.num_train)
    except ValueError as error:
        is_a_good_line(str(error), names=path.name)
        return
    assert examples.images.shape == (len(examples), 3, 16, 16)
    assert world.version.startswith("arrays-")


def archive(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


@TIMES
def test_any_arrays_are_a_world_or_one_line(
    times: int, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "odd.npz"
    sides = st.lists(st.sampled_from((0, 1, 2, 3, 4, 5)), max_size=5)
    made = st.tuples(sides, st.sampled_from(KINDS), st.integers(0, 9), st.booleans())

    def array(shape: list[int], kind: str, seed: int, columns: bool) -> np.ndarray:
        numbers = np.random.default_rng(seed).integers(0, 2, shape)
        with np.errstate(all="ignore"):
            found = np.asarray(numbers).astype("i8" if kind == "M8[s]" else kind)
        return np.asfortranarray(found) if columns else found

    def holds(x: tuple, y: tuple, others: dict[str, tuple]) -> None:
        path.write_bytes(
            archive(x=array(*x), y=array(*y), **{k: array(*v) for k, v in others.items()})
        )
        is_world_or_line(path)

    pictures = st.tuples(
        st.lists(st.sampled_from((3, 4, 5)), min_size=3, max_size=4), st.sampled_from(KINDS[:5]),
        st.integers(0, 9), st.booleans(),
    )  # fmt: skip
    labels = st.tuples(
        st.sampled_from(([3], [4], [5])), st.sampled_from(("u1", "i2", "U3", "S3", "O")),
        st.integers(0, 9), st.booleans(),
    )  # fmt: skip
    others = st.dictionaries(st.sampled_from(("x_test", "y_test", "class_names")), made | labels)
    search(holds, pictures | made, labels | made, others, examples=60, times=times)
    assert [str(warning.message) for warning in recwarn] == []


@TIMES
def test_a_file_cut_anywhere_or_changed_is_a_world_or_one_line(times: int, tmp_path: Path) -> None:
    path = tmp_path / "torn.npz"
    y = np.arange(12) % 3
    x = np.random.default_rng(0).integers(0, 255, (12, 6, 5, 3)).astype(np.uint8)
    good = archive(x=x, y=y, class_names=np.array(["a", "b", "c"]))

    def holds(changes: list[tuple[int, int]], keep: int | None) -> None:
        content = bytearray(good)
        for place, value in changes:
            content[place % len(content)] = value
        path.write_bytes(bytes(content[:keep]))
        is_world_or_line(path)

    places = st.integers(0, len(good)) | st.integers(0, 160)
    changes = st.lists(st.tuples(places, st.integers(0, 255)), max_size=3)
    search(holds, changes, st.none() | st.integers(0, len(good)), examples=60, times=times)

    def junk(content: bytes) -> None:
        path.write_bytes(content)
        is_world_or_line(path)

    search(junk, st.binary(max_size=99), examples=40, times=times)
