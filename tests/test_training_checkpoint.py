"""Checkpoints: whole or absent, and believed only after they are checked."""

import errno
import hashlib
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from lab.core.run_dir import LAST, PREVIOUS, RunDir
from lab.training.checkpoint import (
    FORMAT,
    Checkpoint,
    OtherFormat,
    load_checkpoint,
    save_checkpoint,
)


def checkpoint(step: int) -> Checkpoint:
    """A small one."""
    torch.manual_seed(step)
    return Checkpoint(
        step=step,
        model={"weight": torch.randn(4)},
        optimizer={"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
        progress={"best": {"loss": 0.5}, "seconds": {"training": 1.0}},
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    saved = checkpoint(7)
    save_checkpoint(tmp_path / "new" / LAST, saved)
    loaded = load_checkpoint(tmp_path / "new" / LAST)
    assert loaded.step == 7
    assert torch.equal(loaded.model["weight"], saved.model["weight"])
    assert (loaded.optimizer, loaded.progress) == (saved.optimizer, saved.progress)
    assert os.listdir(tmp_path / "new") == [LAST]


def test_any_damage_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(path, checkpoint(1))
    good = path.read_bytes()
    end = good.rindex(b"memorization-lab")
    damaged = [good[:length] for length in (0, 1, end - 1, end, end + 1, len(good) - 1)]
    damaged += [b"<html>not found</html>\n", bytes(len(good)), good + b"\0"]
    for place in (0, 20, *range(60, end, 97), *range(end - 3, len(good), 7), len(good) - 1):
        flipped = bytearray(good)
        flipped[place] ^= 1
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="last") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(good)
    assert load_checkpoint(path).step == 1


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.trap),))


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    content = pickle.dumps(Payload(tmp_path / "ran"))
    content += f"memorization-lab checkpoint {FORMAT} sha256 ".encode()
    path = tmp_path / LAST
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    with pytest.raises(ValueError, match="holds no checkpoint"):
        load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("stage", ["write", "fsync", "first replace", "second replace"])
def test_a_fault_at_any_stage_leaves_a_good_checkpoint(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path)
    last, previous = run.last, run.previous
    save_checkpoint(last, checkpoint(1), keep=previous)
    save_checkpoint(last, checkpoint(2), keep=previous)
    calls = iter(["first replace", "second replace"])
    real = os.replace

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def replace(*args: str) -> None:
        full() if next(calls) == stage else real(*args)

    with monkeypatch.context() as patch:
        if stage == "write":
            patch.setattr(hashlib, "sha256", lambda data: full())
        elif stage == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(last, checkpoint(3), keep=previous)
    found = run.newest()
    assert found is not None
    assert load_checkpoint(found).step == 2
    assert not list(tmp_path.rglob("*draft*"))
    save_checkpoint(last, checkpoint(4), keep=previous)
    assert load_checkpoint(last).step == 4


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    assert RunDir(tmp_path).newest() is None
    for step in (1, 2, 3):
        save_checkpoint(tmp_path / LAST, checkpoint(step), keep=tmp_path / PREVIOUS)
    assert load_checkpoint(tmp_path / LAST).step == 3
    assert load_checkpoint(tmp_path / PREVIOUS).step == 2
    with pytest.raises(ValueError, match="there is no checkpoint"):
        load_checkpoint(tmp_path / "best.pt")


def test_a_checkpoint_of_another_version_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(path, checkpoint(1))
    content = path.read_bytes()
    mark = f"checkpoint {FORMAT} sha256".encode()
    later = content.replace(mark, mark.replace(str(FORMAT).encode(), b"9"))
    for other in (later, b"memorization-lab checkpoint 2 sha256 " + b"0" * 64 + b"\nPK"):
        path.write_bytes(other)
        with pytest.raises(OtherFormat, match="another version of the lab"):
            load_checkpoint(path)


def test_plain_torch_reads_a_checkpoint(tmp_path: Path) -> None:
    path, saved = tmp_path / LAST, checkpoint(5)
    save_checkpoint(path, saved)
    values = torch.load(path, weights_only=True)
    assert values["step"] == 5
    assert torch.equal(values["model"]["weight"], saved.model["weight"])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        told = archive.comment.decode().split()
    digest = hashlib.sha256(path.read_bytes()[:-64]).hexdigest()
    assert told == ["memorization-lab", "checkpoint", str(FORMAT), "sha256", digest]
