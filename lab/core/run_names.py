"""Names of runs: which ones every file system takes, and the one made from a run's settings."""

from __future__ import annotations

import re
from pathlib import Path

from lab.core.config import RunConfig
from lab.core.text import model_label

LONGEST = 100
"""Characters of a name."""

RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
"""Names that no file or folder can have on Windows, with whatever extension."""


def check_name(name: str) -> str:
    """`name` if it is fit for a folder's on every system; `ValueError` with the rule otherwise."""
    fit = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) and len(name) <= LONGEST
    if not fit or name.endswith("."):
        raise ValueError(
            f"--name {name[:LONGEST]!a}: use A-Z, a-z, digits and . _ - only, not a dot or a dash"
            f" first, no dot last, and at most {LONGEST} of them"
        )
    if name.partition(".")[0].lower() in RESERVED:
        raise ValueError(f"--name {name}: Windows keeps that name for a device; choose another")
    return name


def automatic_name(config: RunConfig) -> str:
    """A name from the settings that experiments vary, such as person-100-cnn16-s0."""
    data, model = config.data, config.model
    of_a_library = ".py:" not in model.model and ":" in model.model  # its name says its size
    label = model.model.rpartition(":")[2] if of_a_library else model_label(model.model)
    architecture = re.sub(r"[^A-Za-z0-9_]+", "_", label).strip("_")
    faces = "online" if config.train.online else str(data.num_train)
    what = data.task if data.data is None else Path(data.data).name
    parts = [re.sub(r"[^A-Za-z0-9_]+", "_", what).strip("_") or "task", faces]
    parts += [re.sub(r"[^A-Za-z0-9_.]+", "_", cue) for cue in data.cues]
    if data.label_noise:
        parts.append(f"noise{data.label_noise:g}")
    if config.train.objective != "erm":
        parts.append(re.sub(r"[^A-Za-z0-9_]+", "_", model_label(config.train.objective)).strip("_"))
    parts += [architecture if of_a_library else f"{architecture}{model.width}", f"s{config.seed}"]
    return check_name("-".join(parts)[: LONGEST - 10].rstrip("."))
