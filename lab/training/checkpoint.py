"""Checkpoints: files that are whole or absent, checked before they are believed.

A file is one line of text (what it is, the SHA-256 of the rest) and then what `torch.save` makes of
tensors and plain values. It is read with `weights_only=True`, so it cannot run code; and only after
its checksum, because a flipped bit inside a tensor would otherwise be loaded in silence.
"""

import hashlib
import io
import os
import warnings
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

FORMAT = 2
_HEAD = b"memorization-lab checkpoint"

LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"
"""The newest state, the one before it, and the one with the lowest loss on the validation faces so
far, where the run has any."""


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


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, keep: Path | None = None) -> None:
    """Write a checkpoint in place of the one at `path`, whole or not at all, power cuts included.

    The one that stood there stays as `keep`, if given. Raises `OSError` naming the file; a good
    one is still there then, at `path` or `keep`.
    """
    buffer = io.BytesIO()  # straight to a path, torch hides a full disk and leaves half a file
    torch.save({"format": FORMAT, **_shallow(checkpoint)}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest().encode()
    head = b"%s %d sha256 %s\n" % (_HEAD, FORMAT, digest)
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")  # one writer: a leftover is overwritten
    try:
        with draft.open("wb") as file:
            file.write(head)
            file.write(content)
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
    head, _, content = content.partition(b"\n")
    words = head.split(b" ")
    if len(words) != 5 or not head.startswith(_HEAD + b" ") or words[3] != b"sha256":
        raise ValueError(f"{path} is not a checkpoint of this lab, or its beginning is lost")
    if words[2] != str(FORMAT).encode():
        version = words[2].decode(errors="replace")
        raise OtherFormat(
            f"{path} is of another version of the lab (format {version}, not {FORMAT})"
        )
    if hashlib.sha256(content).hexdigest().encode() != words[4]:
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
    kinds = {"step": int, "model": dict, "optimizer": dict, "progress": dict}
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
