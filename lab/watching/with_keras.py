"""`watch.keras`: a callback for Keras 3 on its torch backend."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lab.watching.attached import Attached


def callback(**options: Any) -> Any:
    """A Keras callback that watches a classifier; `options` are those of `lab.watch`, of which
    `train` and `test` must be given. Where the model's loss takes probabilities, their logarithms
    are its logits. `ValueError` if Keras does not compute with torch."""
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

        @property
        def verdict(self) -> str:
            """The sentences, when training has ended."""
            return self.attached.watched.verdict if self.attached.watched else ""

        def on_train_begin(self, logs: Any = None) -> None:
            steps, epochs = self.params.get("steps"), self.params.get("epochs")
            loss = keras.losses.get(self.model.loss)
            self.attached.begin(
                self.model,
                steps=steps * epochs if steps and epochs else None,
                missing="give train=(x, y) and test=(x, y) to watch.keras",
                forward=_forward,
                outputs=None if getattr(loss, "from_logits", False) else "probabilities",
            )

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.attached.step()

        def on_train_end(self, logs: Any = None) -> None:
            self.attached.end()

    return Watch()


def _forward(model: nn.Module, inputs: Any) -> Tensor:
    """What the model returns for inputs in eval mode."""
    output: Tensor = model(inputs, training=False)
    return output
