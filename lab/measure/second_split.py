"""Scores of training examples that a second training gives: how soon each is forgotten.

A network that has been trained on a first set of examples, the first split, goes on with a second
one of the same population, and with the same recipe. `SECOND_SCORES` is the table of what is read
off the second training, and `ForgettingCollector` measures it: after each epoch of the second
training it predicts the whole first split in eval mode, which changes nothing of the network or of
any random state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lab.measure.example_scores import SCORES, Score, ends_epoch
from lab.measure.predict import predict
from lab.measure.predictions import right
from lab.models import to_input


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """What is kept of a second training for each of the N examples of the first split.

    Args:
        epochs: epochs after which they were predicted.
        last_right: the last of these after which an example was predicted right (N,) int64, on the
            CPU; 0: none.
    """

    epochs: int
    last_right: Tensor

    @classmethod
    def none(cls, count: int) -> Forgetting:
        """That of `count` examples before the second training."""
        return cls(epochs=0, last_right=torch.zeros(count, dtype=torch.int64))

    def after_epoch(self, logits: Tensor, labels: Tensor) -> Forgetting:
        """That after one more epoch, with the predictions `logits` (N, C) after it."""
        epochs = self.epochs + 1
        now = torch.full_like(self.last_right, epochs)
        return Forgetting(
            epochs=epochs, last_right=torch.where(right(logits, labels), now, self.last_right)
        )


def negative_forgetting_time(forgetting: Forgetting) -> Tensor:
    """Minus the first epoch after which, and after all later ones, an example is predicted wrong;
    minus the number of all epochs, less 1, if it is right in the end."""
    return -(forgetting.last_right + 1).double()


SECOND_SCORES: tuple[Score[Forgetting], ...] = (
    Score(
        name="negative_ssft",
        heading="early second-split forgetting (SSFT)",
        formula="minus the first epoch of a second training, on other examples, from which on y is"
        " not predicted; minus (1 + the number of its epochs), if it is in the end",
        source="Maini et al., NeurIPS 2022",
        flipped=True,
        of=negative_forgetting_time,
    ),
)
"""All scores of a second training. Higher: forgotten sooner."""

ALL_SCORES: tuple[Score[Any], ...] = (*SCORES, *SECOND_SCORES)
"""Those of one training, and those of a second one."""


class ForgettingCollector:
    """The scores of the first split, whose `images` (N, C, S, S) uint8 and given `labels` (N,) it
    predicts after each epoch of a second training on `count` examples.

    `due` and `collect` go into the training loop; after its end `finish` has the scores.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        count: int,
        batch_size: int,
        to_input: Callable[[Tensor], Tensor] = to_input,
    ) -> None:
        self._images, self._labels, self._to_input = images, labels.cpu(), to_input
        self._count, self._batch_size = count, batch_size
        self.forgetting = Forgetting.none(len(labels))

    def due(self, step: int) -> bool:
        """Whether an epoch of the second training ends with step number `step`."""
        return ends_epoch(step, batch_size=self._batch_size, count=self._count)

    def collect(self, model: nn.Module) -> None:
        """Predict the first split after an epoch."""
        logits = predict(model, self._images, to_input=self._to_input)
        self.forgetting = self.forgetting.after_epoch(logits, self._labels)

    def finish(self, model: nn.Module) -> dict[str, Tensor]:
        """All scores (N,) by name, after the second training has ended with `model`; one without a
        whole epoch counts as one."""
        if self.forgetting.epochs == 0:
            self.collect(model)
        return {score.name: score.of(self.forgetting) for score in SECOND_SCORES}

    def state(self) -> dict[str, Any]:
        """What a resumed training needs, as tensors and plain values."""
        return dict(vars(self.forgetting))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from such a state."""
        self.forgetting = Forgetting(**state)
