"""Components: the predictions of the final model on samples with every set of components."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.core.words import estimated
from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import component_values, predict
from lab.tracking import texts
from lab.tracking.writer import Tracker
from lab.worlds import DrawnWorld, Samples, subsets


@dataclass(frozen=True)
class ComponentsEvaluator:
    """An evaluator: necessity, sufficiency and Shapley value of each component."""

    world: DrawnWorld
    count: int

    @classmethod
    def prepare(cls, setup: Setup) -> ComponentsEvaluator | None:
        """If the world can intervene and the label depends on all components."""
        world = setup.intervenable
        if world is None or not world.components:
            return None
        return cls(world, setup.counterfactuals)

    def __call__(self, evaluation: Evaluation) -> ComponentsResult:
        """The values of each component, by tag."""
        called = predict_components(self.world, evaluation.model, count=self.count)
        metrics: dict[str, Estimate] = {}
        for name, value in component_values(called, self.world.components).items():
            metrics[f"necessity/{name}"] = value.necessity
            metrics[f"sufficiency/{name}"] = value.sufficiency
            metrics[f"shapley/{name}"] = value.shapley
        return ComponentsResult(metrics=metrics, called=called, world=self.world)


@dataclass(frozen=True, kw_only=True)
class ComponentsResult(Result):
    """The values of each component; `called` bool (2^k, M) are the predictions behind them."""

    called: Tensor
    world: DrawnWorld

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the table of all sets of components."""
        tracker.text("parts", self._text(), step)

    def _text(self) -> str:
        components, whole = self.world.components, self.world.classes[-1]
        sets = subsets(components)
        rows = []
        for number in reversed(range(len(sets))):
            share = wilson(int(self.called[number].sum()), self.called.shape[1])
            true = 1 if number == len(sets) - 1 else 0
            rows.append((", ".join(sets[number]) or "none", true, estimated(share)))
        table = texts.table(
            ("parts", f"{whole} by the true rule", f"share predicted {whole}"), rows
        )
        each = [
            (part, estimated(v.necessity), estimated(v.sufficiency), f"{v.shapley.value:.2f}")
            for part, v in component_values(self.called, components).items()
        ]
        fair = f"Shapley (true rule: {1 / len(components):.3g})"
        header = ("part", "necessity (true rule: 1)", "sufficiency (true rule: 0)", fair)
        return f"{table}\n\n{texts.table(header, each)}"


def with_every_set(world: DrawnWorld, samples: Samples) -> list[Samples]:
    """The samples with each set of the task's components, in the order of `subsets`."""
    assert world.domain.compose is not None, "components can be composed"
    return [world.domain.compose(samples, present) for present in subsets(world.components)]


def predict_components(world: DrawnWorld, model: nn.Module, *, count: int) -> Tensor:
    """Whether a model predicts the last class for each of `count` samples with each set of the
    task's k components: bool (2^k, M), row i for set i of `subsets`."""
    samples = world.sample(count, split="parts")
    whole = len(world.classes) - 1
    return torch.stack(
        [
            predict(model, world.render(each)).argmax(dim=1) == whole
            for each in with_every_set(world, samples)
        ]
    )
