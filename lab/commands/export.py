"""Faces of a run with all their attributes, as files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.commands._given import refuse_all, refuse_idle
from lab.core.config import DataConfig, RunConfig, check
from lab.core.text import escape

OF_ONE = {
    "train": ("num_train", "label_noise", "label_noise_kind", "copies"),
    "test": ("num_test",),
}
"""Flags that only one of the splits goes by."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Write faces with all their attributes: the same faces that a run with these flags uses."""

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

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        refuse_idle(names, self.data)
        other = "train" if self.split == "test" else "test"
        refuse_all(names, OF_ONE[other], f"--split {other}")


def export(flags: Flags) -> None:
    """Draw the faces in batches and write them."""
    check(RunConfig(data=flags.data, seed=flags.seed))
    if flags.out.suffix.lower() == ".npz" and flags.format == "folder":
        raise ValueError(f"--out {flags.out}: that would be a folder; add --format npz for a file")
    if flags.out.suffix.lower() != ".npz" and flags.format == "npz":
        raise ValueError(f"--out {flags.out}: the name of a --format npz must end in .npz")
    from lab.worlds import DrawnWorld, open_world, reject_no_effect  # not above: --help is instant
    from lab.worlds.export import write_folder, write_npz

    reject_no_effect(flags.data)
    world = open_world(flags.data, seed=flags.seed)
    count = world.data.num_train if flags.split == "train" else world.data.num_test
    batches = world.batches(flags.split, count)
    if flags.format == "folder":
        written = write_folder(batches, flags.out)
    else:
        about: dict[str, str] = {}
        if isinstance(world, DrawnWorld):
            about = {"task": world.task.name, "meaning": world.task.meaning}
        written = write_npz(batches, flags.out, about=about)
    print(f"wrote {written:,} {world.noun} to {escape(flags.out)}")
