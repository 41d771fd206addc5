"""Answers of no class: predictions of classes that no example has, such as one for "unsure"."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lab.core.estimate import Estimate, wilson
from lab.measure.dependent import allowing_for_dependence
from lab.measure.predictions import Predictions

TOLD = 0.02
"""Share of the test examples with such an answer from which on it is said."""


@dataclass(frozen=True)
class Unmet:
    """The `share` of test examples that get a class as the answer which no example has, training
    examples included, and the most frequent such class, by `name`."""

    name: str
    share: Estimate


def unmet_answers(train: Predictions, test: Predictions) -> Unmet | None:
    """What is to be said of such answers; None: there are none, or hardly any."""
    labels = torch.cat([each.labels for each in (train, test)])
    clean = torch.cat([each.clean_labels for each in (train, test)])
    known = torch.unique(torch.cat([labels, clean]))
    unmet = test.predicted[~torch.isin(test.predicted, known)]
    if not len(unmet) or len(unmet) < TOLD * len(test):
        return None
    name = test.classes[int(unmet.bincount().argmax())]

    def share(_: Predictions, each: Predictions) -> dict[str, Estimate]:
        return {"unmet": wilson(int((~torch.isin(each.predicted, known)).sum()), len(each))}

    return Unmet(name, allowing_for_dependence(share, test, test)["unmet"])
