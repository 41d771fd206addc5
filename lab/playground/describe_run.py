"""Short phrases on how a run was trained: its training set, cues, label noise and network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lab.core.config import RunConfig
from lab.core.text import model_label
from lab.core.words import chance, in_steps, listed, spoken
from lab.playground.recipe import trained_on_the_page
from lab.worlds import Cue, DrawnWorld, subpopulation_name
from lab.worlds.faces import ATTRIBUTES

USEFUL, MEMORIZED, FOOLED = 0.95, 0.7, 0.3
"""Accuracies: of a useful network on unseen faces at least; of one that fits its training faces and
has memorized them, on unseen faces at most; of one that takes a shortcut, on conflicting faces at
most."""

NUISANCE, FREE = 0.5, 0.1
"""Shares of the answers that one nuisance alone changes: at least, of a network that takes it as a
shortcut; at most, of a useful one."""

KINDS = {
    "missing": "faces that lack parts",
    "scrambled": "scrambled faces",
    "object": "objects",
}
"""Plain words for subpopulations."""


def conditions(config: RunConfig, world: DrawnWorld, summary: Mapping[str, Any]) -> list[str]:
    """Short phrases about a run on `world`, the number of training faces first; from its
    `summary.json`, as far as there is one, how many labels are wrong."""
    data, train, task = config.data, config.train, world.task
    said = [f"{faces_studied(config):,} training faces" + (", none twice" if train.online else "")]
    said += [_cue(cue, task.classes) for cue in world.cues]
    said += _label_noise(config, summary)
    if data.subpopulations:
        shares = [text for text in data.subpopulations if ":" in text]
        for label, name in enumerate(task.classes):
            own = [kind for kind in task.subpopulations if kind.label == label]
            if chosen := [_kind(kind.name) for kind in own if kind.name in data.subpopulations]:
                said.append(f"{name}: only {listed(chosen)}")
            said += [
                f"{100 * kind.weight:.4g} % of {name}: {_kind(kind.name)}"
                for kind in own
                if any(subpopulation_name(text) == kind.name for text in shares)
            ]
    if data.copies:
        said.append(f"{100 * data.copies:.4g} % of them are copies of others")
    if data.obscured:
        said.append(f"{100 * data.obscured:.4g} % of all faces are hard to see")
    if data.missing:
        said.append(f"faces lack only {listed(data.missing)}")
    said += [f"never shown: {hold.replace(',', ' and ')}" for hold in data.unseen_combinations]
    if data.variation < 1:
        said.append(f"faces differ little (variation {data.variation:g})")
    return said + _training(config)


def picture_conditions(config: RunConfig, classes: int, summary: Mapping[str, Any]) -> list[str]:
    """Short phrases about a run on pictures from disk, the number of training pictures first; from
    its `summary.json`, as far as there is one, how many labels are wrong."""
    data = config.data
    said = [f"{data.num_train:,} training pictures"]
    said += [f"{classes} classes"] if classes else []  # old runs did not note them
    return [*said, f"from {data.data}", *_label_noise(config, summary), *_training(config)]


def _kind(name: str) -> str:
    return KINDS.get(name, spoken(name))


def faces_studied(config: RunConfig) -> int:
    """The number of different training faces of a whole run."""
    train = config.train
    return train.max_steps * train.batch_size if train.online else config.data.num_train


def character(config: RunConfig, summary: Mapping[str, Any]) -> str:
    """What a finished run is an example of: "useful", "memorizer" or "shortcut", by its task, its
    settings and its accuracies in `summary.json`; empty if it is none of them, of another task, or
    trained on the page, where everybody has seen how."""
    accuracies = summary.get("accuracy")
    data = config.data
    page = trained_on_the_page(config)
    drawn = data.data is None and data.task == "person"
    if not drawn or page or not isinstance(accuracies, dict):
        return ""

    def value(name: str) -> float:
        found = accuracies.get(name)
        number = found.get("value") if isinstance(found, dict) else None
        if isinstance(number, (int, float)) and 0 <= number <= 1:
            return float(number)
        return math.nan

    if data.cues:
        return "shortcut" if value("conflicting") <= FOOLED else ""
    if value("test") >= USEFUL:
        return "useful"
    if data.label_noise:
        return ""
    return "memorizer" if value("train") == 1 and value("test") <= MEMORIZED else ""


def in_short(config: RunConfig, world: DrawnWorld, summary: Mapping[str, Any]) -> dict[str, str]:
    """What the figures in `summary.json` show of a finished run on faces: a `kind` ("shortcut",
    "memorizer", "useful", or "" for none of them), and a sentence with the figures; empty if there
    are none.

    The first that holds: it takes a *shortcut* if it is right about 30 % at most of unseen faces
    where a cue contradicts the label, or if a nuisance alone changes half of its answers at least
    (the lower end of the 95 % interval). It is a *memorizer* if it answers all training faces as
    labeled, and is right about 70 % at most of unseen ones. It is *useful* if it is right about
    95 % at least of unseen faces and no nuisance alone changes more than 10 % of its answers; with
    a cue, also of those that contradict it.
    """
    train, test = (_number(summary, "accuracy", each) for each in ("train", "test"))
    if summary.get("status") != "finished" or math.isnan(test):
        return {}
    unseen = f"{_percent(test)} of unseen faces right"
    apart = _number(summary, "accuracy", "conflicting") if world.cues else math.nan
    if apart <= FOOLED:
        cues = listed([spoken(cue.attribute) for cue in world.cues])
        words = f"gets {_percent(apart)} of unseen faces right where it contradicts the label"
        return _short("shortcut", f"Takes a shortcut: {cues} ({words})")
    nuisances = [name for name in ATTRIBUTES if name not in world.task.relevant]
    changed = {name: _number(summary, "reliance", name) for name in nuisances}
    changed = {name: value for name, value in changed.items() if not math.isnan(value)}
    most = max(changed, key=changed.__getitem__, default="")
    alone = f"{spoken(most)} alone changes {_percent(changed[most])} of its answers" if most else ""
    if most and _number(summary, "reliance", most, end="low") >= NUISANCE:
        return _short("shortcut", f"Takes a shortcut: {alone}")
    if train == 1 and test <= MEMORIZED:
        all_ = f"all {faces_studied(config):,} training faces"
        if config.data.label_noise:
            return _short(
                "memorizer", f"Memorizer: answers {all_} as labeled, but gets only {unseen}"
            )
        few = _percent(test)
        return _short("memorizer", f"Memorizer: gets {all_} right, but only {few} of unseen ones")
    if world.cues and not math.isnan(apart):
        alike = f"{_percent(test)} of unseen faces of the same kind right"
        unseen = f"{alike}, and {_percent(apart)} where a cue contradicts the label"
    if test >= USEFUL and (not world.cues or apart >= USEFUL):
        if not most:
            return _short("", f"Gets {unseen}; what it goes by was not measured")
        if changed[most] <= FREE:
            share = _percent(changed[most])
            words = f"no nuisance alone changes more than {share} of its answers"
            return _short("useful", f"Useful: gets {unseen}, and {words}")
        return _short("", f"Gets {unseen}, but {alone}")
    return _short("", f"In between: gets {unseen}")


def _short(kind: str, words: str) -> dict[str, str]:
    return {"kind": kind, "words": words + "."}


def _number(summary: Mapping[str, Any], *place: str, end: str = "value") -> float:
    """A share in `summary.json`, or NaN."""
    found: Any = summary
    for name in (*place, end):
        found = found.get(name) if isinstance(found, Mapping) else None
    plain = isinstance(found, (int, float)) and not isinstance(found, bool)
    return float(found) if plain and -1 <= found <= 1 else math.nan


def _percent(share: float) -> str:
    """0.973 as "97 %"; what is not quite all or nothing never reads as such."""
    if 0 < share < 0.005:
        return "under 1\u00a0%"
    if 0.995 <= share < 1:
        return "over 99\u00a0%"
    return f"{math.floor(100 * share + 0.5)}\u00a0%"


def _label_noise(config: RunConfig, summary: Mapping[str, Any]) -> list[str]:
    """The share of labels that are wrong if the run has counted them, else the setting, which is a
    probability."""
    data = config.data
    if not data.label_noise:
        return []
    often = f" with a chance of {100 * data.label_noise:.4g} %" if data.label_noise < 1 else ""
    how = "drawn at random" if data.label_noise_kind == "random" else "made wrong"
    wrong = _count(summary, "memorization", "mislabeled_fitted")
    known = _count(summary, "accuracy", "train")
    if not config.train.online and 0 < wrong <= known:
        said = f"{100 * wrong / known:.3g} % of its labels are wrong ({wrong:,} of {known:,})"
        return [f"{said}: each was {how}{often}" if data.label_noise_kind == "random" else said]
    right = ", so that some of these are right" if data.label_noise_kind == "random" else ""
    return [f"each of its labels was {how}{often}{right}"]


def _count(summary: Mapping[str, Any], *place: str) -> int:
    """Of how many examples a figure in `summary.json` is, or 0."""
    found: Any = summary
    for name in (*place, "count"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _training(config: RunConfig) -> list[str]:
    train = config.train
    most = "at most " if config.loss_bound or train.early_stopping else ""
    return [
        f"{model_label(config.model.model)}, width {config.model.width}",
        f"{most}{in_steps(train.max_steps)}" + (", augmented" if train.augment else ""),
    ]


def _cue(cue: Cue, classes: tuple[str, ...]) -> str:
    pairs = listed([f"{spoken(w)} for {c}" for w, c in zip(cue.words, classes, strict=True)][::-1])
    faint = f", faint ({cue.visibility:g})" if cue.visibility < 1 else ""
    often = "" if cue.strength == 1 else f" {100 * cue.strength:.4g} % of the time"
    always = "" if often else "always "
    link = f"; {chance(len(classes))} would be independent" if len(classes) > 2 else ""
    return f"{spoken(cue.attribute)} {always}agrees with the label{often}: {pairs}{faint}{link}"
