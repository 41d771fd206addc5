"""The suite: all evaluators that a world and a run's settings allow, as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from lab.core.config import RunConfig
from lab.core.metrics import find
from lab.evaluators.changes import ChangesEvaluator
from lab.evaluators.components import ComponentsEvaluator
from lab.evaluators.consistency import ConsistencyEvaluator
from lab.evaluators.evaluation import (
    Evaluation,
    Progress,
    loaded_split,
    splits_of,
)
from lab.evaluators.evaluator import Evaluator, Metrics, Result
from lab.evaluators.groups import GroupsEvaluator
from lab.evaluators.label_doubts import LabelDoubtsEvaluator
from lab.evaluators.memorization import MemorizationEvaluator
from lab.evaluators.perturbations import PerturbationsEvaluator
from lab.evaluators.reliance import RelianceEvaluator
from lab.evaluators.setup import Setup
from lab.evaluators.split_metrics import SplitMetricsEvaluator
from lab.evaluators.subpopulations import SubpopulationsEvaluator
from lab.measure import SplitMetric, consistency, varying
from lab.tracking.writer import Tracker
from lab.worlds import Examples, World

Prepare = Callable[[Setup], Evaluator | None]
"""Makes an evaluator; None: the world or the settings do not allow it."""

EVALUATORS: Mapping[str, Prepare] = {
    "split metrics": SplitMetricsEvaluator.prepare,
    "memorization": MemorizationEvaluator.prepare,
    "groups": GroupsEvaluator.prepare,
    "reliance": RelianceEvaluator.prepare,
    "changes": ChangesEvaluator.prepare,
}
"""Evaluators of every evaluation, by name. A new one is its file and a line here."""

FINAL: Mapping[str, Prepare] = {
    "consistency": ConsistencyEvaluator.prepare,
    "subpopulations": SubpopulationsEvaluator.prepare,
    "components": ComponentsEvaluator.prepare,
    "perturbations": PerturbationsEvaluator.prepare,
    "label doubts": LabelDoubtsEvaluator.prepare,
}
"""Evaluators of the final model alone."""

FIRST = 64
"""Test examples on which the untrained model is checked."""


@dataclass(frozen=True, kw_only=True)
class SuiteResult(Result):
    """The results of several evaluators on one evaluation, by the evaluator's name."""

    evaluation: Evaluation
    results: Mapping[str, Result]

    def show_distributions(self, tracker: Tracker, step: int) -> None:
        """Log the histograms of all of them."""
        for result in self.results.values():
            result.show_distributions(tracker, step)

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log the pictures and curves of all of them."""
        for result in self.results.values():
            result.show_pictures(tracker, step)

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the texts of all of them."""
        for result in self.results.values():
            result.show_final(tracker, step)

    def show_projector(self, tracker: Tracker) -> None:
        """Log the points of all of them."""
        for result in self.results.values():
            result.show_projector(tracker)


class EvaluatorSuite:
    """All evaluators of `EVALUATORS` and `FINAL` that a setup allows; it keeps no results."""

    def __init__(self, setup: Setup) -> None:
        self._splits = setup.splits
        self._evaluators = _prepared(EVALUATORS, setup)
        self._final = _prepared(FINAL, setup)

    @classmethod
    def of_run(
        cls,
        train: Examples,
        test: Examples,
        world: World,
        config: RunConfig,
        own: tuple[SplitMetric, ...] = (),
    ) -> EvaluatorSuite:
        """The suite of a run with these settings; `own` are the user's metrics."""
        splits = splits_of(
            world,
            test=loaded_split(world, "test", test),
            train=train,
            num_validation=config.validation_faces,
        )
        return cls(
            Setup(
                world=world,
                splits=splits,
                counterfactuals=config.counterfactuals,
                pictures=config.pictures,
                own=own,
            )
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its evaluators."""
        return (*self._evaluators, *self._final)

    def __call__(self, model: nn.Module) -> SuiteResult:
        """The results of one evaluation of a model."""
        return _evaluated(self._evaluators, Evaluation(model, self._splits))

    def final(
        self,
        result: SuiteResult,
        progress: Progress = lambda what, done, total: None,
    ) -> SuiteResult:
        """The results of the evaluators for the final model, which must be the one that `result` is
        about."""
        return _evaluated(self._final, result.evaluation, progress)

    def evaluate(
        self, model: nn.Module, progress: Progress = lambda what, done, total: None
    ) -> Metrics:
        """The metrics of all evaluators for a finished model, by tag."""
        result = _evaluated(self._evaluators, Evaluation(model, self._splits), progress)
        return {**result.metrics, **self.final(result, progress).metrics}

    def doubts(self, model: nn.Module) -> list[str]:
        """Reasons to doubt what an untrained model would be measured by, a sentence each."""
        fed = self._splits["test"].feed(model, FIRST)
        found = consistency(fed.model, fed.stored, to_input=fed.to_input, batch_size=fed.batch_size)
        sentence = varying(found, untrained=True)
        return [sentence] if sentence else []


def _prepared(listed: Mapping[str, Prepare], setup: Setup) -> dict[str, Evaluator]:
    made = {name: prepare(setup) for name, prepare in listed.items()}
    return {name: evaluator for name, evaluator in made.items() if evaluator is not None}


def _evaluated(
    evaluators: Mapping[str, Evaluator],
    evaluation: Evaluation,
    progress: Progress = lambda what, done, total: None,
) -> SuiteResult:
    """The results of the evaluators; `ValueError` for a metric without a row in the table."""
    results: dict[str, Result] = {}
    for number, (name, evaluator) in enumerate(evaluators.items()):
        if number:
            progress(name, number, len(evaluators))
        results[name] = evaluator(evaluation)
    metrics = {tag: value for each in results.values() for tag, value in each.metrics.items()}
    for tag in metrics:
        find(tag)
    return SuiteResult(metrics=metrics, evaluation=evaluation, results=results)
