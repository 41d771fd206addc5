"""Sheets of persons, of each subpopulation and of single attributes, as PNG."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Write contact sheets, one-attribute strips and sheets of the subpopulations as PNG."""

    out: Path = Path("gallery")
    """Folder for the pictures; created if it does not exist."""
    seed: int = 0
    """Seed of the faces, a whole number from 0."""
    size: int = 128
    """Width and height of a face in pixels, 16 to 512."""


def gallery(flags: Flags) -> None:
    """Write people.png, subpopulations.png, small.png and strips for each group of attributes."""
    if flags.seed < 0:
        raise ValueError(f"--seed must be 0 or more, not {flags.seed}")
    if not 16 <= flags.size <= 512:
        raise ValueError(f"--size must be 16 to 512, not {flags.size}")
    from lab.core.locks import check_out
    from lab.core.text import escape
    from lab.worlds import Population, get_task
    from lab.worlds.faces import ATTRIBUTES
    from lab.worlds.faces import gallery as sheets  # not above: --help need not wait for torch

    out = check_out(flags.out)
    size, seed = flags.size, flags.seed
    mixed = Population(get_task("person")).sample(160, seed=seed, split="train")
    pictures = {
        "people": sheets.contact_sheet(sheets.people(16, seed=seed), columns=8, size=size),
        "subpopulations": sheets.subpopulations_sheet("person", columns=7, size=size, seed=seed),
        "small": sheets.contact_sheet(mixed, columns=20, size=32),
    }
    for group in ("structure", "face", "scene", "camera"):
        names = [name for name, row in ATTRIBUTES.items() if row.group == group]
        pictures[f"strips-{group}"] = sheets.strips_sheet(names, size=size, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.save(out / f"{name}.png", optimize=True)
        print(escape(out / f"{name}.png"))
