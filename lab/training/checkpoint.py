"""Checkpoints: written atomically, verified by a checksum when read.

A file is what `torch.save` makes of tensors and plain values, so that `torch.load(path,
weights_only=True)` reads it: a dictionary whose entry `model` is the network's `state_dict`. It is
a zip archive, and the archive's comment, its last bytes, holds the SHA-256 of everything before it:
a flipped bit inside a tensor would otherwise be loaded silently. The lab reads it with
`weights_only=True`, too, so that loading one cannot execute code.
"""

import hashlib
import io
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.core.atomic import replace_file
from lab.core.errors import LabError
from lab.core.text import one_line, plain
from lab.models.failure import place_of

FORMAT = 4
_MARK = b"memorization-lab checkpoint"
_COMMENT = re.compile(rb"%s (\d{1,9}) sha256 ([0-9a-f]{64})" % _MARK)
_LONGEST = 200
"""Bytes at the end of a file in which its comment is looked for."""
_UNFIT = "Error(s) in loading state_dict"

LONGEST = 300
"""Characters of torch's list of weights that do not fit."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of training after `step` steps: all that an exact resumption needs.

    `progress` is the loop's: the last evaluated step, the best evaluation so far, seconds spent.
    The checkpoint of the best weights has nothing but `model`.
    """

    step: int
    model: dict[str, Any]
    optimizer: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    provenance: str = ""
    """A digest of the pictures, settings and source files that it was trained with."""


class Damaged(LabError, ValueError):
    """A file that is no checkpoint, is truncated, or does not match its checksum."""


class OtherFormat(LabError, ValueError):
    """An intact checkpoint of another version of the format."""


class Unserializable(LabError, ValueError):
    """A state with values that a checkpoint cannot hold: others than tensors and plain values."""


def encode(checkpoint: Checkpoint) -> bytes:
    """The content of a checkpoint's file. Raises `Unserializable` if the network's or the
    objective's state has values that could be written but not read back."""
    for key, value in checkpoint.model.items():
        if type(value) not in (Tensor, nn.Parameter) or value.is_mkldnn:
            _refuse_unreadable(value, _whose(key))
    for key, value in checkpoint.objective.items():
        if type(key) is not str or type(value) is not Tensor or value.is_mkldnn:
            _refuse_unreadable({key: value}, f"state()[{key!r}] ")
    buffer = io.BytesIO()  # straight to a path, torch hides a full disk and leaves half a file
    torch.save({"format": FORMAT, **_shallow(checkpoint)}, buffer)
    return _with_checksum(buffer.getbuffer())


def decode(content: bytes, path: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint in the `content` of the file at `path`, on `device`.

    Raises `ValueError` in one line: `Damaged`, `OtherFormat`, or a plain one for an intact file
    with other content.
    """
    if content.startswith(_MARK):  # formats 1 and 2 began with it
        raise OtherFormat(f"{path} is of another version of the lab (earlier than format 3)")
    comment = _COMMENT.search(content, max(0, len(content) - _LONGEST))
    if comment is None or comment.end() != len(content):
        raise Damaged(f"{path} is not a checkpoint of this lab, or its end is lost")
    if int(comment[1]) != FORMAT:
        raise OtherFormat(
            f"{path} is of another version of the lab (format {int(comment[1])}, not {FORMAT})"
        )
    before = memoryview(content)[: comment.start(2)]
    if hashlib.sha256(before).hexdigest().encode() != comment[2]:
        raise Damaged(f"{path} is damaged: its checksum does not match its {len(content)} bytes")
    try:
        values = _load(content, device)
        return _whole(
            Checkpoint(**{entry.name: values[entry.name] for entry in fields(Checkpoint)})
        )
    except Exception as error:  # torch raises half a dozen kinds; the checksum says it is no damage
        raise ValueError(f"{path} holds no checkpoint of this lab: {_reason(error)}") from None


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, keep: Path | None = None) -> None:
    """Replace the checkpoint at `path` atomically and durably (it survives a power cut).

    The former one is kept at `keep`, if given. Raises `OSError` naming the file, or
    `Unserializable`; an intact checkpoint is then still at `path` or `keep`.
    """
    content = encode(checkpoint)
    path.parent.mkdir(exist_ok=True)
    replace_file(path, content, keep=keep)


def _with_checksum(archive: memoryview) -> bytes:
    """A zip archive without a comment, with the comment that has its checksum appended: an archive
    ends with the comment's length, two bytes, and the comment."""
    comment = b"%s %d sha256 " % (_MARK, FORMAT)
    content = bytes(archive[:-2]) + struct.pack("<H", len(comment) + 64) + comment
    return content + hashlib.sha256(content).hexdigest().encode()


def load_checkpoint(path: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint at `path`, on `device`; `ValueError` as `decode` raises it, or for no file."""
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}")
    return decode(path.read_bytes(), path, device=device)


def load_weights(model: nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Load a checkpoint's weights into the model; `ValueError` if they do not fit it."""
    try:
        give_state(model, checkpoint.model)
    except (
        Exception
    ) as error:  # also from the network's own code, or for values that are no tensors
        if str(error).startswith(_UNFIT):
            raise ValueError(
                f"{path} holds weights of another network: has its file changed since the run?"
                f" {why_not_taken(error)}"
            ) from None
        raise ValueError(
            f"{path}: the network cannot take back its state: {why_not_taken(error)}"
        ) from error


def why_not_taken(error: Exception) -> str:
    """The reason why a network rejects a state: what does not fit, or its own code's error."""
    if str(error).startswith(_UNFIT):
        return plain(str(error).partition(":")[2])[:LONGEST]
    return one_line(error) + (f" ({place})" if (place := place_of(error)) else "")


def give_state(model: nn.Module, state: Mapping[str, Any]) -> None:
    """`model.load_state_dict`, after adding or resizing buffers to fit the state: training may have
    created them or changed their shape."""
    modules = dict(model.named_modules())
    for key, value in state.items():
        owner, _, name = key.rpartition(".")
        module = modules.get(owner)
        if module is None or isinstance(module, torch.jit.ScriptModule):
            continue  # `load_state_dict` raises for it
        if not isinstance(value, Tensor) or name in module._parameters:
            continue
        present = module._buffers.get(name)
        if isinstance(present, Tensor) and not is_lazy(present) and _takes(present, value):
            continue
        if name in module._buffers:
            kept = name not in module._non_persistent_buffers_set
            device = present.device if isinstance(present, Tensor) else value.device
            module.register_buffer(name, torch.empty_like(value, device=device), persistent=kept)
        elif not hasattr(module, name):
            module.register_buffer(name, torch.empty_like(value))
    model.load_state_dict(state)


def _takes(present: Tensor, value: Tensor) -> bool:
    """Whether the numbers of `value` can be copied into the buffer that is `present`."""
    if present.is_nested or value.is_nested:
        return present.is_nested and value.is_nested
    if present.shape != value.shape or present.layout != value.layout:
        return False
    if present.layout in (torch.strided, torch.sparse_coo):
        return True
    return not present.is_sparse_csr or present._nnz() == value._nnz()


def _load(content: bytes, device: str | torch.device) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on files that it did not write
        return torch.load(io.BytesIO(content), map_location=device, weights_only=True)


def _whose(key: str) -> str:
    """What has made the entry `key` of a network's state, in words for an error."""
    if "_extra_state" not in key:
        return f"{key!r} "
    module = key.removesuffix("_extra_state").rstrip(".")
    return "get_extra_state " + (f"of its module {module!r} " if module else "")


def _refuse_unreadable(value: object, what: str) -> None:
    """Raise `Unserializable` if a `value` of a state, made by `what`, could not be read back."""
    buffer = io.BytesIO()
    try:
        torch.save(value, buffer)
        _load(buffer.getvalue(), "cpu")
    except Exception as error:
        raise Unserializable(
            f"its state cannot be kept: {what}holds {_foreign(value) or _reason(error)}, and"
            " checkpoints hold tensors and plain Python values only (int, float, str, list, dict)"
        ) from error


def _foreign(value: object) -> str:
    """The type of the first value in nested containers that is not plain; empty if all are."""
    if isinstance(value, dict):
        return next(filter(None, map(_foreign, (*value.keys(), *value.values()))), "")
    if isinstance(value, (list, tuple, set)):
        return next(filter(None, map(_foreign, value)), "")
    if isinstance(value, Tensor) and value.is_mkldnn:
        return f"a tensor of the layout {value.layout}"
    if value is None or type(value) in (bool, int, float, complex, str, bytes, Tensor):
        return ""
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _reason(error: Exception) -> str:
    """The reason why torch's `weights_only` loader rejects a file, without its advice to disable
    it."""
    said = str(error)
    foreign = re.search(r"GLOBAL (\S+)|[Uu]nsupported class (\S+)", said)
    if foreign:
        return f"it holds {plain(foreign[1] or foreign[2])}, and not only tensors and plain values"
    return plain(said.splitlines()[0]) if said.strip() else type(error).__name__


def _whole(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, if its entries have the right types; `ValueError` otherwise."""
    kinds = {
        "step": int, "model": dict, "optimizer": dict, "objective": dict, "progress": dict,
        "provenance": str,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(getattr(checkpoint, name), kind):
            raise ValueError(f"its {name} is no {kind.__name__}")
    return checkpoint


def _shallow(checkpoint: Checkpoint) -> dict[str, Any]:
    return {entry.name: getattr(checkpoint, entry.name) for entry in fields(checkpoint)}
