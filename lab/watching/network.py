"""The user's network: what is measured of it, and why it cannot be where that is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.models import device_of, isolated
from lab.watching.outputs import Forward, as_logits, as_rows, plain_forward
from lab.watching.shown import Shown
from lab.watching.trees import Tree, mapped

Fetch = Callable[[Tensor], Tree]
"""The inputs of the examples at positions (N,)."""

Change = Callable[[Any], Any]
"""An intervention: from a batch of inputs to another one of the same examples."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside wrappers that copy or compile it: DataParallel,
    DistributedDataParallel, torch.compile. It has the same weights, and is measured in their
    place: without communication, on one device, uncompiled."""
    while True:
        inner = getattr(model, "_orig_mod", None)  # torch.compile's
        if not isinstance(inner, nn.Module):
            kinds = (nn.DataParallel, nn.parallel.DistributedDataParallel)
            inner = model.module if isinstance(model, kinds) else None
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def is_compiled(model: nn.Module) -> bool:
    """Whether it, or a part of it, runs compiled."""
    return any(
        "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


def refuse_sharded(model: nn.Module) -> None:
    """Raise `ValueError` if this process does not hold all weights of `model`."""
    why = ""
    for module in model.modules():
        if any(kind.__name__ == "FullyShardedDataParallel" for kind in type(module).__mro__):
            why = "is sharded by FullyShardedDataParallel"
    for name, weight in model.named_parameters():
        if any(kind.__name__ == "DTensor" for kind in type(weight).__mro__):
            why = f"is sharded: its {name!r} is a DTensor (FSDP2, tensor parallel)"
        elif hasattr(weight, "ds_id"):
            why = f"is sharded by DeepSpeed ZeRO-3: see its {name!r}"
        elif weight.is_meta:
            why = f"has no numbers: its {name!r} lies on the device meta"
    if why:
        raise ValueError(
            f"the model {why}, so that no process can ask it alone: watch a copy with whole weights"
        )


def is_unready(model: nn.Module) -> bool:
    """Whether it has lazy layers, which get their shapes in their first forward pass."""
    return any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


class Reader(nn.Module):
    """The network as a function of positions (N,) in a set of examples, to logits (N, C);
    `change` is an intervention on its inputs. `raw`: to its outputs as they stand, (N, C) or, of a
    binary classifier, (N, 1). `shown` looks at what the network gets. `batch`: how many it gets at
    once at most; None: all."""

    def __init__(
        self,
        network: nn.Module,
        fetch: Fetch,
        *,
        forward: Forward = plain_forward,
        change: Change | None = None,
        raw: bool = False,
        shown: Shown | None = None,
        batch: int | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self._fetch, self._forward, self._change = fetch, forward, change
        self._read, self._shown = as_rows if raw else as_logits, shown
        self._batch = batch

    def forward(self, positions: Tensor) -> Tensor:
        """The logits of the examples at `positions`."""
        if self._batch is not None and len(positions) > self._batch:
            return torch.cat([self.forward(each) for each in torch.split(positions, self._batch)])
        inputs = moved_to(self.network, self._fetch(positions.cpu()))
        if self._change is not None:
            inputs = self._change(inputs)
            if inputs is None:
                raise ValueError("it returns nothing: it must return the changed inputs")
        looked = self._shown.watching(self.network, len(positions)) if self._shown else None
        with looked or nullcontext():
            outputs = self._forward(self.network, inputs)
        return self._read(outputs, len(positions))


def moved_to(network: nn.Module, inputs: Tree) -> Tree:
    """Inputs on the network's device, numbers in the type of its weights."""
    device, kind = device_of(network), _float_kind(network)

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, kind if tensor.is_floating_point() else None)

    return mapped(inputs, moved)


def _float_kind(network: nn.Module) -> torch.dtype | None:
    """The floating-point type of its weights, where all have the same; None: leave inputs as they
    are."""
    kinds = {weight.dtype for weight in network.parameters() if weight.is_floating_point()}
    return kinds.pop() if len(kinds) == 1 else None


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Inside, the network can be asked: uncompiled, whatever `Module.compile` has made of it.
    Afterwards the random generators of Python, NumPy and torch, on the CPU and on every GPU, go on
    as if nothing had been drawn inside, and torch's settings are what they were."""
    compiled = [
        (module, module._compiled_call_impl)
        for module in model.modules()
        if getattr(module, "_compiled_call_impl", None) is not None
    ]
    gpus = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    states = torch.cuda.get_rng_state_all() if gpus else []
    with isolated(device_of(model)):
        try:
            for module, _ in compiled:
                module._compiled_call_impl = None
            yield
        finally:
            for module, call in compiled:
                module._compiled_call_impl = call
            if gpus:
                torch.cuda.set_rng_state_all(states)
