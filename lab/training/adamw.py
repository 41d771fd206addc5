"""AdamW, without the import of `torch._dynamo` that its first use costs: 1.5 seconds of each run.

`torch.optim` imports that package only to mark, for `torch.compile`, what it should not compile.
"""

import inspect
import sys
from typing import Any

import torch

_MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
"""Methods that import it when they are first called, unless they are marked already."""

_STEP = inspect.unwrap(torch.optim.AdamW.step)


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, to the last bit."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        if "torch._dynamo" not in sys.modules:
            for name in _MARKED:
                method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
                if method is not None and not hasattr(method, "__dynamo_disable"):
                    setattr(method, "__dynamo_disable", method)
        super().__init__(*args, **settings)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Perform a step."""
        return _STEP(self, closure)
