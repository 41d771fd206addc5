"""Checkpoints: files that are whole or absent, checked before they are believed.

A file is what `torch.save` makes of tensors and plain values, so that `torch.load(path,
weights_only=True)` reads it: a dictionary whose entry `model` is the network's `state_dict`. It is
a zip archive, and the archive's comment, its last bytes, holds the SHA-256 of all that comes
before: a flipped bit inside a tensor would otherwise be loaded in silence. The lab reads it with
`weights_only=True`, too, so it cannot run code.
"""

import hashlib
import io
import os
import re
import struct
import warnings
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

FORMAT = 3
_MARK = b"memorization-lab checkpoint"
_COMMENT = re.compile(rb"%s (\d{1,9}) sha256 ([0-9a-f]{64})" % _MARK)
_LONGEST = 200
"""Bytes at the end of a file in which its comment is looked for."""

LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"
"""The newest state, the one before it, and the one with the lowest test loss so far."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped, after `step` steps.

    `progress` belongs to the loop: the last step that was evaluated, what is best so far, seconds
    spent. The best one holds weights only.
    """

    step: int
    model: dict[str, Any]
    optimizer: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    provenance: str = ""
    """What stands for the pictures and the source files that it was trained with."""


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, keep: Path | None = None) -> None:
    """Write a checkpoint in place of the one at `path`, whole or not at all, power cuts included.

    The one that stood there stays as `keep`, if given. Raises `OSError` naming the file; a good
    one is still there then, at `path` or `keep`.
    """
    buffer = io.BytesIO()  # straight to a path, torch hides a full disk and leaves half a file
    torch.save({"format": FORMAT, **_shallow(checkpoint)}, buffer)
    content = _with_checksum(buffer.getbuffer())
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")  # one writer: a leftover is overwritten
    try:
        with draft.open("wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)  # killed between the two, a run has `keep`: see `newest`
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        error.filename = str(path)
        raise
    _sync_folder(path.parent)


def _with_checksum(archive: memoryview) -> tuple[bytes | memoryview, ...]:
    """A zip archive without a comment, and the comment that holds its checksum, to be written one
    after the other. An archive ends with the length of its comment, two bytes."""
    comment = b"%s %d sha256 " % (_MARK, FORMAT)
    body = archive[:-2]
    rest = struct.pack("<H", len(comment) + 64) + comment
    digest = hashlib.sha256(body)
    digest.update(rest)
    return body, rest, digest.hexdigest().encode()


def newest(folder: Path) -> Path | None:
    """The newest checkpoint of a run in its folder of checkpoints; None if there is none yet."""
    return next((folder / n for n in (LAST, PREVIOUS) if (folder / n).exists()), None)


class OtherFormat(ValueError):
    """A whole checkpoint, but of a version of the lab that kept them differently."""


def load_checkpoint(path: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint onto `device`; `ValueError` in one line if the file is damaged."""
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}")
    content = path.read_bytes()
    comment = _COMMENT.search(content, max(0, len(content) - _LONGEST))
    if content.startswith(_MARK):  # where earlier versions had it
        raise OtherFormat(f"{path} is of another version of the lab (earlier than format 3)")
    if comment is None or comment.end() != len(content):
        raise ValueError(f"{path} is not a checkpoint of this lab, or its end is lost")
    if int(comment[1]) != FORMAT:
        raise OtherFormat(
            f"{path} is of another version of the lab (format {int(comment[1])}, not {FORMAT})"
        )
    before = memoryview(content)[: comment.start(2)]
    if hashlib.sha256(before).hexdigest().encode() != comment[2]:
        raise ValueError(f"{path} is damaged: its checksum does not match its {len(content)} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, on files that it did not write
            values = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        return _whole(
            Checkpoint(**{entry.name: values[entry.name] for entry in fields(Checkpoint)})
        )
    except Exception as error:  # torch raises half a dozen kinds; the checksum says it is no damage
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} holds no checkpoint of this lab: {reason}") from None


def load_weights(model: nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Give the model a checkpoint's weights; `ValueError` if they are another architecture's."""
    try:
        model.load_state_dict(checkpoint.model)
    except (RuntimeError, TypeError, AttributeError):  # the latter two where they are no tensors
        raise ValueError(
            f"{path} holds weights of another network: has its file changed since the run?"
        ) from None


def _whole(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint if its entries are of the right kinds; `ValueError` otherwise."""
    kinds = {
        "step": int, "model": dict, "optimizer": dict, "progress": dict, "provenance": str,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(getattr(checkpoint, name), kind):
            raise ValueError(f"its {name} is no {kind.__name__}")
    return checkpoint


def _shallow(checkpoint: Checkpoint) -> dict[str, Any]:
    return {entry.name: getattr(checkpoint, entry.name) for entry in fields(checkpoint)}


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
