"""Consistency: whether predictions are a function of the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.core.words import share, singular
from lab.measure.predict import predict
from lab.models import to_input

REPEATED, ALONE = "answers/changed_when_repeated", "answers/changed_when_alone"

MOVED_REPEATED, MOVED_ALONE = "answers/moved_when_repeated", "answers/moved_when_alone"

CONSISTENCY = (REPEATED, ALONE, MOVED_REPEATED, MOVED_ALONE)
"""The tags of `consistency`."""

MOVED = 0.1
"""How much the probability of a class moves at least, 0 to 1, for a prediction to have moved."""

SAMPLE = 200
"""Pictures that are predicted again: a share of 1 in 100 is seen with a chance of 87 %."""

ROUNDING, ROUGH = 1e-3, 5e-2
"""How much logits may differ from one batch size to another, as a share of the largest: with
float32 weights (on a GPU its products may be of 10 bits, TF32), and with those of 16 bits."""


def consistency(
    model: nn.Module,
    images: Tensor,
    *,
    to_input: Callable[[Tensor], Tensor] = to_input,
    batch_size: int | None = None,
    own: Tensor | None = None,
) -> dict[str, Estimate]:
    """The shares of predictions that change, and that move, when a picture is given again, and when
    it is given alone and not in a batch (of `batch_size`), by tag; over the first `SAMPLE` of uint8
    pictures (N, 3, S, S), N > 1.

    A prediction has changed if another class is the most probable one, and moved if the probability
    of a class is another one by more than `MOVED`, where the logits have moved by more than
    rounding moves them, too. A network that draws random numbers in eval mode gets another seed
    each time. For a function of the picture all shares are 0. `own` (N,) bool are the pictures that
    are no copies of earlier ones, whose number decides how wide intervals are; None: all.
    """
    if isinstance(images, Tensor):  # of anything else `predict` says that it is none
        images = images[:SAMPLE]
    first, again = (
        predict(model, images, to_input=to_input, seed=seed, batch_size=batch_size)
        for seed in (0, 1)
    )
    alone = predict(model, images, to_input=to_input, seed=2, batch_size=1)
    rounding = ROUNDING
    if any(p.is_floating_point() and p.element_size() < 4 for p in model.parameters()):
        rounding = ROUGH
    found = {}
    for tag, moved_tag, other in ((REPEATED, MOVED_REPEATED, again), (ALONE, MOVED_ALONE, alone)):
        for name, which in zip((tag, moved_tag), _changed(first, other, rounding), strict=True):
            alike = which if own is None else which[own[: len(which)]]
            each, different = (wilson(int(some.sum()), len(some)) for some in (which, alike))
            found[name] = each if own is None else each.with_interval_of(different)
    return found


def varying(
    metrics: Mapping[str, Estimate | float], *, untrained: bool = False, noun: str = "pictures"
) -> str:
    """A sentence on predictions that are no function of the picture; empty if there are none.
    `untrained`: they are those before training, which may set what they depend on; `noun` is what
    pictures are called."""
    one = singular(noun)
    repeated, alone, moved_again, moved_alone = (
        Estimate(each) if isinstance(each, (int, float)) else each
        for each in map(metrics.get, CONSISTENCY)
    )
    if repeated is not None and repeated.value > 0:
        changed = f"{share(repeated)} of them change when the same {one} is asked about again."
        follows = "Reliance and all other figures contain that noise."
    elif alone is not None and alone.value > 0:
        changed = (
            f"{share(alone)} of them change when the {one} is shown alone and not with others."
        )
        follows = (
            f"All figures are about {noun} shown together, and those of reliance contain what the"
            " others change."
        )
    elif moved_again is not None and moved_again.value > 0:
        changed = _moved(moved_again, f"the same {one} is asked about again")
        follows = "All figures contain that noise."
    elif moved_alone is not None and moved_alone.value > 0:
        changed = _moved(moved_alone, f"the {one} is shown alone and not with others")
        follows = f"All figures are about {noun} shown together."
    else:
        return ""
    first = "Before training, its" if untrained else "Its"
    follows = "The verdict says whether that is so after training." if untrained else follows
    return f"{first} answers are not a function of the {one}: {changed} {follows}"


def _moved(found: Estimate, when: str) -> str:
    """The sentence on predictions that move without changing."""
    return (
        f"of {found.count:,} none changes when {when}, but the probabilities of {share(found)} do,"
        f" by more than {MOVED:g}."
    )


def _changed(one: Tensor, other: Tensor, rounding: float) -> tuple[Tensor, Tensor]:
    """Which predictions (N,) have changed from the logits (N, C) of one to the other, and which
    have moved."""
    scale = torch.cat([one, other]).nan_to_num(0.0).abs().max() if len(one) else 0.0
    moved = (one - other).abs().amax(dim=1) > rounding * scale
    changed = (one.argmax(dim=1) != other.argmax(dim=1)) & moved
    changed |= one.isnan().any(dim=1) != other.isnan().any(dim=1)  # a number once, and once not
    apart = (one.double().softmax(dim=1) - other.double().softmax(dim=1)).abs().amax(dim=1)
    return changed, (apart > MOVED) & moved
