"""What is logged besides the metrics: sheets, curves, distributions and the projector.

These cost more than scalars, so a run logs them at few steps: see `picture_steps`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.core.text import in_tag, own_columns
from lab.tracking.predicted import PredictedExamples
from lab.tracking.sheets import mislabeled_sheet, mistakes_sheet, training_sheet
from lab.tracking.strips import Strip, bars_sheet, strip_sheet
from lab.tracking.writer import Tracker

PROJECTOR_FACES = 300
"""Faces of each set in the projector. Each takes 0.2 ms to write, and more show no more."""

MOST_CURVES = 50
"""Classes that have a curve of precision and recall each, at most."""


@dataclass(frozen=True, kw_only=True)
class Points:
    """Predictions on N examples, their features (N, D), which are the input of the last layer, and
    their attributes in words: name -> N texts."""

    answers: PredictedExamples
    features: Tensor
    attributes: Mapping[str, Sequence[str]]


def picture_steps(evaluations: Sequence[int]) -> frozenset[int]:
    """The evaluations that also make pictures: the first, the middle one and the last."""
    if not evaluations:
        return frozenset()
    return frozenset({evaluations[0], evaluations[len(evaluations) // 2], evaluations[-1]})


def write_sheets(
    tracker: Tracker,
    step: int,
    *,
    train: PredictedExamples,
    test: PredictedExamples,
    noun: str = "faces",
) -> None:
    """Log training examples, mistakes on unseen ones (`noun`, in the plural) and, with label noise,
    the mislabeled ones that are fitted."""
    tracker.image(f"{noun}/train", step, training_sheet(train, noun=noun))
    tracker.image(f"{noun}/mistakes", step, mistakes_sheet(test, what=f"unseen {noun}"))
    if train.mislabeled.any():
        tracker.image(f"{noun}/mislabeled", step, mislabeled_sheet(train))


def write_conflicting(
    tracker: Tracker, step: int, answers: PredictedExamples, *, noun: str = "faces"
) -> None:
    """Log mistakes on conflicting examples (`noun`, in the plural)."""
    sheet = mistakes_sheet(answers, what=f"conflicting {noun}")
    tracker.image(f"{noun}/conflicting", step, sheet)


def write_bars(
    tracker: Tracker,
    step: int,
    *,
    relevant: Mapping[str, Estimate],
    nuisances: Mapping[str, Estimate],
) -> None:
    """Log the reliance on every attribute."""
    tracker.image("reliance_bars", step, bars_sheet(relevant, nuisances))


def write_strip(tracker: Tracker, step: int, strip: Strip) -> None:
    """Log the same faces with each value of a nuisance."""
    tracker.image(f"counterfactuals/{strip.attribute}", step, strip_sheet(strip))


def write_losses(tracker: Tracker, step: int, *, train: Tensor, test: Tensor) -> None:
    """Log the distribution of the loss over the faces (N,) of each set."""
    tracker.histogram("example_loss/train", step, train)
    tracker.histogram("example_loss/test", step, test)


def write_curves(tracker: Tracker, step: int, test: PredictedExamples) -> None:
    """Log precision against recall on unseen faces: of the second class if there are two, else of
    each, where they are few."""
    if len(test.classes) > MOST_CURVES:
        return
    two = len(test.classes) == 2
    named = [in_tag(name) for name in test.classes]
    for code, name in enumerate(named):
        if two and code == 0:
            continue
        tag = f"precision_recall/{name if named.count(name) == 1 else f'{name}_{code}'}"
        tracker.pr_curve(tag, step, test.labels == code, test.probabilities[:, code])


def write_projector(tracker: Tracker, parts: Mapping[str, Points]) -> None:
    """Log the features of the first faces of each part (train, test) for the projector."""
    parts = {
        split: Points(
            answers=part.answers.first(PROJECTOR_FACES),
            features=part.features[:PROJECTOR_FACES],
            attributes={k: list(v)[:PROJECTOR_FACES] for k, v in part.attributes.items()},
        )
        for split, part in parts.items()
    }
    columns: dict[str, list[str]] = {}
    for split, part in parts.items():
        for name, words in _columns(split, part).items():
            columns.setdefault(name, []).extend(words)
    tracker.embedding(
        "penultimate",
        torch.cat([part.features for part in parts.values()]),
        columns=columns,
        thumbnails=_of_one_size([part.answers.images for part in parts.values()]),
    )


def _of_one_size(parts: Sequence[Tensor]) -> Tensor:
    """Pictures (N, 3, S, S) uint8 of several parts, those of another size scaled to that of the
    first."""
    size = parts[0].shape[2:]
    same = [
        each
        if each.shape[2:] == size
        else nn.functional.interpolate(each.float(), size=size).to(torch.uint8)
        for each in parts
    ]
    return torch.cat(same)


def _columns(split: str, part: Points) -> dict[str, list[str]]:
    answers = part.answers
    labels = answers.clean_labels.tolist()
    columns = {
        "truth": [answers.classes[code] for code in labels],
        "set": [split] * len(answers),
        "given label": [answers.classes[code] for code in answers.labels.tolist()],
        "prediction": [answers.classes[code] for code in answers.predicted.tolist()],
        "right": ["right" if right else "wrong" for right in answers.right.tolist()],
        "confidence": [f"{sure:.4f}" for sure in answers.confidence.tolist()],
    }
    own = own_columns(part.attributes, beside=columns, kind="group")
    return columns | {own[name]: list(words) for name, words in part.attributes.items()}
