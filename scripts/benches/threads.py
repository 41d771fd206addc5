"""Two threads of a run, each with a part of every batch, against one, and against torch's own two
threads, which divide each operation. In turns."""

import time
from collections.abc import Callable

import torch

from benches.small import Case, network
from benches.table import Row
from lab.core.config import DataConfig, TrainConfig
from lab.core.machine import has_bfloat16, processors
from lab.experiments.timing import rate, ratio, take_turns
from lab.training import EpochBatches
from lab.training.train_step import TrainStep
from lab.worlds import Examples, draw_examples

CASES = (Case(8), Case(16), Case(48))
ROUGH = Case(24, precision="bfloat16")
"""The useful network, with its optimizer, where the processor has bfloat16."""

FACES = 500


def measure(*, quick: bool) -> list[Row]:
    """Steps a second on the wall with one thread, and the ratios."""
    if processors() < 2:
        return [Row(what="two threads", value=float("nan"), unit="×", note="one processor")]
    examples = draw_examples(DataConfig(num_train=FACES), split="train", count=FACES, seed=0)
    repetitions, steps = (5, 10) if quick else (15, 20)
    rows = []
    for case in (*CASES, ROUGH) if has_bfloat16() else CASES:
        seconds = take_turns(
            {
                "one": _steps(examples, steps, case),
                "two": _steps(examples, steps, case, parts=2),
                "torch's two": _steps(examples, steps, case, threads=2),
            },
            repetitions=repetitions,
            clock=time.perf_counter,
        )
        one, two, torchs = seconds.values()
        rows.append(Row(what=f"{case}, one thread", value=rate(one), unit="steps/s"))
        for what, slow in (("one", one), ("torch's two", torchs)):
            value, spread = ratio(slow, two)
            told = f"{case}, two against {what}"
            rows.append(Row(what=told, value=value, unit="×", note=spread))
    torch.set_num_threads(1)
    return rows


def _steps(
    examples: Examples, steps: int, case: Case, *, parts: int = 1, threads: int = 1
) -> Callable[[], int]:
    config = TrainConfig(
        steps=10**6, precision=case.precision, optimizer="muon" if case is ROUGH else "adamw"
    )
    batches = EpochBatches(examples.images, examples.labels, batch_size=config.batch_size, seed=0)
    torch.set_num_threads(threads)
    step = TrainStep(network(case.width), batches, config, seed=0, parts=parts)

    def job() -> int:
        torch.set_num_threads(threads)
        for _ in range(steps):
            step.take()
        return steps

    return job
