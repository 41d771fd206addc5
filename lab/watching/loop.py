"""Which inputs the loop feeds the network that is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from lab.models.fused import FusedSequential
from lab.watching.backward import Backward
from lab.watching.kept import Call, Kept
from lab.watching.probes import first_of
from lab.watching.scales import finite
from lab.watching.shown import Shown
from lab.watching.weights import STATISTICS

ROWS, MORE = 16, 256
"""Examples of which the inputs are compared, at least; and at most, where of a large set a sample
is measured, among which few of them are."""

CALLS = 3
"""Calls of which inputs of another shape are compared: it may change from one to the next."""

PARTS = 16
"""Modules in a network of which calls are looked at, at most."""

ATTENTION = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""Modules of torch that compute in another way, up to rounding, where they have hooks."""


class Inputs:
    """The inputs that a network gets in its next calls in `training` mode, with gradients, or in
    eval mode, until there are `wanted` rows of them (of another shape than those of `shown`: in
    some calls), or, where that is None, until it is ended. Of each call at most `most` rows are
    kept, as `Kept` says, drawn by `random`.

    Calls in eval mode, with gradients, are kept beside, for loops that train in no other one, and
    some without gradients, for those that train without any.
    Where `wanted` is None, further calls are kept that get inputs of the shape of `shown`: of the
    network's `parts`, from outside of its own, and those without gradients from which a
    normalization learns its running statistics.

    It has hooks before and after the calls, which take themselves away. It changes nothing and
    never fails. In code that is compiled or captured in a CUDA graph it sees nothing, and on
    scripted networks they are not set. Copies of the network take theirs away in their next call;
    of a pickled network there remain some that do nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        training: bool,
        wanted: int | None = ROWS,
        most: int = MORE,
        shown: Shown | None = None,
        parts: Sequence[nn.Module] = (),
        random: Random | None = None,
    ) -> None:
        self._training, self._wanted = training, wanted
        self._shown = shown
        self.is_over = self.is_paused = False
        self.is_asked = False  # whether there was a call of the network
        self._is_called = False  # whether there was one in `training` mode, with gradients
        chance = random or Random(0)
        self._kept, self._beside, self._quiet, self._further, self._further_beside = (
            Kept(most, MORE * CALLS, chance) for _ in range(5)
        )
        self._other: Backward | None = None  # of the latest call of a part with other inputs
        self._trains = False
        self._running: list[Backward | None] = []  # calls that have not returned, the inmost last
        self._hooks: list[tuple[nn.Module, _Hook]] = []
        for module, begin in (
            (network, self._begin),
            *((each, self._begin_part) for each in parts),
        ):
            before, after = _Hook(self, begin), _Hook(self, self._return)
            self._hooks += [(module, before), (module, after)]
            with suppress(Exception):  # scripted networks refuse hooks
                module.register_forward_pre_hook(before, with_kwargs=True)
                module.register_forward_hook(after, always_call=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, calls are not looked at."""
        before, self.is_paused = self.is_paused, True
        try:
            yield
        finally:
            self.is_paused = before

    @property
    def is_called(self) -> bool:
        """Whether there was a call of the network with gradients, in the other mode one from which
        a backward pass came: others may be an evaluation."""
        return self._is_called or any(each.trained.came for each in self._beside.calls)

    @property
    def is_quiet(self) -> bool:
        """Whether all calls of the network that are kept were without gradients."""
        return not self._kept.count + self._beside.count

    def calls(self, *, beside: bool = False, quiet: bool = False, last: bool = False) -> list[Call]:
        """The first floating-point tensor (without any: the first tensor) of each call; none until
        there are enough. `beside`: of those in the other mode, where there are none in this one;
        `quiet`: of those without gradients, where there are no others; `last`: no more come, and
        `ROWS` are enough."""
        found = self._beside if beside and not self._kept.count else self._kept
        found = self._quiet if quiet and self.is_quiet else found
        enough = found.count >= ROWS if last else self._are_enough(found)
        return found.calls if enough else []

    def with_further(self, *, beside: bool) -> list[Call]:
        """Those of the network, as `calls` says, and the further ones; none until `ROWS` rows were
        seen in all. Those in the other mode also where a backward pass came from one, and there
        were no calls in this one."""
        found, further = self._kept, self._further
        beside = beside or any(each.trained.was_seen for each in self._beside.calls)
        if beside and not found.count + further.count:
            found, further = self._beside, self._further_beside
        enough = found.count + further.count >= ROWS
        return found.calls + further.calls if enough else []

    @property
    def rows(self) -> int:
        """How many rows were seen of calls of the network."""
        return self._kept.count

    @property
    def numbers(self) -> Tensor | None:
        """The finite numbers of `calls`, (N,); None until there are enough."""
        found = self.calls()
        return finite([each.rows for each in found]) if found else None

    @property
    def trains(self) -> bool:
        """Whether a backward pass came to a part of which the inputs are not kept, such as a head
        on features: the loop trains by such passes, also where it clears gradients at once."""
        return self._trains or (self._other is not None and self._other.was_seen)

    def end(self) -> None:
        """Take the hooks away that are still there. Those of copies hold nothing any more."""
        self.is_over = True
        for module, hook in self._hooks:
            _without(module, hook)
            hook.owner = None
        self._hooks = []  # no circle of references, so that memory is free at once

    def _begin(self, network: nn.Module, args: Any, named: Any) -> None:
        """A call of the network begins."""
        self._running.append(None)
        self._running[-1] = self._keep(network, [args, named])

    def _begin_part(self, part: nn.Module, args: Any, named: Any) -> None:
        """One of a part begins, maybe inside one of the network or of another part."""
        self._running.append(None)
        if len(self._running) == 1 and self._hooks:
            whole, _ = self._hooks[0]
            is_mine = whole.training == self._training
            self._running[-1] = self._keep_further(part, [args, named], is_mine)

    def _return(self, module: nn.Module, args: Any, outputs: Any) -> None:
        """A call returns, or fails without `outputs`."""
        trained = self._running.pop() if self._running else None
        if trained is not None:
            trained.follow(outputs)

    def _keep(self, network: nn.Module, inputs: Any) -> Backward | None:
        is_mine = network.training == self._training
        self.is_asked = True
        self._is_called = self._is_called or (is_mine and torch.is_grad_enabled())
        if self.is_over or (not is_mine and (not self._training or self._are_enough(self._beside))):
            return None
        if self._training and not torch.is_grad_enabled():
            if self._wanted is None:
                return self._keep_further(network, inputs, is_mine)
            if (quiet := self._first(inputs)) is not None and not self._are_enough(self._quiet):
                self._quiet.add(quiet)
            return None
        first = self._first(inputs)
        if first is None or (not is_mine and first.requires_grad):
            return None  # an attack, or a picture that is optimized
        kept = self._kept if is_mine else self._beside
        trained = kept.add(first, learns=is_mine and _learns_statistics(network))
        self.is_over = is_mine and self._are_enough(kept)
        return trained

    def _keep_further(self, module: nn.Module, inputs: Any, is_mine: bool) -> Backward | None:
        """Keep those of a call that is none of the network with gradients."""
        # statistics are learned from what it gets, with or without a backward pass
        learns = is_mine and _learns_statistics(module)
        if not (learns or torch.is_grad_enabled()):
            return None
        first = self._first(inputs)
        if first is None:
            return None
        if not self._shown or first.shape[1:] != self._shown.shape:
            return self._follow_other(first)
        if not is_mine and first.requires_grad:
            return None
        return (self._further if is_mine else self._further_beside).add(first, learns=learns)

    def _follow_other(self, inputs: Tensor) -> Backward | None:
        """What is to follow whether a part is trained on inputs that are not kept, until one is."""
        self._trains = self.trains
        self._other = None if self._trains else Backward(inputs.shape)
        return self._other

    def _first(self, inputs: Any) -> Tensor | None:
        """The tensor of the inputs of a call that is compared; None where that cannot be kept."""
        first = first_of(inputs, self._shown.shape if self._shown else None)
        if torch._C._functorch.is_functorch_wrapped_tensor(first):  # one row of many, in torch.vmap
            return None
        if first.is_cuda and torch.cuda.is_current_stream_capturing():
            return None
        return first.as_subclass(Tensor)

    def _are_enough(self, kept: Kept) -> bool:
        if self._wanted is None:
            return False
        shape = self._shown.shape if self._shown else None
        if shape is None or any(each.rows[0].numel() == shape.numel() for each in kept.calls):
            return kept.count >= self._wanted
        return kept.count >= ROWS and len(kept.calls) >= CALLS


class _Hook:
    """A hook before or after calls of a module that tells the `owner` of them, until that is over.
    Copies of the module have the same one."""

    def __init__(self, owner: Inputs, told: Callable[[nn.Module, Any, Any], None]) -> None:
        self.owner: Inputs | None = owner
        self._told = told.__name__

    def __call__(self, module: nn.Module, args: Any, more: Any) -> None:
        if torch.compiler.is_compiling():
            return
        if self.owner is not None and not self.owner.is_paused:
            with suppress(Exception):  # tensors inside torch.vmap and the like
                getattr(self.owner, self._told)(module, args, more)
        if self.owner is None or self.owner.is_over:
            _without(module, self)

    def __deepcopy__(self, memo: Any) -> _Hook:
        return self

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")  # takes any three arguments


def parts_of(network: nn.Module) -> list[nn.Module]:
    """The first `PARTS` modules that a network consists of; of a list or dictionary of modules
    those in it. Without those that are computed otherwise where they have hooks: of attention, and
    the layers of the lab's own networks."""
    found: list[nn.Module] = []
    if isinstance(network, FusedSequential):
        return found
    for each in network.children():
        if isinstance(each, (nn.ModuleList, nn.ModuleDict)):
            found += parts_of(each)
        elif not isinstance(each, ATTENTION):
            found.append(each)
    return found[:PARTS]


def _learns_statistics(network: nn.Module) -> bool:
    """Whether normalizations in it fill their running statistics in its next call."""
    return any(
        each.training and getattr(each, STATISTICS[0], None) is not None
        for each in network.modules()
    )


def _without(module: nn.Module, hook: _Hook) -> None:
    """Take a hook from a module."""
    for hooks in (module._forward_pre_hooks, module._forward_hooks):
        with suppress(Exception):
            for key in [key for key, each in hooks.items() if each is hook]:
                hooks.pop(key, None)
                for more in (
                    module._forward_pre_hooks_with_kwargs, module._forward_hooks_always_called,
                ):  # fmt: skip
                    more.pop(key, None)
