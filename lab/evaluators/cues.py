"""Asked where there are cues or hold-outs: how often is it right without their help?"""

import torch
from torch import Tensor, nn

from lab.core.config import DataConfig
from lab.core.estimate import Estimate
from lab.core.words import interval
from lab.measure import accuracy, group_accuracies, predict, worst
from lab.tracking import texts, views
from lab.tracking.answers import Answers
from lab.tracking.writer import Tracker
from lab.worlds import Population, draw_examples
from lab.worlds.groups import groups


class CueEvaluator:
    """An evaluator: asks about faces whose cues say nothing, or the opposite of the label; and
    about combinations that training held out.

    The sets are the test faces once more, with nothing but the cues (or the combination) changed.
    """

    def __init__(
        self,
        config: DataConfig,
        population: Population,
        *,
        seed: int,
        device: str | torch.device = "cpu",
    ) -> None:
        others: dict[str, Population] = {}
        if population.cues:
            others["unbiased"] = population.unbiased()
            others["conflicting"] = population.conflicting()
        if population.unseen_combinations:
            others["unseen_combinations"] = population.combined()
        self._sets = {
            name: draw_examples(
                config, split="test", count=config.num_test, seed=seed, device=device,
                population=other,
            )
            for name, other in others.items()
        }  # fmt: skip
        self._groups = groups(self._sets["unbiased"], population.cues) if population.cues else {}
        self._logits: dict[str, Tensor] = {}
        self._accuracies: dict[str, Estimate] = {}

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """Accuracy on each set, of each group and of the worst, by tag."""
        figures = {}
        for name, faces in self._sets.items():
            self._logits[name] = predict(model, faces.images)
            figures[f"accuracy/{name}"] = accuracy(self._logits[name], faces.labels.cpu())
        if self._groups:
            labels = self._sets["unbiased"].labels.cpu()
            found = group_accuracies(self._logits["unbiased"], labels, self._groups)
            self._accuracies = found
            figures["accuracy/worst_group"] = worst(found)[1]
            figures |= {f"group_accuracy/{name}": figure for name, figure in found.items()}
        return figures

    def group_counts(self) -> dict[str, int]:
        """How many unbiased test faces each group has."""
        return {name: int(members.sum()) for name, members in self._groups.items()}

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log a sheet of mistakes on conflicting faces."""
        if "conflicting" in self._logits:
            faces = self._sets["conflicting"].to("cpu")
            answers = Answers(
                images=faces.images,
                probabilities=self._logits["conflicting"].softmax(dim=1),
                labels=faces.labels,
                clean_labels=faces.clean_labels,
                classes=faces.classes,
            )
            views.write_conflicting(tracker, step, answers)

    def finish(self, tracker: Tracker, step: int) -> None:
        """Log the table of groups."""
        if self._accuracies:
            rows = [
                (name, f"{figure.count:,}", f"{figure.value:.3f}", interval(figure, 3))
                for name, figure in sorted(self._accuracies.items(), key=lambda x: x[1].value)
            ]  # fmt: skip
            header = ("group", "unbiased test faces", "accuracy", "95 % interval")
            tracker.text("group_accuracies", texts.table(header, rows), step)
