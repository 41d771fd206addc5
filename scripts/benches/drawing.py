"""How fast faces are drawn, against Pillow drawing the same pictures."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy as np

from benches.pillow_drawing import WRITTEN_FOR
from benches.pillow_drawing import draw as draw_with_pillow
from benches.table import Row
from lab.core.config import DataConfig
from lab.draw import Backend
from lab.experiments.timing import rate, ratio, take_turns
from lab.worlds import population_of, world_version
from lab.worlds.faces import Faces, render

GOALS = {"torch": 15, "C": 100}
"""Times the rate of Pillow, warm."""

_COLD = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
from lab.worlds.faces import render, sample_prior
faces = sample_prior(64, seed=0)
render(faces, size=32, backend="torch")
times = [time.perf_counter()]
for _ in range(2):
    render(faces, size=32, backend="c")
    times.append(time.perf_counter())
print(times[1] - times[0] - (times[2] - times[1]))
"""


def faces_to_draw(count: int) -> Faces:
    """Faces as a run draws them."""
    return population_of(DataConfig()).sample(count, seed=0, split="bench")


def measure(*, quick: bool) -> list[Row]:
    """Rates at 32 and 64 px, their ratios, and what the compiler costs once."""
    rows: list[Row] = []
    for size, few, many in ((32, 100, 2000), (64, 50, 1000)):
        faces = faces_to_draw(many // 4 if quick else many)
        rows += _compare(faces, size, few=few, repetitions=5 if quick else 15)
    return [*rows, likeness(), compile_time()]


def likeness() -> Row:
    """How alike Pillow's pictures are to the lab's: the least correlation of 8 by 8 thumbnails."""
    faces = faces_to_draw(48)
    pictures = (
        render(faces, size=64).permute(0, 2, 3, 1).numpy(),
        draw_with_pillow(faces, size=64),
    )
    thumbnails = [p.reshape(48, 8, 8, 8, 8, 3).mean(axis=(2, 4)).reshape(48, -1) for p in pictures]
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(*thumbnails, strict=True)]
    what, version = "Pillow's pictures are like the lab's", world_version(DataConfig())
    if version == WRITTEN_FOR:
        return Row(what=what, value=float(min(alike)), least=0.97)
    note = f"Pillow draws {WRITTEN_FOR}, the lab {version}"
    return Row(what=what, value=float(min(alike)), note=note)


def _compare(faces: Faces, size: int, *, few: int, repetitions: int) -> list[Row]:
    shown = faces[:few]

    def with_pillow() -> int:
        draw_with_pillow(shown, size=size)
        return len(shown)

    def with_lab(backend: Backend) -> Callable[[], int]:
        def job() -> int:
            render(faces, size=size, backend=backend)
            return len(faces)

        return job

    jobs = {"Pillow": with_pillow, "torch": with_lab("torch"), "C": with_lab("c")}
    missing = ""
    try:
        jobs["C"]()
    except (ValueError, RuntimeError) as error:  # no compiler here
        missing = str(error).splitlines()[0]
        del jobs["C"]
    seconds = take_turns(jobs, repetitions=repetitions)
    rows = [
        Row(what=f"{name}, {size} px", value=rate(values), unit="faces/s/core")
        for name, values in seconds.items()
    ]
    for name, goal in GOALS.items():
        what = f"{name} against Pillow, {size} px"
        if name in seconds:
            value, spread = ratio(seconds["Pillow"], seconds[name])
            rows.append(Row(what=what, value=value, unit="×", least=goal, note=spread))
        else:
            rows.append(Row(what=what, value=float("nan"), unit="×", least=goal, note=missing))
    return rows


def compile_time() -> Row:
    """How long the first picture of a machine waits for the compiler."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", _COLD, json.dumps(sys.path)],
            env={**os.environ, "XDG_CACHE_HOME": cache},
            capture_output=True,
            text=True,
            check=False,
        )
    what, note = "compiling, once per machine", "wall clock, empty cache"
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Row(what=what, value=float("nan"), unit="s", note=reason)
    return Row(what=what, value=float(done.stdout.split()[-1]), unit="s", note=note)
