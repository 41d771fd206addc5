"""All evaluators of a run as one."""

from collections.abc import Mapping

from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.estimate import Estimate
from lab.core.words import estimated
from lab.evaluators.cues import CueEvaluator
from lab.evaluators.memorization import MemorizationEvaluator
from lab.evaluators.reliance import RelianceEvaluator
from lab.evaluators.validation import ValidationEvaluator
from lab.measure import consistency, varying
from lab.models import to_input
from lab.tracking import texts
from lab.tracking.writer import Tracker
from lab.worlds import DrawnWorld, Examples, World
from lab.worlds.groups import MeasuredCue, group_counts, measured

DOUBTED = 64
"""Test examples that the untrained network is asked about again."""


class EvaluatorSuite:
    """An evaluator made of several: memorization always, the others where there is something to ask
    about or to choose by."""

    def __init__(
        self,
        train: Examples,
        test: Examples,
        world: World,
        config: RunConfig,
    ) -> None:
        self._test, self._noun = test, world.noun
        self.memorization = MemorizationEvaluator(train, test)
        self.cues: CueEvaluator | None = None
        self.reliance: RelianceEvaluator | None = None
        self.strengths: list[MeasuredCue] = []
        """What the training set holds of each cue."""
        if isinstance(world, DrawnWorld):
            if world.cues or world.population.unseen_combinations:
                self.cues = CueEvaluator(world)
            if config.counterfactuals:
                self.reliance = RelianceEvaluator(
                    world, count=config.counterfactuals, strips=config.pictures
                )
            self.strengths = measured(world, train)
        self.validation: ValidationEvaluator | None = None
        if config.validation_faces:
            self.validation = ValidationEvaluator(world.load("validation", config.validation_faces))
        self.group_counts = group_counts(train, world.cues) if world.cues else {}
        """How many training examples each group has."""
        self._pictures = config.pictures
        self._shown = [e for e in (self.memorization, self.cues, self.reliance) if e is not None]

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """The figures of all of them, by tag."""
        suite = [*self._shown, *([self.validation] if self.validation else [])]
        return {tag: figure for exam in suite for tag, figure in exam(model).items()}

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log the pictures of the last answers."""
        for exam in self._shown:
            exam.show_pictures(tracker, step)

    def finish(self, tracker: Tracker, model: nn.Module, step: int) -> dict[str, Estimate]:
        """Log what is shown of the finished network alone; figures for the summary."""
        if self._pictures:
            self.memorization.show_projector(tracker, model)
        if self.cues is not None:
            self.cues.finish(tracker, step)
        figures = consistency(model, self._test.images)
        tracker.final(step, figures)
        if self.reliance is not None:
            figures |= self.reliance.finish(tracker, model, step)
        return figures

    def doubts(self, model: nn.Module) -> list[str]:
        """What is wrong with asking the untrained network at all, a sentence each."""
        said = varying(consistency(model, self._test.images[:DOUBTED]))
        return [said] if said else []

    def introduce(
        self,
        tracker: Tracker,
        model: nn.Module,
        *,
        settings: Mapping[str, object],
        surroundings: Mapping[str, str],
        example: Tensor,
    ) -> None:
        """Log the texts a fresh run begins with, and the graph, traced on `example`
        (N, 3, S, S)."""
        header = ("kind", "class", f"training {self._noun}", f"test {self._noun}")
        counts = texts.table(header, self.memorization.groups())
        if self.group_counts:
            rows = self.group_counts.items()
            counts += "\n\n" + texts.table(("group", f"training {self._noun}"), rows)
        tracker.text("config", texts.settings_table(settings))
        tracker.text("groups", counts)
        tracker.text("environment", texts.table(("part", "version"), surroundings.items()))
        if self.strengths:
            tracker.text("cues", self._cue_table())
        if self._pictures:
            tracker.graph(model, to_input(example))

    def _cue_table(self) -> str:
        classes = self.memorization.classes
        rows = []
        for found in self.strengths:
            cue, strength = found.cue, found.strength
            values = ", ".join(f"{w}: {c}" for w, c in zip(cue.words, classes, strict=True))
            rows.append(
                (cue.attribute, values, f"{cue.strength:g}", f"{cue.no_link:.3g}",
                 estimated(strength, 3), f"{found.shown.value:.3f}")
            )  # fmt: skip
        header = ("cue", "value: class", "strength asked for", "no link", "measured on the training"
                  f" {self._noun} that show it (95 % interval)", "shown by")  # fmt: skip
        return texts.table(header, rows)
