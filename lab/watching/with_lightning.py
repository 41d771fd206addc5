"""`watch.lightning`: a callback for Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from lab.watching.attached import Attached


def callback(**options: Any) -> Any:
    """A Lightning callback that watches the module; `options` are those of `lab.watch`. Without
    `train` and `test` the trainer's training set and its (first) validation set are taken."""
    try:
        from lightning.pytorch import Callback
    except ImportError:  # the same library under its older name
        from pytorch_lightning import Callback

    class Watch(Callback):  # type: ignore[misc]
        """Measures after training batches; see `lab.watch`."""

        def __init__(self) -> None:
            self.attached = Attached(options)

        @property
        def verdict(self) -> str:
            """The sentences, when training has ended."""
            return self.attached.watched.verdict if self.attached.watched else ""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            loaders = trainer.val_dataloaders
            test = loaders[0] if isinstance(loaders, (list, tuple)) and loaders else loaders
            steps = trainer.estimated_stepping_batches
            self.attached.begin(
                pl_module,
                train=trainer.train_dataloader,
                test=test or None,
                steps=int(steps) if steps != float("inf") else None,
                missing="the trainer has none; give train= and test= to watch.lightning",
            )

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            self.attached.step(max(0, trainer.global_step - 1))

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self.attached.end()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self.attached.fail(exception)

    return Watch()
