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
            self._made = 0

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
                batches=trainer.accumulate_grad_batches,
                missing="the trainer has none; give train= and test= to watch.lightning",
            )
            self._made = trainer.global_step
            if doubt := _part_of_an_epoch(trainer, options):
                self.attached.doubt(doubt)

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            made, self._made = self._made, trainer.global_step
            if self._made > made:  # gradients of several batches may be accumulated for a step
                self.attached.step(self._made - 1)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self.attached.end()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self.attached.fail(exception)

    return Watch()


def _part_of_an_epoch(trainer: Any, options: Any) -> str:
    """What is to be said where an epoch goes through a part of the training set."""
    loader, batches = trainer.train_dataloader, trainer.num_training_batches
    if "train" in options or not hasattr(loader, "__len__") or batches >= len(loader):
        return ""
    return (
        f"the trainer takes {batches:,} of {len(loader):,} batches in each epoch"
        " (limit_train_batches), and all of the training set counts as studied: give what it goes"
        " through as train= if that is less"
    )
