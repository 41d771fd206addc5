"""The dry run: everything that a run will do to its network, done to others like it beforehand.

The networks that are tried are built anew, as a run's is when it is opened again; they are trained
by the very steps of a run, kept as a checkpoint is, and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.core.config import TrainConfig
from lab.core.seeds import torch_seed
from lab.models import (
    TRIED,
    ModelSpec,
    NetworkError,
    ask,
    first_pass,
    isolated,
    random_pictures,
    untouched,
)
from lab.training.checkpoint import LAST, Checkpoint, decode, encode, give_state, why_not_taken
from lab.training.train_step import Diverged, Stepper, trained_weights

STEPS = 2
"""Steps before the checkpoint; one more follows it."""

RATE = 1e-3
"""Their learning rate: the run's own may be meant to be too high."""

_OF_SHAPE = ("View", "Reshape", "Unsafe", "Squeeze", "Unsqueeze", "Flatten", "ToCopy", "Clone")
"""Operations, as autograd calls them, that leave numbers as they are."""

ROUNDING = 1e-3
"""Differences of logits that are none, as a share of the largest logit."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a dry run found. `unfinished`: the network makes parameters or buffers of itself at its
    first pass, which it needs before it can be trained. `warnings`: what a user should know, a line
    each."""

    unfinished: bool
    warnings: tuple[str, ...]


def try_out(
    build: Callable[[int], nn.Module],
    spec: ModelSpec,
    config: TrainConfig,
    *,
    name: str,
    seed: int,
    device: str | torch.device = "cpu",
) -> Trial:
    """Do a dry run on `device`. `build` makes, on the CPU, the network that a run of a given seed
    begins with, and `seed` is the run's.

    Raises `ValueError` with one line that says what would go wrong in a run: with the pictures, the
    logits, a step of training, its checkpoint, or its being read back.
    """
    with isolated(device, reseeded=True):
        return _Tried(build, spec, config, name, seed, torch.device(device)).trial()


def unfinished(model: nn.Module, spec: ModelSpec, *, name: str, seed: int) -> bool:
    """Make the first pass of `model`: whether its parameters and buffers are others since.

    Raises `ValueError` if it fails, or if some of them have no numbers even then.
    """
    _refuse_hollow(model, name, lazy=False)
    before = _structure(model)
    first_pass(model, spec, name=name, seed=first_seed(seed))
    _refuse_hollow(model, name)
    return before != _structure(model)


def first_seed(seed: int) -> int:
    """What a run's network draws from at its first pass: the weights of lazy layers."""
    return torch_seed(seed, "weights", "first pass")


class _Tried:
    def __init__(
        self,
        build: Callable[[int], nn.Module],
        spec: ModelSpec,
        config: TrainConfig,
        name: str,
        seed: int,
        device: torch.device,
    ) -> None:
        self._build, self._spec, self._name, self._seed = build, spec, name, seed
        self._device = device
        self._batch = min(TRIED, config.batch_size)
        self._config = replace(config, compile=False, augment=False, learning_rate=RATE)
        self._warnings: list[str] = []
        self._missed: dict[str, nn.Parameter] = {}

    def trial(self) -> Trial:
        network, unready = self._make(self._seed)
        drawn = _numbers(network)
        with self._named():
            weights = trained_weights(network)
        pictures = random_pictures(self._spec, self._batch)
        ask(network, pictures, self._spec, name=self._name, training=True)
        stepper = self._stepper(network)
        with self._named():
            self._train(stepper, weights)
            content = encode(Checkpoint(**stepper.state()))
            kept = decode(content, Path(LAST), device=self._device)
        other, _ = self._make(self._seed)
        of_another_seed, _ = self._make(self._seed ^ 1)
        if not _same(drawn, _numbers(other)):
            self._warn(
                "it is another network when it is built again with the same --seed: what it draws"
                " its weights from is not seeded by random.seed, numpy.random.seed or"
                " torch.manual_seed"
            )
        elif _same(drawn, _numbers(of_another_seed)):
            self._warn(
                "its weights are the same with every --seed (does it seed a generator itself, or"
                " read weights from a file?): runs of several seeds differ in their faces alone"
            )
        self._look(of_another_seed, pictures)  # which is of no further use
        try:
            give_state(other, kept.model)
        except Exception as error:
            raise ValueError(
                f"--model {self._name} cannot take back its own state: {why_not_taken(error)}"
            ) from error
        self._compare(network, other)
        self._go_on(stepper, other, kept)
        self._look_at_missed(network)
        return Trial(unfinished=unready, warnings=tuple(self._warnings))

    def _make(self, seed: int) -> tuple[nn.Module, bool]:
        network = self._build(seed)
        unready = unfinished(network, self._spec, name=self._name, seed=seed)
        network.to(self._device)  # its own `to` may return nothing
        return network, unready

    def _look(self, network: nn.Module, pictures: Tensor) -> None:
        """Warn of probabilities in place of logits, in training mode or in eval mode."""
        found = ""
        for training in (True, False):
            logits = ask(network, pictures, self._spec, name=self._name, training=training)
            if bool((logits >= 0).all()) and _near(logits.sum(dim=1), torch.ones(len(logits))):
                found = "softmax" + ("" if training else " in eval mode")
                break
            if self._ends_in_sigmoid(network, pictures, training=training):
                found = "sigmoid" + ("" if training else " in eval mode")
                break
        if found:
            self._warn(
                "it returns probabilities, which are taken for logits: all its figures would be"
                f" those of other answers. Leave out its {found}"
            )

    def _ends_in_sigmoid(self, network: nn.Module, pictures: Tensor, *, training: bool) -> bool:
        """Whether its last operation, but for changes of shape and type, is a sigmoid."""
        with untouched(network, training=training), torch.enable_grad():
            node = network(pictures.to(self._device).clone()).grad_fn
        while node is not None and type(node).__name__.startswith(_OF_SHAPE):
            node = node.next_functions[0][0]
        return type(node).__name__.startswith("SigmoidBackward")

    def _stepper(self, network: nn.Module) -> Stepper:
        batches = _Noise(self._spec, self._batch, self._device)
        return Stepper(network, batches, self._config, seed=self._seed)

    def _train(self, stepper: Stepper, weights: list[nn.Parameter]) -> None:
        """Some steps that must reach the weights."""
        model = stepper.model
        parameters = {id(parameter) for parameter in model.parameters()}
        reached: set[int] = set()
        for _ in range(STEPS):
            try:
                stepper.take()
                stepper.check()
            except Diverged as error:
                if error.step == 0:
                    raise ValueError(f"its training would break at once: {error}") from None
                return
            reached |= {id(weight) for weight in weights if weight.grad is not None}
            if not reached:
                raise ValueError("its logits do not depend on any parameter that is to be trained")
        late = [n for n, p in model.named_parameters() if id(p) not in parameters]
        if late:
            raise ValueError(
                f"it makes its parameter {late[0]!r} while it is trained, too late to be trained:"
                " make it when the network is built"
            )
        self._missed = {
            name: weight
            for name, weight in model.named_parameters()
            if weight.requires_grad and id(weight) not in reached
        }

    def _compare(self, network: nn.Module, other: nn.Module) -> None:
        """Raise `ValueError` if the network answers otherwise once its checkpoint is read back."""
        pictures = random_pictures(self._spec, 2 * TRIED, seed=1)
        one, again, read = (
            ask(asked, pictures, self._spec, name=self._name) for asked in (network, network, other)
        )
        if not _near(one, again):
            self._warn(
                "in eval mode it gives the same pictures other logits when it is asked again: all"
                " its figures depend on what it was asked before"
            )
        elif not _near(one, read):
            raise ValueError(
                f"--model {self._name} answers otherwise after its checkpoint is read back: what"
                " it learns is not all in its state_dict. Keep what training changes in parameters"
                " or persistent buffers, not in plain attributes"
            )
        others = random_pictures(self._spec, 2 * TRIED, seed=2)
        two = ask(network, others, self._spec, name=self._name)
        trained, also = (
            ask(network, asked, self._spec, name=self._name, training=True)
            for asked in (pictures, others)
        )
        if torch.equal(one, two) and not torch.equal(trained, also):
            self._warn(
                "in eval mode its answers do not depend on the pictures, as they do in training:"
                " does it keep what it computed first?"
            )

    def _go_on(self, stepper: Stepper, other: nn.Module, kept: Checkpoint) -> None:
        """Warn if training does not go on from a checkpoint as it does without one; on a CPU, where
        a step gives the same bits each time."""
        if self._device.type != "cpu":
            return
        resumed = self._stepper(other)
        resumed.restore(kept)
        try:
            for each in (stepper, resumed):
                each.take()
                each.check()
        except Diverged:
            return
        one, two = stepper.state(), resumed.state()
        if not (_same(one["model"], two["model"]) and _same(one["optimizer"], two["optimizer"])):
            self._warn(
                "it does not go on exactly after --resume: it keeps something beside its state_dict"
                " (a plain attribute, a random generator of its own) that decides its training"
            )

    def _look_at_missed(self, network: nn.Module) -> None:
        """Warn of weights that decide the answers and get no gradient; those that decide nothing
        are idle, and do no harm. Changes the network."""
        if not self._missed:
            return
        pictures = random_pictures(self._spec, self._batch)
        one, again = (ask(network, pictures, self._spec, name=self._name) for _ in range(2))
        with torch.no_grad():
            for weight in self._missed.values():
                weight.add_(torch.randn_like(weight))
        other = ask(network, pictures, self._spec, name=self._name)
        if _near(one, again) and not _near(one, other):
            missed = sum(weight.numel() for weight in self._missed.values())
            total = sum(weight.numel() for weight in network.parameters())
            self._warn(
                f"{missed:,} of its {total:,} parameters get no gradient, though its answers depend"
                f" on them, and stay as they are drawn ({next(iter(self._missed))!r} is the first):"
                " is a part of forward under torch.no_grad, or detached? If that is meant, set"
                " their requires_grad to False"
            )

    def _warn(self, what: str) -> None:
        self._warnings.append(f"--model {self._name}: {what}")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let errors begin with the flag that names the network."""
        try:
            yield
        except NetworkError as error:
            raise NetworkError(f"--model {self._name}: {error}") from error
        except ValueError as error:
            raise ValueError(f"--model {self._name}: {error}") from error


class _Noise:
    """Random pictures with labels in turn, as batches."""

    def __init__(self, spec: ModelSpec, batch_size: int, device: torch.device) -> None:
        self.batch_size = batch_size
        self._spec, self._device = spec, device

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        pictures = random_pictures(self._spec, self.batch_size, seed=step)
        labels = (torch.arange(self.batch_size) + step) % self._spec.num_outputs
        images = ((pictures + 1) * 127.5).to(torch.uint8)
        return images.to(self._device), labels.to(self._device)


def _refuse_hollow(model: nn.Module, name: str, *, lazy: bool = True) -> None:
    """Raise `ValueError` if a parameter or buffer has no numbers, or (`lazy`) no shape yet."""
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            if not lazy:
                continue
            raise ValueError(
                f"--model {name}: its {key!r} never gets a shape: forward makes no use of that lazy"
                " layer. Leave the layer out"
            )
        if tensor.is_meta:
            raise ValueError(
                f"--model {name}: its {key!r} has no numbers: it lies on the device meta. Give it"
                " some on the CPU (to_empty, and then draw them)"
            )


def _structure(model: nn.Module) -> list[tuple[str, int, tuple[int, ...]]]:
    """The parameters and buffers that there are, with their shapes."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return [
        (name, id(tensor), () if is_lazy(tensor) else tuple(tensor.shape))
        for name, tensor in tensors
    ]


def _numbers(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the parameters and buffers, by name."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in tensors}


def _same(one: Any, other: Any) -> bool:
    """Whether the tensors of two nested states are equal but for rounding."""
    if isinstance(one, Tensor):
        if not isinstance(other, Tensor) or one.shape != other.shape:
            return False
        return torch.allclose(one, other.to(one.device), rtol=1e-4, atol=1e-6, equal_nan=True)
    if isinstance(one, dict):
        return all(key in other and _same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return all(map(_same, one, other))
    return True


def _near(one: Tensor, other: Tensor) -> bool:
    one, other = one.double(), other.double()
    return bool((one - other).abs().max() <= ROUNDING * one.abs().max())
