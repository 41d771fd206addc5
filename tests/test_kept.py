"""Kept pictures: decoded once, mapped by every run, never those of other content or settings."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lab.core import decoding
from lab.core.config import DataConfig
from lab.experiments import run_grid
from lab.worlds import StoredWorld, kept, open_world, save_npz
from lab.worlds.copies import NearCopies, near_copies
from lab.worlds.doubts import doubts_of_pictures
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import is_a_good_line


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where even the smallest sets are kept."""
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "cache"))
    monkeypatch.setattr(kept, "WORTH", 1)
    return tmp_path / "cache"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name, shade in (("cat", 0), ("dog", 100)):
        fill(tmp_path / "pets" / name, 20, shade)
    return tmp_path / "pets"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The files that are decoded."""
    paths: list[Path] = []
    decode = decoding.open_picture

    def noted(path: Path) -> Image.Image:
        paths.append(path)
        return decode(path)

    monkeypatch.setattr(decoding, "open_picture", noted)
    return paths


def opened(place: Path, *, seed: int = 0, **settings: Any) -> StoredWorld[Any]:
    data = DataConfig(**{"data": str(place), "image_size": 16, **settings})
    world = open_world(data, seed=seed)
    assert isinstance(world, StoredWorld)
    return world


def images(place: Path, split: str = "train", **settings: Any) -> Tensor:
    world = opened(place, **settings)
    count = {"train": world.data.num_train, "test": world.data.num_test}[split]
    return world.load(split, count).images


def entries(cache: Path) -> list[Path]:
    return sorted(path.parent for path in cache.glob("*/*/pixels"))


def test_small_sets_leave_no_trace(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "WORTH", 40 * kept.EACH + 1)
    world = opened(pets)
    train, test = world.load("train", 32), world.load("test", 8)
    doubts_of_pictures(world, train, test)
    assert world.version
    assert not cache.exists()


def test_kept_pictures_are_those_that_are_read_each_time(
    cache: Path, pets: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [images(pets, split) for split in ("train", "test") * 2]
    assert len(read) == 40, "each once"
    monkeypatch.setenv(kept.FOLDER, "off")
    for split, some in zip(("train", "test") * 2, found, strict=True):
        assert torch.equal(some, images(pets, split))
    assert len(read) == 120


def test_other_seeds_and_sizes_of_sets_read_only_what_is_new(
    cache: Path, pets: Path, read: list[Path]
) -> None:
    small = images(pets, num_train=10)
    assert len(read) == 10
    large = images(pets)
    assert len(read) == 32
    assert torch.equal(large[:10], small)
    images(pets, "test")
    other = images(pets, seed=1)
    assert len(read) == 40
    world = opened(pets, seed=1)
    for i in range(32):
        pixels = np.array(Image.open(pets / world.name("train", i)))
        assert pixels.shape == (16, 20, 3)
        assert torch.equal(other[i], torch.from_numpy(pixels[:, 2:18]).permute(2, 0, 1))


def test_other_content_sizes_ways_and_decoders_are_read_anew(
    cache: Path, pets: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = images(pets)
    for settings in ({"image_size": 17}, {"resize": "stretch"}, {"resize": "letterbox"}):
        read.clear()
        assert not torch.equal(images(pets, **settings), first)
        assert len(read) == 32
    path = pets / opened(pets).name("train", 3)
    Image.fromarray(np.full((16, 20, 3), 7, np.uint8)).save(path)
    read.clear()
    again = images(pets)
    assert read == [path]
    assert (again[3] == 7).all()
    monkeypatch.setattr(kept, "decoder", lambda: "newer")
    read.clear()
    assert torch.equal(images(pets), again)
    assert len(read) == 32


def test_writing_to_a_set_changes_nothing_that_is_kept(cache: Path, pets: Path) -> None:
    first = images(pets)
    wanted = first.clone()
    first.zero_()
    assert torch.equal(images(pets), wanted)


def flip(path: Path) -> None:
    """Damage one bit in the middle of a file, whose size and times stay as they were."""
    content, at = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))


def test_no_damaged_picture_is_copied_to_another_set(cache: Path, pets: Path) -> None:
    wanted = images(pets, num_train=20).clone()
    images(pets)
    for entry in entries(cache):
        flip(entry / "pixels")
        if (entry / "ids").stat().st_size == 32 * 20:
            (entry / "ids").unlink()
    assert torch.equal(images(pets, num_train=20), wanted)


def test_what_is_not_whole_or_not_private_is_not_taken(
    cache: Path, pets: Path, read: list[Path]
) -> None:
    wanted = images(pets).clone()
    (entry,) = entries(cache)
    for damage in (
        lambda: os.truncate(entry / "pixels", 100),
        (entry / "ids").unlink,
        lambda: os.truncate(entry / "ids", 64),
        lambda: flip(entry / "pixels"),
        lambda: flip(entry / "ids"),
        lambda: flip(entry / "crc32"),
        (entry / "crc32").unlink,
    ):
        read.clear()
        damage()
        assert torch.equal(images(pets), wanted)
        assert len(read) > 20
    (entry.parent / f".{entry.name}.123.tmp").mkdir()
    images(pets, num_train=9)
    assert not list(cache.glob("*/.*.tmp")), "left by a process that died"
    if hasattr(os, "getuid"):
        cache.chmod(0o777)
        read.clear()
        images(pets)
        assert len(read) == 32


def test_what_was_not_used_for_longest_makes_room(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = 10 * 3 * 16**2
    monkeypatch.setenv(kept.BOUND, str(2.5 * each / 1e9))
    monkeypatch.setattr(kept.Kept, "digests", lambda self, root, listing: [
        kept.sha256(root / name) for name in listing
    ])  # fmt: skip
    for seed in (0, 1):
        images(pets, seed=seed, num_train=10)
    first, second = sorted(entries(cache), key=lambda path: (path / "pixels").stat().st_mtime_ns)
    os.utime(first / "pixels", (1, 1))
    os.utime(second / "pixels", (2, 2))
    images(pets, seed=0, num_train=10)  # used again
    images(pets, seed=2, num_train=10)
    assert first in entries(cache)
    assert second not in entries(cache)
    assert len(entries(cache)) == 2
    monkeypatch.setenv(kept.BOUND, str(0.5 * each / 1e9))
    assert len(images(pets, seed=3, num_train=10)) == 10, "it is read without being kept"
    for odd in ("-1", "much", "nan"):
        monkeypatch.setenv(kept.BOUND, odd)
        with pytest.raises(ValueError, match=kept.BOUND) as caught:
            images(pets)
        is_a_good_line(str(caught.value))


def test_a_full_disk_is_no_reason_to_stop(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*rest: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    assert len(images(pets)) == 32
    assert entries(cache) == []


def test_digests_are_kept_for_files_that_were_at_rest(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(kept, "sha256", lambda path: hashed.append(path) or path.name)
    names = [f"cat/{i:03}.png" for i in range(20)]

    def listing() -> dict[str, tuple[int, ...]]:
        at = {name: (pets / name).stat() for name in names}
        return {n: (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for n, s in at.items()}

    assert len(kept.Kept.here().digests(pets, listing())) == 20
    kept.Kept.here().digests(pets, listing())
    assert len(hashed) == 40, "they were written a moment ago"
    now = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: now)
    for _ in range(3):
        found = kept.Kept.here().digests(pets, listing())
    assert len(hashed) == 60
    assert found == [name[4:] for name in names]
    (pets / names[4]).write_bytes(b"other")
    kept.Kept.here().digests(pets, listing())
    assert hashed[60:] == [pets / names[4]]


def test_several_processes_write_the_same_pixels(
    cache: Path, tmp_path: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "WORTH", 2)
    monkeypatch.setattr(decoding, "CHUNK", 4)
    monkeypatch.setattr("lab.worlds.folder.processors", lambda: 2)
    world, done = opened(pets), []
    world.read_ahead(progress=lambda what, number, of: done.append((number, of)), train=32)
    found = world.load("train", 32).images
    assert done[-1] == (32, 32)
    monkeypatch.setenv(kept.FOLDER, "off")
    assert torch.equal(found, images(pets))
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "other"))
    broken = [world.name("train", i) for i in (20, 6)]
    for name in broken:
        (pets / name).write_bytes(b"no picture")
    with pytest.raises(ValueError, match=broken[1]) as caught:
        images(pets)
    is_a_good_line(str(caught.value))
    assert entries(tmp_path / "other") == []


def test_near_copies_are_looked_for_once(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = opened(pets)
    (pets / "cat" / "copy.png").write_bytes((pets / world.name("test", 0)).read_bytes())
    searched = []

    def noted(*sets: Any, **settings: Any) -> NearCopies:
        searched.append(sets)
        return near_copies(*sets, **settings)

    monkeypatch.setattr("lab.worlds.copies.near_copies", noted)

    def told(**settings: Any) -> list[str]:
        world = opened(pets, **settings)
        counts = {"train": world.data.num_train, "test": world.data.num_test}
        return doubts_of_pictures(world, *(world.load(split, n) for split, n in counts.items()))

    first = [told(seed=seed) for seed in range(4)]
    assert sum(map(len, first)) > 0
    assert len(searched) == 16
    assert [told(seed=seed) for seed in range(4)] == first
    assert len(searched) == 16
    told(num_train=5)
    assert len(searched) == 20


def test_arrays_are_kept_too_and_read_in_parts(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 255, (50, 20, 16, 3)).astype(np.uint8)
    path = save_npz(tmp_path / "mine.npz", (x, np.arange(50) % 2))
    monkeypatch.setattr("lab.worlds.npz.BLOCK", 7 * x[0].nbytes)
    found = images(path)
    monkeypatch.setattr("lab.worlds.npz.Npz.blocks", None)
    assert torch.equal(images(path), found)
    monkeypatch.setattr(kept, "MAPPED", 1)
    world = opened(path)
    parts = [part.images for part in world.batches("train", 40, 12)]
    assert [len(part) for part in parts] == [12, 12, 12, 4]
    assert torch.equal(torch.cat(parts), found)


def test_more_than_memory_is_refused_only_where_it_would_be_in_memory(
    cache: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.worlds.validate.memory", lambda: 1000)
    monkeypatch.setattr(kept, "MAPPED", 5000)
    monkeypatch.setattr(kept, "SPARE", 0)
    opened(pets).read_ahead(train=32)
    monkeypatch.setenv(kept.FOLDER, "off")
    with pytest.raises(ValueError, match="32 pictures of 16 px take"):
        opened(pets).read_ahead(train=32)


def test_a_grid_does_not_count_what_is_mapped(
    cache: Path, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_here: Any
) -> None:
    monkeypatch.setattr("lab.worlds.validate.memory", lambda: 1000)
    base = tiny(tmp_path / "grid", data=str(pets), num_train=8, num_test=8)
    with pytest.raises(ValueError, match="lower --processes"):
        run_grid(base, {}, seeds=1, out=tmp_path / "grid", processes=1)
    monkeypatch.setattr(kept, "MAPPED", 1000)
    monkeypatch.setattr(kept, "SPARE", 0)
    (cell,) = run_grid(base, {}, seeds=1, out=tmp_path / "grid", processes=1).cells
    assert len(cell.runs) == 1
