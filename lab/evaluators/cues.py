"""Accuracy without the help of cues, and on unseen combinations, where there are any."""

from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.core.words import interval
from lab.measure import accuracy, group_accuracies, predict, worst
from lab.tracking import texts, views
from lab.tracking.answers import Answers
from lab.tracking.writer import Tracker
from lab.worlds import DrawnWorld
from lab.worlds.groups import groups


class CueEvaluator:
    """An evaluator: accuracy where the cues say nothing, or the opposite of the label; and on
    combinations that training never shows.

    The sets are the test set once more, with nothing but the cues (or the combination) changed.
    """

    def __init__(self, world: DrawnWorld) -> None:
        others: dict[str, DrawnWorld] = {}
        if world.cues:
            others["unbiased"] = world.unbiased()
            others["conflicting"] = world.conflicting()
        if world.population.unseen_combinations:
            others["unseen_combinations"] = world.combined()
        self._noun = world.noun
        self._sets = {
            name: other.load("test", world.data.num_test) for name, other in others.items()
        }
        self._groups = groups(self._sets["unbiased"], world.cues) if world.cues else {}
        self._logits: dict[str, Tensor] = {}
        self._accuracies: dict[str, Estimate] = {}

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """Accuracy on each set, of each group and of the worst, by tag."""
        figures = {}
        for name, examples in self._sets.items():
            self._logits[name] = predict(model, examples.images)
            figures[f"accuracy/{name}"] = accuracy(self._logits[name], examples.labels.cpu())
        if self._groups:
            labels = self._sets["unbiased"].labels.cpu()
            found = group_accuracies(self._logits["unbiased"], labels, self._groups)
            self._accuracies = found
            figures["accuracy/worst_group"] = worst(found)[1]
            figures |= {f"group_accuracy/{name}": figure for name, figure in found.items()}
        return figures

    def group_counts(self) -> dict[str, int]:
        """How many unbiased test examples each group has."""
        return {name: int(members.sum()) for name, members in self._groups.items()}

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log a sheet of mistakes where the cues contradict the label."""
        if "conflicting" in self._logits:
            examples = self._sets["conflicting"].to("cpu")
            answers = Answers(
                images=examples.images,
                probabilities=self._logits["conflicting"].softmax(dim=1),
                labels=examples.labels,
                clean_labels=examples.clean_labels,
                classes=examples.classes,
            )
            views.write_conflicting(tracker, step, answers)

    def finish(self, tracker: Tracker, step: int) -> None:
        """Log the table of groups."""
        if self._accuracies:
            rows = [
                (name, f"{figure.count:,}", f"{figure.value:.3f}", interval(figure, 3))
                for name, figure in sorted(self._accuracies.items(), key=lambda x: x[1].value)
            ]  # fmt: skip
            header = ("group", f"unbiased test {self._noun}", "accuracy", "95 % interval")
            tracker.text("group_accuracies", texts.table(header, rows), step)
