"""Training and asking networks in C, against the same modules called by torch, in turns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from benches.table import Row
from lab.core.config import DataConfig, TrainConfig
from lab.core.machine import has_bfloat16
from lab.experiments.timing import rate, ratio, take_turns
from lab.measure.predict import predict
from lab.models import ModelSpec, create_model
from lab.models.convolutions import is_available
from lab.training import EpochBatches
from lab.training.train_step import TrainStep
from lab.worlds import Examples, draw_examples


@dataclass(frozen=True)
class Case:
    """A `cnn` of some width and arithmetic, and how many times as fast its training steps should
    be."""

    width: int
    goal: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"

    def __str__(self) -> str:
        return f"width {self.width}" + (", bfloat16" if self.precision == "bfloat16" else "")


CASES = (Case(1), Case(2, 2.5), Case(4, 2.0), Case(8, 1.4), Case(16), Case(48))
"""Up to width 8 all convolutions are in C, beyond that only pooling and ReLU."""

ROUGH = Case(24, precision="bfloat16")
"""The useful network, where the processor has bfloat16: its first layer is in C, too."""

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
    for case in (*CASES, ROUGH) if has_bfloat16() else CASES:
        in_c, by_torch = network(case.width), nn.Sequential(*network(case.width))
        seconds = take_turns(
            {
                "by torch": _steps(by_torch, examples, steps, case),
                "in C": _steps(in_c, examples, steps, case),
                "predicting by torch": _predictions(by_torch, examples, case),
                "predicting in C": _predictions(in_c, examples, case),
            },
            repetitions=repetitions,
        )
        slow, fast, slowly, fastly = seconds.values()
        rows += [
            Row(what=f"{case}, by torch", value=rate(slow), unit="steps/s/core"),
            Row(what=f"{case}, in C", value=rate(fast), unit="steps/s/core"),
        ]
        for what, pair, least in (
            ("in C", (slow, fast), case.goal),
            ("predicting", (slowly, fastly), None),
        ):
            value, spread = ratio(*pair)
            told = f"{case}, {what} against torch"
            rows.append(Row(what=told, value=value, unit="×", least=least, note=spread))
    return rows


def network(width: int) -> nn.Sequential:
    """A `cnn` of that width."""
    torch.manual_seed(0)
    made = create_model("cnn", ModelSpec(width=width))
    assert isinstance(made, nn.Sequential)
    return made


def _steps(model: nn.Module, examples: Examples, steps: int, case: Case) -> Callable[[], int]:
    config = TrainConfig(steps=10**6, precision=case.precision)
    batches = EpochBatches(examples.images, examples.labels, batch_size=config.batch_size, seed=0)
    step = TrainStep(model, batches, config, seed=0)

    def job() -> int:
        for _ in range(steps):
            step.take()
        return steps

    return job


def _predictions(model: nn.Module, examples: Examples, case: Case) -> Callable[[], int]:
    def job() -> int:
        predict(model, examples.images, precision=case.precision)
        return len(examples.images)

    return job
