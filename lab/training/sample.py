"""A sample of a network's logits, stored with its weights, to check that a loaded network still
behaves as it did.

Weights and source files do not determine a network's predictions completely: its code may read a
file, an environment variable, or a counter that it keeps in a plain attribute.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lab.models import ModelSpec, device_of, random_pictures, untouched

ASKED = 16
"""Random pictures that are asked about, from dark to bright."""

ROUNDING, ROUGH = 1e-3, 5e-2
"""How much logits may differ, as a share of the largest: with float32 weights on the same kind of
device, and otherwise."""


def sample_answers(model: nn.Module, spec: ModelSpec) -> dict[str, Any]:
    """The logits of `ASKED` random pictures, in eval mode, and the device: plain values for a
    checkpoint. Empty for a network whose logits differ when it is called again, or that fails.
    """
    try:
        one, again = (_answers(model, spec, seed) for seed in (0, 1))
    except Exception:  # it has been measured: what it fails at was said, or is noise's alone
        return {}
    if _moved(one, again, ROUNDING) > 0:
        return {}
    return {"logits": one, "device": device_of(model).type}


def answers_otherwise(model: nn.Module, kept: Any, spec: ModelSpec) -> bool:
    """Whether `model` gives most of the random pictures other logits than `kept`, which is what
    `sample_answers` gave; False if `kept` is empty."""
    if not isinstance(kept, dict) or not isinstance(kept.get("logits"), Tensor):
        return False
    now = sample_answers(model, spec)
    if not now or now["logits"].shape != kept["logits"].shape:
        return bool(now)
    rough = now["device"] != kept.get("device") or any(
        weight.is_floating_point() and weight.element_size() < 4 for weight in model.parameters()
    )
    return _moved(kept["logits"].cpu(), now["logits"], ROUGH if rough else ROUNDING) > 0.5


def _answers(model: nn.Module, spec: ModelSpec, seed: int) -> Tensor:
    """The logits (N, C), float32 on the CPU; what it draws at random comes from `seed`."""
    brightness = torch.linspace(-0.9, 0.9, ASKED)[:, None, None, None]
    pictures = random_pictures(spec, ASKED) * (1 - brightness.abs()) + brightness
    pictures = pictures.to(device_of(model))
    with untouched(model, seed=seed):
        logits: Tensor = model(pictures).clone()  # of a buffer, maybe
    return logits.detach().float().cpu().as_subclass(Tensor)


def _moved(one: Tensor, other: Tensor, rounding: float) -> float:
    """The share of pictures whose logits differ by more than rounding does."""
    one, other = (torch.nan_to_num(logits.double()) for logits in (one, other))
    scale = torch.cat([one, other]).abs().max()
    return float(((one - other).abs().amax(dim=1) > rounding * scale).double().mean())
