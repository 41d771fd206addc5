"""Look at a model without changing it: dry run, features, size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lab.models.registry import ModelSpec
from lab.names import one_line


@contextmanager
def untouched(model: nn.Module, *, training: bool = False) -> Iterator[None]:
    """Run `model` in eval mode (or in training mode) and leave no trace.

    Inside, nothing records gradients. Afterwards every submodule's mode, every buffer (running
    statistics, counters) and torch's global random state are what they were.
    """
    modes = {module: module.training for module in model.modules()}
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    device = device_of(model)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            model.train(training)
            with torch.inference_mode():
                yield
        finally:
            for module, mode in modes.items():
                module.training = mode
            for module, name, buffer, saved in buffers:
                if getattr(module, name) is not buffer or not buffer.equal(saved):
                    setattr(module, name, buffer.copy_(saved))


def device_of(model: nn.Module) -> torch.device:
    """Where the model lives: the device of its first parameter or buffer, the CPU without any."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


def count_parameters(model: nn.Module) -> int:
    """How many numbers training adjusts."""
    return sum(math.prod(p.shape) for p in model.parameters() if p.requires_grad)


def check_model(model: nn.Module, spec: ModelSpec, *, name: str = "the model") -> None:
    """Dry-run `model` on random pictures, two in training mode and one in eval mode.

    Raises `ValueError` with one line if it fails, or if its logits have the wrong shape or are not
    finite. Model and random state are left as they were.
    """
    size = spec.image_size
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, spec.in_channels, size, size, generator=generator) * 2 - 1
    pictures = pictures.to(device_of(model))
    for batch, training in ((pictures, True), (pictures[:1], False)):
        expected = (len(batch), spec.num_outputs)
        where = f"--model {name}, shown pictures of shape {tuple(batch.shape)},"
        try:
            with untouched(model, training=training):
                logits = model(batch)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{where} fails: {one_line(error)}") from error
        if not isinstance(logits, Tensor):
            raise ValueError(f"{where} must return a tensor, not a {type(logits).__name__}")
        if logits.shape != expected:
            raise ValueError(f"{where} must return {expected} logits, not {tuple(logits.shape)}")
        if not logits.isfinite().all():
            raise ValueError(f"{where} returns logits that are not finite")


def features(model: nn.Module, images: Tensor) -> Tensor | None:
    """What the last linear layer sees of each picture: (N, D), or `None` without such a layer.

    `images` is the model's own kind of input, float (N, C, S, S) on its device; eval mode.
    """
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[:] = [inputs[0]]

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    hooks = [linear.register_forward_pre_hook(keep) for linear in linears]
    try:
        with untouched(model):
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0].flatten(1).float().clone() if seen else None  # (N, D)
