"""Evaluation schedule and learning-rate schedule, as functions of the step."""

import math

LATE, FIRST = 8, 8
"""Number of evenly spaced evaluations, and the first step of those before, which double."""

WARM_UP = 0.02
"""Share of the steps with linear warm-up of the learning rate: Adam's second moments are
unreliable at first (Ma & Yarats, "On the adequacy of untuned warmup for adaptive optimization",
AAAI 2021). A run of fewer than 50 steps has none."""


def evaluation_steps(steps: int, every: int | None = None) -> tuple[int, ...]:
    """The steps after which a run of `steps` optimizer steps is evaluated, in rising order.

    They begin with 0 (the untrained network) and end with `steps`. `every` is their distance.
    None: 0, 8, 16, 32, …, doubling while memorization happens, and then every eighth of the run,
    about 13 in all.
    """
    if every is not None:
        return tuple(sorted({*range(0, steps, every), steps}))
    even = {steps * part // LATE for part in range(1, LATE + 1)}
    first = min(even)
    doubling = {FIRST * 2**power for power in range(steps.bit_length())}
    doubling = {step for step in doubling if step < first}
    return tuple(sorted({0, *doubling, *even}))


def learning_rate(step: int, *, steps: int, peak: float) -> float:
    """The learning rate of step `step` (the first is 0) of `steps`: linear warm-up, cosine decay.

    Loshchilov & Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017, eq. 5,
    without restarts; the last step's rate is just above 0.
    """
    warm_up = int(WARM_UP * steps)
    if step < warm_up:
        return peak * (step + 1) / (warm_up + 1)
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * 0.5 * (1 + math.cos(math.pi * done))
