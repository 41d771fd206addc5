"""`watch.keras`: a callback for Keras 3 on its torch backend."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn

from lab.watching.attached import Attached


def callback(**options: Any) -> Any:
    """A Keras callback that watches a classifier; `options` are those of `lab.watch`, of which
    `train` and `test` must be given. Where the model's loss takes probabilities, their logarithms
    are its logits. Among the callbacks of `fit` it stands behind those that replace the weights at
    the end (`EarlyStopping` with `restore_best_weights`). `ValueError` if Keras does not compute
    with torch."""
    import keras

    if keras.backend.backend() != "torch":
        raise ValueError(
            f"watch.keras needs Keras with the torch backend, not {keras.backend.backend()}: set"
            " KERAS_BACKEND=torch before Keras is imported"
        )

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        """Measures after training batches; see `lab.watch`."""

        def __init__(self) -> None:
            super().__init__()
            self.attached = Attached(options)
            self._made = 0

        @property
        def verdict(self) -> str:
            """The sentences, when training has ended."""
            return self.attached.watched.verdict if self.attached.watched else ""

        def on_train_begin(self, logs: Any = None) -> None:
            steps, epochs = self.params.get("steps"), self.params.get("epochs")
            self._made = self._updates()
            self.attached.begin(
                self.model,
                steps=steps * epochs // self._accumulated() if steps and epochs else None,
                missing="give train=(x, y) and test=(x, y) to watch.keras",
                forward=_forward,
                outputs=_outputs(keras.losses.get(self.model.loss)),
            )

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self._accumulated() > 1:  # of several batches' gradients one update is made
                made, self._made = self._made, self._updates()
                if self._made == made:
                    return
            self.attached.step()

        def _accumulated(self) -> int:
            """Batches for an update of the weights."""
            return getattr(self.model.optimizer, "gradient_accumulation_steps", None) or 1

        def _updates(self) -> int:
            """Updates of the weights so far."""
            return int(self.model.optimizer.iterations)

        def on_train_end(self, logs: Any = None) -> None:
            self.attached.end()

    return Watch()


def _outputs(loss: Any) -> str | None:
    """What a model returns whose loss is such a function or object; None: that does not say."""
    if getattr(loss, "from_logits", False):
        return None
    named = hasattr(loss, "from_logits") or (
        callable(loss) and "from_logits" in inspect.signature(loss).parameters
    )
    return "probabilities" if named else None


def _forward(model: nn.Module, inputs: Any) -> Tensor:
    """What the model returns for inputs in eval mode."""
    output: Tensor = model(inputs, training=False)
    return output
