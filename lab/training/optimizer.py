"""AdamW, without the import of `torch._dynamo` that its first use costs: 1.5 seconds of each run.

`torch.optim` imports that package only to mark, for `torch.compile`, what it should not compile.
"""

import inspect
import sys
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

_MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
"""Methods that import it when they are first called, unless they are marked already."""


def create_adamw(
    weights: Sequence[nn.Parameter], *, learning_rate: float, weight_decay: float, fused: bool
) -> AdamW:
    """An optimizer of `weights`; `step` performs its steps. `fused`: in one kernel for all, which
    takes floating-point weights only."""
    if "torch._dynamo" not in sys.modules:
        for name in _MARKED:
            method = getattr(getattr(Optimizer, name), "__wrapped__", None)
            if method is not None and not hasattr(method, "__dynamo_disable"):
                setattr(method, "__dynamo_disable", method)
    return AdamW(weights, lr=learning_rate, weight_decay=weight_decay, fused=fused or None)


@torch.no_grad()
def step(optimizer: Optimizer) -> None:
    """Perform a step, as `optimizer.step` does, but for hooks, of which the lab has none."""
    bare = inspect.unwrap(cast("type[AdamW]", type(optimizer)).step)
    bare(optimizer)
