"""Inspection of a model without changing it: first pass, features, number of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.core.text import memory_ran_out
from lab.models.failure import NetworkError, blamed
from lab.models.isolation import TURN, Generators, gpu_in_use, isolated, seed_all
from lab.models.known import is_known
from lab.models.registry import ModelSpec, create_model
from lab.models.tensors import same_tensor

TRIED = 2
"""Pictures that a network is tried out on."""


NOT_REACHED = (
    "no gradients lead from its answers in eval mode to its trained weights (it answers by a moving"
    " average of them, or turns gradients off)"
)
"""What is said of a network of which `weights_reached` is False."""


def seeded_model(name: str, spec: ModelSpec, *, seed: int) -> nn.Module:
    """The model called `name`, its weights drawn from `seed`, on the CPU.

    All that its code can draw from is seeded, when its file is imported and again when it is built,
    and nothing that it sets is left in the process, its current folder included. Raises
    `ValueError` as `create_model` does.
    """
    with TURN, isolated("cuda" if gpu_in_use() else "cpu"):
        seed_all(seed)
        return create_model(name, spec, seed=seed)


@contextmanager
def untouched(
    model: nn.Module, *, training: bool = False, seed: int = 0, first: bool = False
) -> Iterator[None]:
    """Run `model` in eval mode (or in training mode) and leave no trace.

    Inside, nothing records gradients, and the random generators of Python, NumPy and torch start
    from `seed`, so that a network that draws from them in eval mode gives the same logits for the
    same input; other threads that measure or train wait. Afterwards every submodule's mode, every
    buffer (running statistics, counters), the random generators, torch's settings and, unless it is
    the `first` pass, every parameter (one may be normalized in place, or follow others) and every
    attribute that was bound anew are what they were. So logits that are to outlast the block must
    be cloned inside: a network may return a part of a buffer that it uses again.

    Not in inference mode: a table that the network keeps from its first pass would be of no use in
    training. `no_grad` takes 0.99 to 1.03 of its time.
    """
    modes = {module: module.training for module in model.modules()}
    attributes = [] if first else [(vars(module), dict(vars(module))) for module in modes]
    tensors = [
        (module, name, tensor, tensor.detach().clone())
        for module in modes
        for own in (module._buffers, {} if first else module._parameters)
        for name, tensor in own.items()
        if tensor is not None and not is_lazy(tensor)
    ]
    device = device_of(model)
    with TURN, isolated(device):
        Generators(device).seed(seed)
        try:
            if any(mode != training for mode in modes.values()):
                model.train(training)
            with torch.no_grad():
                yield
        finally:
            if modes[model] != model.training:
                model.train(modes[model])  # what it does itself at such a change, it undoes
            for module, mode in modes.items():
                if module.training != mode:
                    module.training = mode
            for now, before in attributes:
                for name, value in before.items():
                    if now.get(name, value) is not value:
                        now[name] = value
            for module, name, tensor, saved in tensors:
                _put_back(module, name, tensor, saved)


def device_of(model: nn.Module) -> torch.device:
    """Where the model lives: the device of its first parameter or buffer, the CPU without any."""
    first = next(chain(model.parameters(), model.buffers()), None)  # the others are not looked at
    return torch.device("cpu") if first is None else first.device


def count_parameters(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(math.prod(p.shape) for p in model.parameters() if p.requires_grad)


def size_of(model: nn.Module) -> int | None:
    """The number of all its parameters, frozen ones included; None before lazy ones are made."""
    weights = list(model.parameters())
    return None if any(map(is_lazy, weights)) else sum(math.prod(p.shape) for p in weights)


def parameters_told(model: nn.Module) -> str:
    """The number of its parameters in words; where some are frozen, also how many are trained."""
    trained, whole = count_parameters(model), sum(math.prod(p.shape) for p in model.parameters())
    if trained == whole:
        return f"{whole:,} parameters"
    return f"{whole:,} parameters, {trained:,} of them trainable"


def first_pass(
    model: nn.Module, spec: ModelSpec, *, name: str = "the model", seed: int = 0
) -> None:
    """Run `model` on two random pictures together and on one alone, in eval mode.

    What it makes of itself at its first pass stays: lazy layers (drawn from `seed`), buffers, kept
    tables. Raises `ValueError` with one line if it fails, or if its logits have the wrong shape or
    are not finite.
    """
    for count in (TRIED, 1):
        ask(model, random_pictures(spec, count), spec, name=name, seed=seed, first=True)


def ask(
    model: nn.Module,
    pictures: Tensor,
    spec: ModelSpec,
    *,
    name: str,
    training: bool = False,
    seed: int = 0,
    first: bool = False,
) -> Tensor:
    """The logits (N, C) of `pictures` (N, K, S, S), on the CPU in eval mode or training mode (with
    gradients, if it needs some there); `ValueError` says in one line what is wrong with them."""
    where = f"--model {name}, shown pictures of shape {tuple(pictures.shape)}"
    where += " in training mode," if training else ","
    kinds = {str(p.dtype) for p in model.parameters() if p.is_floating_point()}

    def answers(recorded: bool) -> Any:
        with (
            blamed(where),
            untouched(model, training=training, seed=seed, first=first),
            torch.set_grad_enabled(recorded),
        ):
            logits = model(pictures.to(device_of(model)).clone())  # it may write into them
            return logits.clone() if isinstance(logits, Tensor) else logits

    try:
        try:
            logits = answers(recorded=False)
        except NetworkError as error:
            if not training or "grad" not in str(error):
                raise
            logits = answers(recorded=True)  # a penalty of gradients, in its forward
    except NetworkError as error:
        if kinds - {str(pictures.dtype)}:
            error.args = (
                f"{error}; pictures are {pictures.dtype}, its weights {', '.join(kinds)}",
            )
        raise
    return check_logits(logits, (len(pictures), spec.num_outputs), where).detach().cpu()


def check_logits(logits: Any, expected: tuple[int, int], where: str) -> Tensor:
    """`logits` if they can be some; `ValueError` in one line, which begins with `where`, if not."""
    if not isinstance(logits, Tensor):
        raise ValueError(f"{where} must return a tensor, not a {type(logits).__name__}")
    if logits.shape != expected:
        raise ValueError(f"{where} must return {expected} logits, not {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"{where} must return real numbers, not {logits.dtype}")
    if logits.is_meta:
        raise ValueError(f"{where} returns logits without values: it lies on the device meta")
    if not logits.isfinite().all():
        raise ValueError(f"{where} returns logits that are not finite")
    return logits.as_subclass(Tensor)


def random_pictures(spec: ModelSpec, count: int, *, seed: int = 0) -> Tensor:
    """Random noise in the range of a network's input: float32 (N, K, S, S) from -1 to 1, on the
    CPU."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, spec.in_channels, spec.image_size, spec.image_size)
    return torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu") * 2 - 1


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def features(model: nn.Module, images: Tensor) -> Tensor | None:
    """The input of the last linear layer for each picture: (N, D), or `None` without such a layer,
    where a convolution follows it (its numbers weigh channels, as in squeeze-and-excitation), or
    where it has no row for each picture (a layer that makes weights, or sees each place alone).
    The last one is that which returns the logits, if there is such, and not one that is called
    after it, as of a second head for another task. Of complex numbers both parts count, one after
    the other.

    `images` is the model's own kind of input, float (N, C, S, S) on its device; eval mode. Where
    the memory is not enough for all at once, they are shown in halves.
    """
    try:
        return _features_at_once(model, images)
    except Exception as error:
        if len(images) < 2 or not memory_ran_out(error):
            raise
    halves = [features(model, some) for some in images.tensor_split(2)]
    found = [each for each in halves if each is not None]
    return torch.cat(found) if len(found) == 2 else None


def _features_at_once(model: nn.Module, images: Tensor) -> Tensor | None:
    """`features` of all pictures in one pass."""
    seen: list[Tensor] = []
    results: list[tuple[Tensor, Tensor]] = []  # of a row for each picture, with the inputs

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        seen[:] = [inputs[0].clone() if inputs else named["input"].clone()]

    def note(_: nn.Module, __: tuple[Tensor, ...], result: Tensor) -> None:
        if seen and result.ndim == 2:
            results.append((result, seen[0]))

    def forget(_: nn.Module, __: tuple[Tensor, ...]) -> None:
        seen.clear()

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    own = not is_known(model)  # the others have none after it, and may compute those in C
    convolutions = [each for each in model.modules() if own and isinstance(each, _CONVOLUTIONS)]
    hooks = [linear.register_forward_pre_hook(keep, with_kwargs=True) for linear in linears]
    hooks += [linear.register_forward_hook(note) for linear in linears]
    hooks += [each.register_forward_pre_hook(forget) for each in convolutions]
    try:
        with blamed("the network"), untouched(model):
            logits = model(images.clone())  # it may write into them
    finally:
        for hook in hooks:
            hook.remove()
    seen[:] = [inputs for result, inputs in results if result is logits] or seen
    if not seen or seen[0].ndim < 2 or len(seen[0]) != len(images):
        return None
    try:
        return real_numbers(seen[0].flatten(1)).flatten(1).float()  # (N, D)
    except RuntimeError:  # of one picture, in torch.vmap
        return None


def real_numbers(numbers: Tensor) -> Tensor:
    """Complex `numbers` (…) as their real and imaginary parts (…, 2); others as they are."""
    return torch.view_as_real(numbers.resolve_conj()) if numbers.is_complex() else numbers


def weights_reached(model: nn.Module, inputs: Tensor) -> bool:
    """Whether gradients lead from the logits of `inputs`, the model's own kind, in eval mode to any
    of its trained weights. Raises `NetworkError` if its code fails."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    with blamed("the network"), untouched(model), torch.enable_grad():
        logits = model(inputs.clone())  # it may write into them
        if not weights or not logits.requires_grad:
            return False
        found = torch.autograd.grad(logits.sum(), weights, allow_unused=True)
    return any(each is not None for each in found)


def _put_back(module: nn.Module, name: str, tensor: Tensor, saved: Tensor) -> None:
    """Make `tensor`, a buffer or a parameter, the module's again, with the numbers that were
    `saved`."""
    if not same_tensor(tensor, saved):
        try:
            with torch.no_grad():
                tensor.copy_(saved)
        except RuntimeError:  # it was resized, or its elements share memory
            if isinstance(tensor, nn.Parameter):
                tensor.data = saved
            else:
                tensor = saved
    if getattr(module, name, None) is not tensor:
        setattr(module, name, tensor)
