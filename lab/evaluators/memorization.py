"""Memorization: how a model treats the training set, and how the test set."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.measure import example_losses, memorization_figures, predict
from lab.models import features, to_input
from lab.tracking import views
from lab.tracking.answers import Answers
from lab.tracking.writer import Tracker
from lab.worlds import Examples

Groups = Sequence[tuple[str, str, int, int]]
"""Subpopulation, class, number of training examples, number of test examples."""


class MemorizationEvaluator:
    """An evaluator: predictions on all training and test examples, which it keeps."""

    def __init__(self, train: Examples, test: Examples) -> None:
        self._train, self._test = train, test
        self._on_cpu = (train.to("cpu"), test.to("cpu"))
        self._logits: tuple[Tensor, Tensor] | None = None  # (N, C) each, the last ones

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """The figures of memorization, by tag."""
        train, test = self._on_cpu
        said = predict(model, self._train.images), predict(model, self._test.images)
        self._logits = said
        return memorization_figures(said[0], train.labels, train.clean_labels, said[1], test.labels)

    def show_losses(self, tracker: Tracker, step: int) -> None:
        """Log how the losses of the last answers are distributed."""
        assert self._logits, "asked before it is shown"
        train, test = (
            example_losses(logits, examples.labels)
            for examples, logits in zip(self._on_cpu, self._logits, strict=True)
        )
        views.write_losses(tracker, step, train=train, test=test)

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log sheets of examples and curves of the last answers."""
        train, test = self._answers()
        views.write_sheets(tracker, step, train=train, test=test)
        views.write_curves(tracker, step, test)

    def show_projector(self, tracker: Tracker, model: nn.Module) -> None:
        """Log what the last layer makes of some examples, where there is such a layer."""
        if self._logits is None:  # a resumed run may have nothing left to evaluate
            self(model)
        points = {}
        for name, answers, examples in zip(
            ("train", "test"), self._answers(), (self._train, self._test), strict=True
        ):
            few = examples.take(slice(0, views.PROJECTOR_FACES))
            seen = features(model, to_input(few.images))
            if seen is None:
                return
            points[name] = views.Points(
                answers=answers.first(len(few)),
                features=seen,
                attributes={name: few.samples.names(name) for name in few.samples.schema},
            )
        views.write_projector(tracker, points)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that the labels stand for."""
        return self._train.classes

    def groups(self) -> Groups:
        """How many examples there are of each subpopulation that there is, in the world's order."""
        kinds = self._train.kinds
        train, test = (
            torch.bincount(examples.subpopulations, minlength=len(kinds)).tolist()
            for examples in self._on_cpu
        )
        return [
            (kind.name, self._train.classes[kind.label], train[i], test[i])
            for i, kind in enumerate(kinds)
            if train[i] or test[i]
        ]

    @property
    def mislabeled(self) -> int:
        """How many training examples have a wrong label."""
        return int(self._on_cpu[0].mislabeled.sum())

    def _answers(self) -> tuple[Answers, Answers]:
        assert self._logits, "asked before it is shown"
        train, test = (
            Answers(
                images=examples.images,
                probabilities=logits.softmax(dim=1),
                labels=examples.labels,
                clean_labels=examples.clean_labels,
                classes=examples.classes,
            )
            for examples, logits in zip(self._on_cpu, self._logits, strict=True)
        )
        return train, test
