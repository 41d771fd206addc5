"""What a watched network answers, and what can be found out by asking it before the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate
from lab.measure import predict
from lab.measure.training_mode import better_in_training_mode
from lab.models import NetworkError
from lab.watching.given import GivenSets
from lab.watching.loop import Inputs
from lab.watching.network import (
    Change,
    Reader,
    is_compiled,
    is_unready,
    moved_to,
    undisturbed,
    unwrapped,
)
from lab.watching.outputs import UNBOUNDED, Outputs
from lab.watching.sets import MeasuredSet
from lab.watching.trees import Tree, leaves

TRIED = 32
"""Test examples that the network is tried out on before the loop begins, at most; one of them
alone, too."""

BATCH = 32
"""Training examples that it is asked about at once in training mode, where none are loaded in
batches."""

COMPARED = 100
"""Training examples whose inputs are compared with those that the loop feeds, at most."""


class Asking:
    """Asks the network inside `model` about examples of `sets`, and leaves no trace: random states
    and modes are afterwards what they were. `outputs` makes logits of what it returns;
    `as_they_are`: the network gets the inputs as they are in the sets."""

    def __init__(
        self, model: nn.Module, sets: GivenSets, outputs: Outputs, *, as_they_are: bool
    ) -> None:
        self._model, self._sets, self._outputs = model, sets, outputs
        self._as_they_are = as_they_are
        self.single = False  # whether it has one output, known once it was asked
        self.is_past_the_model = False  # whether forward= calls parts of it alone, known then, too

    @property
    def network(self) -> nn.Module:
        """The network that is asked, without wrappers."""
        return unwrapped(self._model)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Inside, it can be asked, and examples be read."""
        with (
            undisturbed(self.network),
            self._sets.train.undisturbed(),
            self._sets.test.undisturbed(),
        ):
            yield

    def classes_told(self, changes: Mapping[str, Change]) -> tuple[int, str]:
        """The number of classes that it tells apart, from its answers to a few test examples, also
        with each of the `changes`; and what is doubtful about the answers, if anything is. Where it
        has layers that get their shapes in its first forward pass, which is not ours to make, the
        number that the labels have. `ValueError` if it cannot be measured."""
        least, test = self._sets.largest_label + 1, self._sets.test
        if is_unready(self.network):
            return max(2, least, len(self._sets.told or self._sets.known)), ""
        self.choose_item()
        with self._advised():
            raw = self._logits(TRIED)
        try:
            alone = self._logits(1)
        except ValueError as error:
            raise ValueError(
                f"the model cannot be asked about one example alone: {error}"
            ) from None
        if alone.shape[1] != raw.shape[1]:
            raise ValueError(
                f"the model returns {raw.shape[1]} logits for each of {min(TRIED, len(test))}"
                f" examples, and {alone.shape[1]} for one alone: give forward="
            )
        for name, function in changes.items():
            try:
                self._logits(TRIED, function)
            except ValueError as error:
                raise ValueError(f"change {name!r}: {error}") from None
        self.single = raw.shape[1] == 2 and not bool(raw[:, 0].any())
        return raw.shape[1], self.settle()

    def choose_item(self) -> None:
        """Find out which item has the logits, where the network returns several."""
        counts = self._sets.largest_label + 1, len(self._sets.told or self._sets.known)
        with self.undisturbed():
            self._outputs.choose(self.network, self._first(TRIED), *counts)

    def settle(self) -> str:
        """Find out whether the network returns logits or probabilities; what is to be said about
        it."""
        if self._outputs.settled:
            return ""
        network, sets = self.network, (self._sets.train, self._sets.test)

        def rows_of(chosen: MeasuredSet, count: int) -> Tensor:
            reader = Reader(
                network, chosen.inputs, forward=self._outputs, raw=True, batch=chosen.batch
            )
            with self.undisturbed():
                return predict(reader, torch.arange(min(count, len(chosen))), to_input=torch.clone)

        operation = self._last_operation()
        with self._advised():
            tried = rows_of(self._sets.test, TRIED)
        return self._outputs.settle(
            tried, operation, lambda: torch.cat([rows_of(each, len(each)) for each in sets])
        )

    def is_bounded(self) -> bool:
        """Whether the last operation of the network is known not to return any number."""
        operation = self._last_operation()
        return bool(operation) and operation not in UNBOUNDED

    def numbers(self) -> Tensor | None:
        """The numbers that the network gets for some training examples when it is measured, as
        `Inputs.numbers`."""
        train = self._sets.train
        shown = Inputs(self.network, training=False)
        reader = Reader(self.network, train.inputs, forward=self._outputs)
        positions = torch.linspace(0, len(train) - 1, min(COMPARED, len(train))).long()
        try:
            with self.undisturbed():
                predict(reader, positions, to_input=torch.clone)
        finally:
            shown.end()
        seen = shown.rows or isinstance(self.network, torch.jit.ScriptModule)
        self.is_past_the_model = not (seen or self._as_they_are or is_compiled(self._model))
        return shown.numbers

    def better_in_training_mode(self, right: Estimate) -> Estimate | None:
        """As `lab.measure.training_mode` has it, of the training examples of which so many are
        `right` in eval mode."""
        train = self._sets.train
        reader = Reader(self.network, train.inputs, forward=self._outputs)
        with self.undisturbed():
            return better_in_training_mode(
                reader, torch.arange(len(train)), train.labels, right,
                batch=train.source.batch or BATCH, to_input=torch.clone,
            )  # fmt: skip

    def _logits(self, count: int, change: Change | None = None) -> Tensor:
        """Its logits (N, C) on the first `count` test examples."""
        test = self._sets.test
        reader = Reader(self.network, test.inputs, forward=self._outputs, change=change)
        with self.undisturbed():
            return predict(reader, torch.arange(min(count, len(test))), to_input=torch.clone)

    def _last_operation(self) -> str:
        with self.undisturbed():
            return self._outputs.last_operation(self.network, self._first(2))

    def _first(self, count: int) -> Tree:
        """The inputs of the first test examples, where the network is."""
        test = self._sets.test
        return moved_to(self.network, test.inputs(torch.arange(min(count, len(test)))))

    @contextmanager
    def _advised(self) -> Iterator[None]:
        """Where the network fails on the inputs as they are in the set, it is said what to do."""
        try:
            yield
        except NetworkError as error:
            if not self._as_they_are:
                raise
            test = self._sets.test
            given = leaves(test.inputs(torch.arange(min(TRIED, len(test)))))
            told = ", ".join(f"{tuple(each.shape)} {each.dtype}" for each in given)
            scaled = all(each.is_floating_point() for each in given)
            raise ValueError(
                f"{error}. It was given inputs as they are in the set, {told}: if your loop scales,"
                " converts or reshapes them first, do it in forward= too, such as lambda model, x:"
                f" model({'normalize(x)' if scaled else 'x.float() / 255'})"
            ) from error
