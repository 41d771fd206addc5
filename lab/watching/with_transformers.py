"""`watch.hugging_face`: a callback for the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from typing import Any

from lab.watching.attached import Attached


def callback(**options: Any) -> Any:
    """A transformers callback that watches an image classifier, which takes `pixel_values` and
    returns `.logits`; `options` are those of `lab.watch`. Without `train` and `test` those of the
    trainer are taken, with its collator."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Measures after optimizer steps; see `lab.watch`."""

        def __init__(self) -> None:
            self.attached = Attached(options)

        @property
        def verdict(self) -> str:
            """The sentences, when training has ended."""
            return self.attached.watched.verdict if self.attached.watched else ""

        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.attached.begin(
                given["model"],
                train=given.get("train_dataloader"),
                test=given.get("eval_dataloader"),
                steps=state.max_steps,
                batches=args.gradient_accumulation_steps,
                missing="give train= and test= to watch.hugging_face (a trainer makes its"
                " evaluation set known to callbacks only once it has evaluated)",
            )

        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.attached.step(max(0, state.global_step - 1))

        def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.attached.end()

    return Watch()
