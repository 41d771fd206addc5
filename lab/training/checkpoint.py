"""Checkpoints: files that are whole or absent, checked before they are believed.

A file is one line of text (what it is, the SHA-256 of the rest) and then what `torch.save` makes of
tensors and plain values. It is read with `weights_only=True`, so it cannot run code; and only after
its checksum, because a flipped bit inside a tensor would otherwise be loaded in silence.
"""

import hashlib
import io
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.models.failure import place_of
from lab.names import one_line, plain

FORMAT = 2
_HEAD = b"memorization-lab checkpoint"
_UNFIT = "Error(s) in loading state_dict"

LONGEST = 300
"""Characters of torch's list of weights that do not fit."""

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


class Damaged(ValueError):
    """A file that is not what was written: its beginning or its checksum is wrong."""


class OtherFormat(ValueError):
    """A whole checkpoint, but of a version of the lab that kept them differently."""


class Unkeepable(ValueError):
    """A network's state holds what no checkpoint can, so that it could not be read back."""


def encode(checkpoint: Checkpoint) -> bytes:
    """The content of a checkpoint's file. Raises `Unkeepable` for a network whose state holds more
    than tensors and plain values, which would be written well but never read again."""
    for key, value in checkpoint.model.items():
        if type(value) not in (Tensor, nn.Parameter):
            _refuse_unreadable(key, value)
    buffer = io.BytesIO()  # straight to a path, torch hides a full disk and leaves half a file
    torch.save({"format": FORMAT, **_shallow(checkpoint)}, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest().encode()
    return b"%s %d sha256 %s\n%s" % (_HEAD, FORMAT, digest, content)


def decode(content: bytes, path: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint that the file at `path` holds as its `content`, on `device`.

    Raises `ValueError` in one line: `Damaged`, `OtherFormat`, or one of a whole file that holds
    something else.
    """
    head, _, content = content.partition(b"\n")
    words = head.split(b" ")
    if len(words) != 5 or not head.startswith(_HEAD + b" ") or words[3] != b"sha256":
        raise Damaged(f"{path} is not a checkpoint of this lab, or its beginning is lost")
    if words[2] != str(FORMAT).encode():
        version = plain(words[2].decode(errors="replace"))
        raise OtherFormat(
            f"{path} is of another version of the lab (format {version}, not {FORMAT})"
        )
    if hashlib.sha256(content).hexdigest().encode() != words[4]:
        raise Damaged(f"{path} is damaged: its checksum does not match its {len(content)} bytes")
    try:
        values = _load(content, device)
        return _whole(
            Checkpoint(**{entry.name: values[entry.name] for entry in fields(Checkpoint)})
        )
    except Exception as error:  # torch raises half a dozen kinds; the checksum says it is no damage
        raise ValueError(f"{path} holds no checkpoint of this lab: {_reason(error)}") from None


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, keep: Path | None = None) -> None:
    """Write a checkpoint in place of the one at `path`, whole or not at all, power cuts included.

    The one that stood there stays as `keep`, if given. Raises `OSError` naming the file, or
    `Unkeepable`; a good one is still there then, at `path` or `keep`.
    """
    content = encode(checkpoint)
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")  # one writer: a leftover is overwritten
    try:
        with draft.open("wb") as file:
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


def load_checkpoint(path: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint onto `device`; `ValueError` in one line if that cannot be: see `decode`."""
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}")
    return decode(path.read_bytes(), path, device=device)


def load_weights(model: nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Give the model a checkpoint's weights; `ValueError` if they are another architecture's."""
    try:
        give_state(model, checkpoint.model)
    except Exception as error:  # where they are no tensors, or the network's own code raises it
        if str(error).startswith(_UNFIT):
            raise ValueError(
                f"{path} holds weights of another network: has its file changed since the run?"
                f" {why_not_taken(error)}"
            ) from None
        raise ValueError(
            f"{path}: the network cannot take back its state: {why_not_taken(error)}"
        ) from error


def why_not_taken(error: Exception) -> str:
    """Why a network does not take a state: what does not fit, or what its own code says."""
    if str(error).startswith(_UNFIT):
        return plain(str(error).partition(":")[2])[:LONGEST]
    return one_line(error) + (f" ({place})" if (place := place_of(error)) else "")


def give_state(model: nn.Module, state: Mapping[str, Any]) -> None:
    """`model.load_state_dict`, but for buffers as they were when the state was kept: training may
    have made them, or changed their shape."""
    modules = dict(model.named_modules())
    for key, value in state.items():
        owner, _, name = key.rpartition(".")
        module = modules.get(owner)
        if module is None or isinstance(module, torch.jit.ScriptModule):
            continue  # `load_state_dict` knows what to say
        if not isinstance(value, Tensor) or name in module._parameters:
            continue
        present = module._buffers.get(name)
        if isinstance(present, Tensor) and not is_lazy(present) and present.shape == value.shape:
            continue
        if name in module._buffers:
            kept = name not in module._non_persistent_buffers_set
            device = present.device if isinstance(present, Tensor) else value.device
            module.register_buffer(name, torch.empty_like(value, device=device), persistent=kept)
        elif not hasattr(module, name):
            module.register_buffer(name, torch.empty_like(value))
    model.load_state_dict(state)


def _load(content: bytes, device: str | torch.device) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on files that it did not write
        return torch.load(io.BytesIO(content), map_location=device, weights_only=True)


def _refuse_unreadable(key: str, value: object) -> None:
    """Raise `Unkeepable` if the entry `key` of a network's state could not be read back."""
    buffer = io.BytesIO()
    try:
        torch.save(value, buffer)
        _load(buffer.getvalue(), "cpu")
    except Exception as error:
        module = key.removesuffix("_extra_state").rstrip(".")
        whose = f"of its module {module!r} " if module else ""
        what = "get_extra_state " + whose if "_extra_state" in key else f"{key!r} "
        raise Unkeepable(
            f"its state cannot be kept: {what}holds {_foreign(value) or _reason(error)}, and"
            " checkpoints hold tensors and plain Python values only (int, float, str, list, dict)"
        ) from error


def _foreign(value: object) -> str:
    """The kind of the first thing in nested plain values that is none; empty if all are."""
    if isinstance(value, dict):
        return next(filter(None, map(_foreign, (*value.keys(), *value.values()))), "")
    if isinstance(value, (list, tuple, set)):
        return next(filter(None, map(_foreign, value)), "")
    if value is None or type(value) in (bool, int, float, complex, str, bytes, Tensor):
        return ""
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _reason(error: Exception) -> str:
    """Why torch's safe loader refuses a file, without its advice on how to load it all the same."""
    said = str(error)
    foreign = re.search(r"GLOBAL (\S+)|[Uu]nsupported class (\S+)", said)
    if foreign:
        return f"it holds {plain(foreign[1] or foreign[2])}, and not only tensors and plain values"
    return plain(said.splitlines()[0]) if said.strip() else type(error).__name__


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
