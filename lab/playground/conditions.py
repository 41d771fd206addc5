"""What a run was trained on, in a few plain words: what one needs to know to guess its answers."""

from __future__ import annotations

from lab.config import RunConfig
from lab.data import get_task
from lab.data.cues import Cue, parse_cues
from lab.measure.words import chance, listed, spoken
from lab.names import model_label

KINDS = {
    "missing": "faces that lack parts",
    "scrambled": "scrambled faces",
    "object": "objects",
}
"""Kinds of picture whose names say too little by themselves."""


def conditions(config: RunConfig) -> list[str]:
    """Short phrases, the most telling first; `ValueError` if the settings contradict each other."""
    data, train, task = config.data, config.train, get_task(config.data.task)
    said = [f"{faces_studied(config):,} training faces" + (", none twice" if train.fresh else "")]
    cues = parse_cues(data.cues, task, visibility=data.cue_visibility)
    said += [_cue(cue, task.classes) for cue in cues]
    if data.label_noise:
        how = "are wrong" if data.label_noise_kind == "flip" else "were drawn at random"
        said.append(f"{100 * data.label_noise:.4g} % of its labels {how}")
    if data.kinds:
        for label, name in enumerate(task.classes):
            kinds = [kind.name for kind in task.kinds if kind.label == label]
            if chosen := [KINDS.get(kind, spoken(kind)) for kind in kinds if kind in data.kinds]:
                said.append(f"{name}: only {listed(chosen)}")
    if data.missing:
        said.append(f"faces lack only {listed(data.missing)}")
    said += [f"never shown: {hold.replace(',', ' and ')}" for hold in data.hold_out]
    if data.variation < 1:
        said.append(f"faces differ little (variation {data.variation:g})")
    said.append(f"{model_label(config.model.model)}, width {config.model.width}")
    said.append(f"{train.steps:,} steps" + (", augmented" if train.augment else ""))
    return said


def faces_studied(config: RunConfig) -> int:
    """How many different faces a whole run is trained on."""
    train = config.train
    return train.steps * train.batch_size if train.fresh else config.data.num_train


def _cue(cue: Cue, classes: tuple[str, ...]) -> str:
    pairs = listed([f"{spoken(w)} for {c}" for w, c in zip(cue.words, classes, strict=True)][::-1])
    faint = f", faint ({cue.visibility:g})" if cue.visibility < 1 else ""
    share = "always" if cue.strength == 1 else f"{100 * cue.strength:.4g} % of the time"
    link = f"; {chance(len(classes))} would be no link" if len(classes) > 2 else ""
    return f"{spoken(cue.attribute)} goes with the label {share}: {pairs}{faint}{link}"
