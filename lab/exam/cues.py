"""Asked where there are cues or hold-outs: how often is it right without their help?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from lab.config import DataConfig
from lab.data import Cue, Examples, Population, draw_examples
from lab.data.twins import shows
from lab.estimate import Estimate, wilson
from lab.measure import accuracy, group_accuracies, predict, worst
from lab.tracking import texts, views
from lab.tracking.answers import Answers
from lab.tracking.writer import Tracker


@dataclass(frozen=True)
class MeasuredCue:
    """A cue, the share of pictures that show it, and its strength among those, as drawn."""

    cue: Cue
    shown: Estimate
    strength: Estimate


class CueExam:
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
        if population.hold_outs:
            others["held_out"] = population.combined()
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
                (name, f"{figure.count:,}", f"{figure.value:.3f}", f"{figure.low:.3f}–"
                 f"{figure.high:.3f}")
                for name, figure in sorted(self._accuracies.items(), key=lambda x: x[1].value)
            ]  # fmt: skip
            header = ("group", "unbiased test faces", "accuracy", "95 % interval")
            tracker.text("group_accuracies", texts.table(header, rows), step)


def groups(examples: Examples, cues: Sequence[Cue]) -> dict[str, Tensor]:
    """The groups, class by cue values: name -> members (N,) bool on the CPU; empty ones too."""
    labels = examples.clean_labels.cpu()
    says = [cue.says(examples.faces) for cue in cues]
    found = {}
    for label, name in enumerate(examples.classes):
        for spoken in product(range(len(examples.classes)), repeat=len(cues)):
            members = labels == label
            words = ["_".join(name.split())]
            for cue, said, one in zip(cues, says, spoken, strict=True):
                members = members & (said == one)
                words.append(f"{cue.attribute}={cue.words[one]}")
            found[",".join(words)] = members
    return found


def measured(population: Population, examples: Examples, *, seed: int) -> list[MeasuredCue]:
    """Each cue's strength in the examples: among the pictures that show it (Wilson's interval)."""
    result = []
    labels = examples.clean_labels.cpu()
    for cue in population.cues:
        visible = shows(population, examples, cue.attribute, seed=seed)
        agrees = (cue.says(examples.faces) == labels) & visible
        result.append(
            MeasuredCue(
                cue=cue,
                shown=wilson(int(visible.sum()), len(examples)),
                strength=wilson(int(agrees.sum()), int(visible.sum())),
            )
        )
    return result


def group_counts(examples: Examples, cues: Sequence[Cue]) -> Mapping[str, int]:
    """How many of the examples each group has."""
    return {name: int(members.sum()) for name, members in groups(examples, cues).items()}
