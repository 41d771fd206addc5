"""Training and asking small networks in C, against the same modules called by torch, in turns."""

from collections.abc import Callable

import torch
from torch import nn

from benches.table import Row
from lab.core.config import DataConfig, TrainConfig
from lab.experiments.timing import rate, ratio, take_turns
from lab.measure.predict import predict
from lab.models import ModelSpec, create_model
from lab.models.convolutions import is_available
from lab.training import EpochBatches
from lab.training.train_step import TrainStep
from lab.worlds import Examples, draw_examples

GOALS = {1: None, 2: 2.5, 4: 2.0, 8: 1.4, 16: None}
"""Width of `cnn`, and how many times as fast its training steps should be."""

FACES = 500


def measure(*, quick: bool) -> list[Row]:
    """Steps a second of the lab's loop at each width, and the ratios; and those of predicting."""
    if not is_available():
        nan = float("nan")
        return [
            Row(what="steps in C against steps by torch", value=nan, unit="×", note="no C code")
        ]
    examples = draw_examples(DataConfig(num_train=FACES), split="train", count=FACES, seed=0)
    repetitions, steps = (7, 10) if quick else (25, 20)
    rows = []
    for width, goal in GOALS.items():
        in_c, by_torch = network(width), nn.Sequential(*network(width))
        seconds = take_turns(
            {
                "by torch": _steps(by_torch, examples, steps),
                "in C": _steps(in_c, examples, steps),
                "predicting by torch": _predictions(by_torch, examples),
                "predicting in C": _predictions(in_c, examples),
            },
            repetitions=repetitions,
        )
        slow, fast, slowly, fastly = seconds.values()
        rows += [
            Row(what=f"width {width}, by torch", value=rate(slow), unit="steps/s/core"),
            Row(what=f"width {width}, in C", value=rate(fast), unit="steps/s/core"),
        ]
        for what, pair, least in (
            ("in C", (slow, fast), goal),
            ("predicting", (slowly, fastly), None),
        ):
            value, spread = ratio(*pair)
            told = f"width {width}, {what} against torch"
            rows.append(Row(what=told, value=value, unit="×", least=least, note=spread))
    return rows


def network(width: int) -> nn.Sequential:
    """A `cnn` of that width."""
    torch.manual_seed(0)
    made = create_model("cnn", ModelSpec(width=width))
    assert isinstance(made, nn.Sequential)
    return made


def _steps(model: nn.Module, examples: Examples, steps: int) -> Callable[[], int]:
    config = TrainConfig(steps=10**6)
    batches = EpochBatches(examples.images, examples.labels, batch_size=config.batch_size, seed=0)
    step = TrainStep(model, batches, config, seed=0)

    def job() -> int:
        for _ in range(steps):
            step.take()
        return steps

    return job


def _predictions(model: nn.Module, examples: Examples) -> Callable[[], int]:
    def job() -> int:
        predict(model, examples.images)
        return len(examples.images)

    return job
