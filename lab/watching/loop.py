"""What the loop does with the network that is watched: whether it changes its weights, and which
inputs it feeds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import torch
from torch import Tensor, nn

from lab.watching.fed import Shown, first_of

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers that a normalization fills in every forward pass, also where nothing is learned."""

WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of whole numbers by their bytes."""

ROWS, MORE = 16, 256
"""Examples of which the inputs are compared, at least; and at most, where of a large set a sample
is measured, among which few of them are."""

CALLS = 3
"""Calls of which inputs of another shape are compared: it may change from one to the next."""

HELD = 2**26
"""Bytes of the inputs that are kept for the comparison, at most."""

BEYOND, MANY = 0.25, 0.25
"""Inputs are of another scale if a share of more than `MANY` of their numbers lies outside of the
others' range by more than `BEYOND` of its width."""

TIMES = 3.0
"""They are, too, if they scatter more than so many times as much, or as little."""


class Weights:
    """Whether the weights of `network` (its parameters, and its buffers but for the running
    statistics of normalizations) have changed since this was made: `look` sees it, and `changed`
    tells what was seen. Kept are sums of their bits, no copies. Weights that cannot be read count
    as changed."""

    def __init__(self, network: nn.Module) -> None:
        self._before = _sums(network)
        self.changed = self._before is None

    def look(self, network: nn.Module) -> bool:
        """Whether they have changed, now or when it was looked at before."""
        self.changed = self.changed or _sums(network) != self._before
        return self.changed


def _sums(network: nn.Module) -> list[int] | None:
    """The sum of the bits of each weight as whole numbers; None if one cannot be read."""
    buffers = [
        tensor
        for name, tensor in network.named_buffers()
        if name.rpartition(".")[2] not in STATISTICS
    ]
    try:
        return [_sum(tensor) for tensor in (*network.parameters(), *buffers)]
    except (RuntimeError, TypeError, KeyError, NotImplementedError):  # sparse, quantized, …
        return None


def _sum(tensor: Tensor) -> int:
    plain = tensor.detach().as_subclass(Tensor)
    plain = torch.view_as_real(plain.resolve_conj()) if plain.is_complex() else plain
    bits = plain.contiguous().view(WHOLE[plain.element_size()])
    return int(bits.sum(dtype=torch.int64))


class Inputs:
    """The inputs that a network gets in its next calls in `training` mode, with gradients, or in
    eval mode, until there are `wanted` rows of them (of another shape than those of `shown`: in
    some calls): a forward pre-hook that takes itself away. Of each call at most `most` rows are
    kept, spread over it evenly.

    Calls in eval mode, with gradients, are kept beside, for loops that train in no other one. It
    changes nothing and never fails. In code that is compiled or captured in a CUDA graph it sees
    nothing, and on scripted networks it is not set. Copies of the network take theirs away in their
    next call in that mode; of a pickled network there remains one that does nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        training: bool,
        wanted: int = ROWS,
        most: int = MORE,
        shown: Shown | None = None,
    ) -> None:
        self._network, self._training, self._wanted = network, training, wanted
        self._shown, self._over, self._paused = shown, False, False
        self._kept, self._beside = _Kept(most), _Kept(most)
        with suppress(Exception):  # scripted networks refuse hooks
            network.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, module: nn.Module, args: Any, named: Any) -> None:
        """Keep the inputs of a call."""
        if torch.compiler.is_compiling() or self._paused:
            return
        if not self._over:
            with suppress(Exception):  # tensors inside torch.vmap and the like
                self._keep([args, named], module.training == self._training)
        if self._over:
            _without(module, self)

    def __deepcopy__(self, memo: Any) -> Inputs:
        return self

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")  # takes any three arguments

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, calls are not looked at."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def calls(self, *, beside: bool = False, last: bool = False) -> list[Tensor]:
        """The first floating-point tensor (without any: the first tensor) of each call, (N, …) on
        the CPU, float32 or whole; none until there are enough. `beside`: of those in the other
        mode, where there are none in this one; `last`: no more come, and `ROWS` are enough."""
        found = self._beside if beside and not self._kept.count else self._kept
        enough = found.count >= ROWS if last else self._are_enough(found)
        return found.calls if enough else []

    @property
    def numbers(self) -> Tensor | None:
        """The finite numbers of `calls`, (N,); None until there are enough."""
        found = self.calls()
        return finite(found) if found else None

    def end(self) -> None:
        """Take it away, if it is still there."""
        self._over = True
        _without(self._network, self)

    def _keep(self, inputs: Any, is_mine: bool) -> None:
        if not is_mine and (not self._training or self._are_enough(self._beside)):
            return
        first = first_of(inputs, self._shown.shape if self._shown else None)
        if torch._C._functorch.is_functorch_wrapped_tensor(first):  # one row of many, in torch.vmap
            return
        if self._training and not torch.is_grad_enabled():
            return
        if not is_mine and first.requires_grad:  # an attack, or a picture that is optimized
            return
        first = first.detach().as_subclass(Tensor)
        if first.is_cuda and torch.cuda.is_current_stream_capturing():
            return
        kept = self._kept if is_mine else self._beside
        kept.add(first)
        self._over = self._over or (is_mine and self._are_enough(kept))

    def _are_enough(self, kept: _Kept) -> bool:
        shape = self._shown.shape if self._shown else None
        if shape is None or any(each[0].numel() == shape.numel() for each in kept.calls):
            return kept.count >= self._wanted
        return kept.count >= ROWS and len(kept.calls) >= CALLS


class _Kept:
    """Copies of the inputs of some `calls`, of each `most` rows at most, spread over it evenly, and
    of all `HELD` bytes, which had `count` rows."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.calls: list[Tensor] = []
        self.count = 0
        self._bytes = 0

    def add(self, inputs: Tensor) -> None:
        """Keep the rows of `inputs` (N, …), as long as there is room."""
        few = inputs
        if len(inputs) > self._most:
            few = inputs[torch.linspace(0, len(inputs) - 1, self._most).long().to(inputs.device)]
        few = few[: (HELD - self._bytes) // max(1, 4 * inputs[0].numel())]
        if len(few):
            with torch.no_grad():
                few = few.float() if few.is_floating_point() else few.long()
                self.calls.append(few.cpu().clone())
            self._bytes += 4 * few.numel()
        self.count += len(inputs)


def finite(calls: list[Tensor]) -> Tensor:
    """The finite numbers (N,) of several tensors."""
    found = torch.cat([part.reshape(-1) for part in calls])
    return found[found.isfinite()]


def _without(module: nn.Module, hook: Inputs) -> None:
    """Take a forward pre-hook from a module."""
    with suppress(Exception):
        for key, each in list(module._forward_pre_hooks.items()):
            if each is hook:
                module._forward_pre_hooks.pop(key, None)
                module._forward_pre_hooks_with_kwargs.pop(key, None)


def scale_differs(fed: Tensor, asked: Tensor) -> bool:
    """Whether the numbers that a loop feeds a network, (N,), are of another scale than those that
    it is measured on, (M,): by far out of their range, or scattered far more or less. Of whole
    numbers in both, such as words, this is not asked."""
    if min(len(fed), len(asked)) < 2 or not (fed.is_floating_point() or asked.is_floating_point()):
        return False
    low, high = asked.min(), asked.max()
    margin = BEYOND * (high - low)
    outside = ((fed < low - margin) | (fed > high + margin)).float().mean()
    if outside > MANY:
        return True
    ratios = [float(_spread(fed, power) / _spread(asked, power)) for power in (1, 2)]
    return min(ratios) > TIMES or 0 < max(ratios) < 1 / TIMES


def spanned(numbers: Tensor) -> str:
    """From the least to the largest, in words."""
    return f"from {numbers.min().item():.4g} to {numbers.max().item():.4g}"


def _spread(numbers: Tensor, power: int) -> Tensor:
    """How far they are from their mean: the mean of that to some power, and its root."""
    away = (numbers.double() - numbers.double().mean()).abs()
    return (away**power).mean() ** (1 / power)
