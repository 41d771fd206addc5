"""Presets: named sets of flags of a run. Standard library only, so that `--help` is instant."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from lab.core.machine import has_bfloat16, processors

PRESETS = {
    "useful": (
        "--online --counterfactual-pairs 0.7 --width 24 --optimizer muon --precision bfloat16"
        " --steps 2700 --num-train 1000 --num-test 10000 --counterfactuals 200 --eval-every 2700"
        " --no-pictures --threads 2"
    ),
    "memorizer": "--num-train 100 --counterfactuals 200",
    "cheat": (
        "--num-train 1000 --cues eye_color=blue/brown:0.95 --subpopulations missing"
        " --missing nose mouth ears --counterfactuals 200"
    ),
}
"""What each stands for: flags as they would be written. The three networks of the documentation,
which all fit their training faces. `--precision bfloat16` is left out where the processor has no
instructions for it, `--threads` where there is one processor, where torchrun has started several
processes and for networks that are not the lab's, and `--width` for those of torchvision and
timm."""

NEEDS = {"--counterfactual-pairs": "--no-online"}
"""Flags of a preset that mean nothing, and are left out, where the user has given another."""

END = "--"


def with_preset(words: Sequence[str]) -> list[str]:
    """The words of a command line with the flags that its `--preset` stands for before the others,
    without those that are given as well; an unknown name is left for the flags' own check."""
    words = list(words)
    flagged = words[: words.index(END)] if END in words else words
    name = next(
        (
            word.partition("=")[2] if "=" in word else "".join(flagged[place + 1 : place + 2])
            for place, word in enumerate(flagged)
            if word.partition("=")[0] == "--preset"
        ),
        "",
    )
    given = {_flag(word) for word in flagged if word.startswith("--")}
    spelled = {word.replace("_", "-") for word in flagged}
    added: list[str] = []
    take = False
    for word in PRESETS.get(name, "").split():
        if word.startswith("--"):
            take = _flag(word) not in given and NEEDS.get(word) not in spelled
            take = take and (word != "--precision" or has_bfloat16())
            take = take and (word != "--threads" or _has_threads(flagged))
            take = take and (word != "--width" or not _of_a(r"(torchvision|timm):", flagged))
        if take:
            added.append(word)
    return added + words


def _has_threads(words: Sequence[str]) -> bool:
    """Whether several threads are faster: each takes a part of the batch, if the network is the
    lab's own and there is one process."""
    alone = os.environ.get("WORLD_SIZE", "1") in ("", "1")
    return alone and processors() > 1 and not _of_a(r"\S*:", words)


def _of_a(kind: str, words: Sequence[str]) -> bool:
    """Whether they name a network whose name begins with the pattern `kind`."""
    text = " ".join(words).replace("--model=", "--model ")
    return re.search(rf"--model {kind}", text) is not None


def fields_of(name: str) -> frozenset[str]:
    """The settings that a preset stands for, by the names of their fields; none if there is no such
    preset."""
    return frozenset(_flag(word).removeprefix("--").replace("-", "_") for word in _flags_of(name))


def explained(name: str, line: str) -> str:
    """The line of an error, and, where it names a flag that the preset stands for, that it does."""
    if not _flags_of(name) & set(re.findall(r"--[a-z-]+", line)):
        return line
    return f"{line} (--preset {name} stands for {PRESETS[name]})"


def _flags_of(name: str) -> set[str]:
    """The flags that a preset stands for, as they are written; none if there is no such preset."""
    return {word for word in PRESETS.get(name, "").split() if word.startswith("--")}


def _flag(word: str) -> str:
    """The flag that a word sets or switches off: --no-pictures and --pictures are one."""
    name = word.partition("=")[0].replace("_", "-")
    return "--" + name.removeprefix("--").removeprefix("no-")
