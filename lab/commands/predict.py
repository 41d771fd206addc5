"""Predictions of a trained network on picture files."""

import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tyro

from lab.core.atomic import check_files, replace_text
from lab.core.cli import BAD_INPUT, one_line

SHOWN = 300
"""Pictures in the sheet that --show writes, at the most."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Print the predictions of a trained network on picture files."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """Picture files of any usual format and size, and folders, of which every picture is taken,
    those in folders in them, too. The network's input is a picture's middle square, or what the
    run's --resize makes of it."""
    sheets: bool = False
    """Predict each picture of a contact sheet separately: four or more pictures of the same size
    side by side, with or without gaps of one color between them."""
    csv: Path | None = None
    """File for the predictions, with a row for each picture; it is overwritten. None: not
    written."""
    show: Path | None = None
    """PNG of the network's input for each picture (the first 300); it is overwritten. None: not
    written."""
    model_file: Path | None = None
    """Where the file of the run's network is now, if it was moved since the run was trained."""
    changed_code: bool = False
    """Open the run although its network's source files have changed since it was trained."""


def predict(flags: Flags) -> int:
    """Print the network's prediction for each picture, the most probable class first."""
    if not flags.pictures:
        raise ValueError("name at least one picture or folder after the run's folder")
    check_files({"--csv": flags.csv, "--show": flags.show})
    import torch
    from PIL import Image

    from lab.core.run_dir import RunDir
    from lab.core.words import those
    from lab.evaluators.failure_sheet import save_picture
    from lab.measure import predict
    from lab.models import returns_probabilities
    from lab.runs.load import open_run
    from lab.runs.predictions import Prediction, find_pictures, predictions, to_csv, to_sheet

    swapped = [place for place in flags.pictures if RunDir(place).is_run()]
    if swapped and not RunDir(flags.run).config_file.exists():
        raise ValueError(
            f"{flags.run} is no run's folder, but {swapped[0]} is: name the run first, then the"
            " pictures"
        )
    files, others = find_pictures(flags.pictures)
    read = {os.path.realpath(file) for file in files}
    for name in ("csv", "show"):
        path = getattr(flags, name)
        if path is not None and (os.path.realpath(path) in read or RunDir(path.parent).is_run()):
            raise ValueError(f"--{name} {path}: that is a picture of these, or in a run's folder")
    opened = open_run(
        flags.run, model_file=flags.model_file, changed_code=flags.changed_code, any_world=True
    )
    config = opened.config
    if others:
        endings = ", ".join(sorted(ending or "none" for ending in others))
        said = those(
            sum(others.values()),
            "file that is no picture, by its ending",
            "files that are no pictures, by their ending",
        )
        print(one_line(f"left out {said}: {endings}"), file=sys.stderr)
    answers: list[Prediction] = []
    for each in predictions(
        files, partial(predict, opened.model), classes=opened.classes, size=config.data.image_size,
        sheets=flags.sheets, resize=config.data.resize,
    ):  # fmt: skip
        if each.seen.error:
            print(one_line(f"error: {each.seen.error}"), file=sys.stderr)
        else:
            print(one_line(str(each)))
        if each.seen.hint:
            print(one_line(f"note: {each.seen.hint}"), file=sys.stderr)
        keep = flags.show is not None and len(answers) < SHOWN
        answers.append(each if keep else each.without_pixels())
    counts = Counter(each.answer for each in answers if each.answer)
    if counts.total() > 1:
        print(f"{counts.total():,} pictures: {', '.join(f'{n} {k:,}' for n, k in counts.items())}")
    size = config.data.image_size
    grays = torch.linspace(0, 255, 4).byte()[:, None, None, None].expand(-1, 3, size, size)
    if answers and returns_probabilities(opened.model, grays):
        print(
            "note: the network returns probabilities, which are taken for logits: the percentages"
            " are not its own, only their order is",
            file=sys.stderr,
        )
    if flags.csv is not None:
        replace_text(flags.csv, to_csv(answers, opened.classes))
    if flags.show is not None:
        save_picture(
            Image.fromarray(to_sheet(answers, run=os.path.basename(os.path.realpath(flags.run)))),
            flags.show,
        )
    return BAD_INPUT if any(each.seen.error for each in answers) else 0
