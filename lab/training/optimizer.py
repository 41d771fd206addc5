"""Optimizers: AdamW, and Muon for the hidden weight matrices with AdamW for all other weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lab.core.config import TrainConfig
from lab.models.threads import Threads
from lab.training.adamw import AdamW

MUON_RATE = 15
"""Muon's learning rate, in learning rates of AdamW: 0.03 at 2e-3. An orthogonalized update is
larger than its share of AdamW's. Of 10, 15 and 25, 15 came out best (one seed each, 64,000 faces in
pairs, width 24: test accuracy 0.985, 0.987, 0.982)."""

MOMENTUM = 0.9
"""Decay of Muon's momentum. Jordan uses 0.95, and 0.6 where training takes a few seconds."""

ITERATIONS = 3
"""Newton-Schulz iterations, as in airbench (Jordan 2024); five are usual for language models."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, which maximize its slope at zero (Jordan et al. 2024)."""

SMALL = 1e-7
"""What is added to a norm that may be 0."""


class Optimizer(Protocol):
    """What a training step needs of an optimizer."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The weights with their settings; `lr` is set before each step to `scale` (1 if there is
        none) times the learning rate: a number, or on a GPU a scalar tensor there."""
        ...

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""

    def step(self) -> Any:
        """Update the weights; not at all where an attribute `found_inf`, a tensor, is 1."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values that decide the next steps."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


def create_optimizer(
    weights: Sequence[nn.Parameter],
    config: TrainConfig,
    *,
    fused: bool,
    threads: Threads | None = None,
) -> Optimizer:
    """The optimizer that the config names, for the weights in the order of the network's layers.
    Muon's matrices are divided among the `threads` (None: this one)."""
    hidden = hidden_matrices(weights) if config.optimizer == "muon" else []
    if hidden:
        return MuonWithAdamW(weights, hidden, config, fused=fused, threads=threads or Threads(1))
    return _adamw(weights, config, fused=fused)


@contextmanager
def capturing(optimizer: Optimizer) -> Iterator[None]:
    """Let `step` be captured in a CUDA graph, which torch's optimizers refuse unless they were made
    for that alone."""
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False


def hidden_matrices(weights: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """The weights of linear and convolutional layers, as they are recognized by their shapes,
    without those of the first and the last such layer."""
    matrices = [
        weight
        for weight in weights
        if weight.ndim >= 2
        and min(len(weight), weight[0].numel()) > 1
        and weight.is_floating_point()
    ]
    return matrices[1:-1]


def _adamw(weights: Sequence[nn.Parameter], config: TrainConfig, *, fused: bool) -> AdamW:
    return AdamW(
        weights,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=fused or None,
    )


class MuonWithAdamW:
    """Muon for the `hidden` ones of the weights, and AdamW for the others, with one learning rate.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). torch's own
    `torch.optim.Muon` takes no weights of convolutions.
    """

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        hidden: Sequence[nn.Parameter],
        config: TrainConfig,
        *,
        fused: bool,
        threads: Threads,
    ) -> None:
        theirs = {id(weight) for weight in hidden}
        rest = [weight for weight in weights if id(weight) not in theirs]
        self._adamw = _adamw(rest, config, fused=fused)
        rate = MUON_RATE * config.learning_rate
        self._muon = _Muon(hidden, lr=rate, config=config, threads=threads)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of AdamW and of Muon."""
        return [*self._adamw.param_groups, *self._muon.param_groups]

    @property
    def found_inf(self) -> Tensor | None:
        """1 where no step is to be taken; None: not known."""
        return self._muon.found_inf

    @found_inf.setter
    def found_inf(self, found: Tensor) -> None:
        self._muon.found_inf = found
        self._adamw.found_inf = found  # type: ignore[attr-defined]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        self._adamw.zero_grad(set_to_none)
        self._muon.zero_grad(set_to_none)

    def step(self) -> None:
        """Update all weights."""
        self._adamw.step()
        self._muon.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of both."""
        return {"adamw": self._adamw.state_dict(), "muon": self._muon.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back the states of both."""
        self._adamw.load_state_dict(state_dict["adamw"])
        self._muon.load_state_dict(state_dict["muon"])


class _Muon(torch.optim.Optimizer):
    """Nesterov momentum whose update is orthogonalized, each filter taken as a row."""

    def __init__(
        self, weights: Sequence[nn.Parameter], *, lr: float, config: TrainConfig, threads: Threads
    ) -> None:
        settings = {"lr": lr, "scale": MUON_RATE, "weight_decay": config.weight_decay}
        super().__init__(weights, settings)
        self.found_inf: Tensor | None = None
        self._threads = threads

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the weights."""
        good = None if self.found_inf is None else self.found_inf == 0
        if good is not None and good.device.type == "cpu":  # known at once, not only on a device
            if not good:
                return
            good = None
        jobs = [
            (weight, self.state[weight], group)
            for group in self.param_groups
            for weight in group["params"]
            if weight.grad is not None
        ]
        jobs.sort(key=lambda job: -job[0].numel())  # the longest first, beside several others
        self._threads.map(lambda job: _update(*job, good), jobs)


@torch.no_grad()
def _update(
    weight: nn.Parameter, state: dict[str, Any], group: dict[str, Any], good: Tensor | None
) -> None:
    """Update one weight and its momentum; on a GPU only where `good` is true."""
    assert weight.grad is not None, "those without a gradient are left out"
    # AdamW's decay is multiplied by its own rate, of which this one is a multiple.
    decay = 1 - group["lr"] / group["scale"] * group["weight_decay"]
    if "momentum" not in state:
        state["momentum"] = torch.zeros_like(weight)
    momentum = state["momentum"]
    moved = torch.add(weight.grad, momentum, alpha=MOMENTUM)
    update = orthogonalized(torch.add(weight.grad, moved, alpha=MOMENTUM).flatten(1))
    rate = group["lr"] * max(1.0, len(update) / update.shape[1]) ** 0.5
    new = _moved(weight * decay, update.view_as(weight), rate)
    if good is not None:
        new, moved = torch.where(good, new, weight), torch.where(good, moved, momentum)
    weight.copy_(new)  # in place: a CUDA graph goes on with the same tensors
    momentum.copy_(moved)


def _moved(weight: Tensor, update: Tensor, rate: float | Tensor) -> Tensor:
    """The weight less `rate` times its update."""
    if isinstance(rate, Tensor):
        return torch.addcmul(weight, update, rate, value=-1)
    return torch.add(weight, update, alpha=-rate)


def orthogonalized(matrix: Tensor) -> Tensor:
    """A matrix (R, C) with the singular vectors of `matrix` and singular values near 1, where they
    are not near 0: Newton-Schulz iterations (Jordan et al. 2024).

    Each iteration multiplies X from the left by P = a I + b G + c G² with G = X Xᵀ, which becomes
    P G P. All these matrices are polynomials of the first G, so they commute, and X itself is
    multiplied once, in the end: two products with the long side in place of six.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + SMALL)
    gram = x @ x.T
    whole: Tensor | None = None
    for left in reversed(range(ITERATIONS)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        whole = factor if whole is None else factor @ whole
        if left:
            gram = factor @ (gram @ factor)
    assert whole is not None, "there are iterations"
    x = whole @ x
    return x.T if tall else x
