"""`watch`: the one name that `lab` offers for training loops of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from lab.watching.watcher import Watcher


class Watch:
    """The callable `lab.watch`, and its adapters for libraries that own the loop."""

    def __call__(
        self,
        model: nn.Module,
        *,
        train: Any,
        test: Any,
        out: str | Path | None = None,
        again: Literal["refuse", "new"] = "refuse",
        clean: Any = None,
        classes: Sequence[str] = (),
        groups: Mapping[str, Sequence[Any]] | None = None,
        clusters: tuple[Sequence[Any], Sequence[Any]] | None = None,
        clean_labels: Any = None,
        change: Mapping[str, Callable[[Any], Any]] | None = None,
        forward: Callable[[nn.Module, Any], Any] | None = None,
        outputs: Literal["logits", "probabilities"] | None = None,
        share: float = 0.05,
        every: int | None = None,
        steps: int | None = None,
        most: int | None = 2000,
        settings: Mapping[str, Any] | None = None,
        pictures: bool = True,
        quiet: bool = False,
    ) -> Watcher:
        """Watch a classifier while it is trained: a run's folder with accuracy, gap, membership
        AUC, losses, calibration and a verdict.

            with watch(model, train=train_set, test=test_set, out="runs/mine") as watched:
                for step, (x, y) in enumerate(loader):
                    ...                      # one optimizer step
                    watched(step)

        When the block ends, it prints the verdict (`watched.verdict`) unless it is `quiet`.
        It asks the model in eval mode, in passes of its own. Weights, buffers, gradients, modes
        and random states are as before.

        Args:
            model: a `torch.nn.Module` that returns logits (N, C), or one logit (N,) of a binary
                classifier; an object with `.logits`; or what `forward` makes of it. Of a tuple
                the first item is taken, or, if it does not fit, the only one with a column for each
                class. For probabilities see `outputs`. Wrapped models (DataParallel,
                DistributedDataParallel, `torch.compile`) are unwrapped; sharded ones are refused.
            train, test: each a map-style dataset of (input, label), a DataLoader (whose dataset
                and collate function are used), or (inputs, labels) as tensors or arrays. Labels
                are whole numbers from 0, one-hot rows, or names of `classes` (or of the
                dataset's).
            out: the run's folder, new or empty. None: a new one below runs/.
            again: what becomes of a second run with the same `out`: it is refused ("refuse"), or
                gets a folder of its own beside the first ("new"): OUT-2, OUT-3, and so on.
            clean: for training sets with random augmentation: a transform to replace the
                dataset's own, or a dataset of the same examples without it.
            classes: the names of the classes. None given: the dataset's, or numbers.
            groups: columns with a value for each test example, by name; accuracy is measured for
                each class × values, and for the worst.
            clusters: which examples belong together, as pictures or visits of one patient: a pair
                of columns, with a value for each training and for each test example. Intervals then
                take clusters for independent, not examples, and clusters in both sets are told.
            clean_labels: the true label of each training example, where some labels are wrong.
            change: interventions by name: functions from a batch of inputs, on the model's
                device, to another one. The share of predictions that change is measured.
            forward: a function of model and inputs that returns logits.
            outputs: whether the model (or `forward`) returns "logits" or "probabilities", of which
                the log odds are measured. None: what its last operation and its values say; where
                these leave it open, `ValueError` asks.
            share: the share of the time that may be spent on measuring, above 0 to 1. The first
                and the last measurement are always made.
            every: measure every so many steps instead, whatever that takes.
            steps: how many steps there will be, if that is known: then it is measured more often
                at the beginning.
            most: examples of each set that are measured at most, a fixed random sample. None: all.
            settings: what should be known of the run in TensorBoard's table, by name:
                learning_rate, batch_size, weight_decay, width, seed, or anything else.
            pictures: whether pictures, curves and the projector are logged.
            quiet: whether nothing is printed.

        Raises `ValueError` in one line if something cannot work. In a distributed program the
        process of rank 0 measures, and the others return at once.
        """
        return Watcher(
            model, train=train, test=test, out=out, again=again, clean=clean, classes=classes,
            groups=groups, clusters=clusters, clean_labels=clean_labels, change=change,
            forward=forward, outputs=outputs, share=share, every=every, steps=steps, most=most,
            settings=settings, pictures=pictures, quiet=quiet,
        )  # fmt: skip

    def lightning(self, **options: Any) -> Any:
        """A callback for Lightning's Trainer, with the same arguments; `train` and `test` are the
        trainer's own unless given."""
        from lab.watching.with_lightning import callback

        return callback(**options)

    def hugging_face(self, **options: Any) -> Any:
        """A callback for the Trainer of Hugging Face's transformers, with the same arguments;
        `train` and `test` are the trainer's own unless given."""
        from lab.watching.with_transformers import callback

        return callback(**options)

    def keras(self, **options: Any) -> Any:
        """A callback for `fit` of Keras 3 on its torch backend, with the same arguments."""
        from lab.watching.with_keras import callback

        return callback(**options)


watch = Watch()
"""See `Watch.__call__`."""
