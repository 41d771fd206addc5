"""The passes of a training step on several CPU threads, each with a part of the batch.

torch's own threads divide each operation, so that they wait for one another hundreds of times in a
step, and far longer on a busy machine. Here each thread takes its part through the whole network,
and they meet twice: before the loss, which is that of the whole batch, and after the gradients,
which are added up in the order of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.models import device_of, treats_examples_alone
from lab.models.threads import Threads
from lab.training.objectives import shares_code


def parts_of_batches(model: nn.Module, config: RunConfig) -> int:
    """Into how many parts a run's batches are divided, each with a thread of its own: its threads,
    on a CPU and in one process, if the network allows it, and if the objective has no code in
    common with it, by which it may read what a pass of the whole batch leaves there; else 1, where
    torch divides operations among the threads."""
    alone = config.world_size <= 1 and device_of(model).type == "cpu" and not config.train.compile
    if config.threads <= 1 or not alone or not treats_examples_alone(model):
        return 1
    return 1 if shares_code(config.train.objective, config.model.model) else config.threads


class DividedPass:
    """`forward` on the parts of a batch, one for each thread, and the gradients of `weights`."""

    def __init__(
        self, forward: Callable[[Tensor], Tensor], weights: Sequence[nn.Parameter], threads: Threads
    ) -> None:
        self._forward = forward
        self._weights = weights
        self._threads = threads
        self._made: list[Tensor] = []
        self._logits = torch.empty(0)

    def __call__(self, inputs: Tensor) -> Tensor:
        """The logits (B, C) of inputs (B, …): a leaf, whose gradient `backward` goes on from."""
        mixed = torch.is_autocast_enabled("cpu")
        kind = torch.get_autocast_dtype("cpu")

        def forward(part: Tensor) -> Tensor:
            with torch.autocast("cpu", kind, enabled=mixed):  # each thread has its own settings
                return self._forward(part)

        self._made = self._threads.map(forward, inputs.chunk(self._threads.count))
        self._logits = torch.cat([part.detach() for part in self._made]).requires_grad_()
        return self._logits

    def backward(self) -> None:
        """Add to each weight's gradient, which a loss that reads the weights themselves gives it,
        that by the logits, once these have theirs."""
        weights = [weight for weight in self._weights if weight.requires_grad]
        gradient = self._logits.grad
        assert gradient is not None, "the loss has a gradient with respect to the logits"
        pairs = list(
            zip(self._made, torch.split(gradient, [len(part) for part in self._made]), strict=True)
        )
        found = self._threads.map(
            lambda pair: torch.autograd.grad(pair[0], weights, pair[1], allow_unused=True), pairs
        )
        self._made = []
        for weight, *parts in zip(weights, *found, strict=True):
            found_parts = [part for part in (*parts, weight.grad) if part is not None]
            weight.grad = _sum_like(weight, found_parts)


def _sum_like(weight: Tensor, parts: Sequence[Tensor]) -> Tensor | None:
    """The sum of gradients, in the order of the weight's numbers in memory; None of none."""
    if not parts:
        return None
    whole = torch.empty_like(weight, requires_grad=False).copy_(parts[0])
    for part in parts[1:]:
        whole += part
    return whole
