"""Networks whose code is known: what they do beside computing."""

from __future__ import annotations

from torch import nn

from lab.models.fused import is_unmodified

_KNOWN = ("torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "lab.models.")
"""Beginnings of the names of Python modules whose layers leave the settings of the process alone
and draw random numbers from torch's generator of the device only."""


def is_known(model: nn.Module) -> bool:
    """Whether all layers of a network are torch's, torchvision's or the lab's own, without hooks or
    a `forward` of their own: they decide nothing in Python anew at each step, and may compute while
    another thread does."""
    return all(
        f"{type(module).__module__}.".startswith(_KNOWN) and is_unmodified(module)
        for module in model.modules()
    )
