"""How time and memory grow with the number of training faces: every count in a fresh process."""

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from benches.table import Row

Result = TypeVar("Result")

COUNTS = (1_000, 10_000, 100_000)
TEST_FACES = 2000
"""Test faces of every evaluation: their number stays."""

STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one number of training faces costs; seconds of a processor, medians of three."""

    faces: int
    sampling: float
    drawing: float
    step: float
    evaluation: float
    memory: float  # MB at the most, above what the process held before; NaN: not on Linux


def measure(*, quick: bool) -> list[Row]:
    """The costs at each count, and how many times those of the smallest the largest has."""
    costs = [_in_new_process(count) for count in COUNTS[: 2 if quick else 3]]
    rows = []
    for cost in costs:
        per = cost.faces / 1e6
        rows += [
            Row(what=f"{cost.faces:,} faces: sampling", value=cost.sampling, unit="s",
                note=f"{cost.sampling / per:.3g} µs a face"),
            Row(what=f"{cost.faces:,} faces: drawing, 32 px", value=cost.drawing, unit="s",
                note=f"{cost.drawing / per:.3g} µs a face"),
            Row(what=f"{cost.faces:,} faces: a training step", value=1e3 * cost.step, unit="ms"),
            Row(what=f"{cost.faces:,} faces: an evaluation", value=cost.evaluation, unit="s",
                note=f"on them and {TEST_FACES:,} test faces"),
            Row(what=f"{cost.faces:,} faces: memory", value=cost.memory, unit="MB",
                note=f"at the most; the pictures alone: {cost.faces * 3072 / 1e6:,.0f} MB"),
        ]  # fmt: skip
    return rows + compare(costs[0], costs[-1])


def compare(small: Cost, large: Cost) -> list[Row]:
    """How the costs of `large` relate to those of `small`."""
    times = large.faces / small.faces
    seen = (large.faces + TEST_FACES) / (small.faces + TEST_FACES)
    pairs = [
        ("sampling", large.sampling / small.sampling, times),
        ("drawing", large.drawing / small.drawing, times),
        ("a training step", large.step / small.step, 1.0),
        ("an evaluation", large.evaluation / small.evaluation, seen),
    ]
    return [
        Row(what=f"{times:g} times the faces: {what}", value=grown, unit="×",
            note=f"in proportion: {number:g}")
        for what, grown, number in pairs
    ]  # fmt: skip


def _in_new_process(count: int) -> Cost:
    code = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1]);"
        "from benches.growth import cost; print(cost(int(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(sys.path), str(count)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Cost(**json.loads(done.stdout))


def cost(count: int) -> str:
    """The costs of `count` training faces, measured in this process, as JSON."""
    import torch
    from torch import Tensor

    from lab.core.config import ModelConfig, RunConfig, TrainConfig
    from lab.evaluators import EvaluatorSuite
    from lab.models import ModelSpec, create_model
    from lab.training import EpochBatches, fit
    from lab.worlds import DrawnWorld, Examples
    from lab.worlds.faces import render

    torch.set_num_threads(1)
    config = RunConfig(counterfactuals=0, pictures=False)
    data, world = config.data, DrawnWorld.of(config.data, seed=config.seed)
    task = world.task
    test = world.load("test", TEST_FACES)
    model = create_model(ModelConfig().model, ModelSpec(width=ModelConfig().width))

    def train_on(images: Tensor, labels: Tensor, steps: int) -> None:
        config = TrainConfig(steps=steps)
        batches = EpochBatches(images, labels, batch_size=config.batch_size, seed=0)
        fit(model, batches, config, seed=0)

    train_on(test.images, test.labels, 5)  # warm up
    EvaluatorSuite.of_run(test, test, world, config)(model)
    before = _reset_peak()

    faces, sampling = _timed(lambda: world.sample(count, split="train"))
    images, drawing = _timed(lambda: render(faces, size=data.image_size))
    labels = task.label(faces)
    train = Examples(
        samples=faces, images=images, labels=labels, clean_labels=labels,
        subpopulations=task.subpopulation_of(faces), classes=task.classes,
        all_subpopulations=task.subpopulations,
    )  # fmt: skip
    suite = EvaluatorSuite.of_run(train, test, world, config)
    _, training = _timed(lambda: train_on(images, labels, STEPS))
    _, evaluation = _timed(lambda: suite(model))
    return json.dumps(
        asdict(
            Cost(
                faces=count,
                sampling=sampling,
                drawing=drawing,
                step=training / STEPS,
                evaluation=evaluation,
                memory=_memory("VmHWM") - before,
            )
        )
    )


def _timed(job: Callable[[], Result]) -> tuple[Result, float]:
    """What a job gives, and the median of the processor seconds it takes."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        result = job()
        seconds.append(time.process_time() - start)
    return result, statistics.median(seconds)


def _reset_peak() -> float:
    """Forget the peak of this process's memory so far; what it holds now, in MB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory("VmRSS")


def _memory(what: str) -> float:
    """The memory this process holds (VmRSS) or has held at the most (VmHWM), in MB."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024 / 1e6
    return math.nan
