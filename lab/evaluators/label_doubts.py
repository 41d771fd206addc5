"""Label doubts: the training pictures whose given label is most likely wrong, as a sheet."""

from __future__ import annotations

from dataclasses import dataclass

from lab.evaluators.evaluation import Evaluation, LoadedSplit
from lab.evaluators.evaluator import Result
from lab.evaluators.memorization import predicted_examples
from lab.evaluators.setup import Setup
from lab.measure import example_losses
from lab.measure.label_doubts import LabelDoubts, features_of, label_doubts
from lab.tracking.predicted import PredictedExamples
from lab.tracking.sheets import doubted_sheet
from lab.tracking.writer import Tracker
from lab.worlds import StoredWorld


@dataclass(frozen=True)
class LabelDoubtsEvaluator:
    """An evaluator: doubts about the labels of the training set."""

    train: LoadedSplit
    noun: str = "pictures"

    @classmethod
    def prepare(cls, setup: Setup) -> LabelDoubtsEvaluator | None:
        """For pictures that are not drawn, whose true labels nobody knows, where sheets are
        made."""
        train = setup.splits.get("train")
        if not (setup.pictures and isinstance(setup.world, StoredWorld)):
            return None
        return cls(train, setup.world.noun) if isinstance(train, LoadedSplit) else None

    def __call__(self, evaluation: Evaluation) -> LabelDoubtsResult:
        """The doubts, by the features of the network."""
        predictions = evaluation.on("train")
        images = self.train.examples.images
        losses = example_losses(predictions.logits, predictions.labels)
        return LabelDoubtsResult(
            metrics={},
            noun=self.noun,
            examples=predicted_examples(self.train, predictions),
            doubts=label_doubts(
                lambda where: features_of(evaluation.model, images[where]),
                predictions.labels.cpu(),
                losses.cpu(),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class LabelDoubtsResult(Result):
    """The doubts about N training examples."""

    noun: str = "pictures"
    examples: PredictedExamples
    doubts: LabelDoubts

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the pictures with the likeliest wrong labels."""
        doubts = self.doubts
        sheet = doubted_sheet(
            self.examples, order=doubts.order, against=doubts.against, said=doubts.said
        )
        tracker.image(f"{self.noun}/likeliest_wrong_labels", step, sheet)
