"""Write a run's faces with all their attributes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.core.config import DataConfig, RunConfig, check


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Write faces with all their attributes: the very faces that a run with these flags sees."""

    out: Path
    """The new folder, or the new file for npz."""
    format: Literal["folder", "npz"] = "folder"
    """'folder': PNGs in a folder per class and metadata.csv (for torchvision's ImageFolder);
    'npz': one file like dSprites'."""
    split: Literal["train", "test"] = "train"
    """Which faces: --num-train training faces, label noise included, or --num-test unseen ones."""
    seed: int = 0
    """The run's seed, a whole number from 0."""
    data: DataConfig = field(default_factory=DataConfig)


def export(flags: Flags) -> None:
    """Draw the faces in batches and write them."""
    check(RunConfig(data=flags.data, seed=flags.seed))
    from lab.worlds import (  # not above: --help need not wait for torch
        draw_batches,
        reject_no_effect,
    )
    from lab.worlds.export import write_folder, write_npz

    reject_no_effect(flags.data)
    count = flags.data.num_train if flags.split == "train" else flags.data.num_test
    batches = draw_batches(flags.data, split=flags.split, count=count, seed=flags.seed)
    write = write_folder if flags.format == "folder" else write_npz
    print(f"wrote {write(batches, flags.out):,} faces to {flags.out}")
