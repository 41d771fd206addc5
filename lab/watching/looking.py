"""What is doubtful about a loop while it goes on: weights that do not change, and inputs and labels
that are others than those that are measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import torch
from torch import Tensor, nn

from lab.core.words import in_steps
from lab.watching.changes import Difference, difference
from lab.watching.coverage import Part
from lab.watching.given import GivenSets
from lab.watching.kept import Call
from lab.watching.loop import (
    MORE,
    ROWS,
    Inputs,
    parts_of,
)
from lab.watching.probes import channel_axis, probed
from lab.watching.scales import column_differs, finite, scale_differs, spanned
from lab.watching.shown import KNOWN, Shown
from lab.watching.tested import Fed, Tested
from lab.watching.trees import form, row_digests
from lab.watching.weights import Weights, weights_of

WAITED = 10
"""Steps after which weights that have not changed are told: the first ones may be skipped (float16)
or have a learning rate of 0 (warmup)."""

AGAIN, LATER = 16, 0.25
"""The first step at which inputs are looked at once more, and which share of the steps made so far
it takes to the next ones, if that is between the two below."""

OFTEN, SELDOM = 8, 0.005
"""How many steps it takes at most, or which share of those made so far, if that is more."""

MOSTLY = 0.5
"""Share of the steps that call the network, without gradients, above which these train it."""

LOOKED_AT = 32
"""Examples of a dataset of which the labels are read again, at most, and of any set the inputs."""


class Looking:
    """Looks at a loop that trains on `sets` at each measurement, and says each thing once.

    `shown` is what the network gets when it is measured on the training set, `tested` on the test
    set. `rescaled`: whether the inputs that the loop feeds it, when they were looked at last, were
    others; `is_unrecognized`: whether none of those that were compared is a measured one, as it is
    or changed in a way that is known.
    """

    def __init__(self, sets: GivenSets) -> None:
        self._sets = sets
        self.shown, self.tested = Shown(len(sets.train)), Shown(len(sets.test))
        self._test = Tested(sets, self.shown, self.tested)
        self.rescaled = self.is_unrecognized = False
        self.weights: Weights | None = None
        self._numbers: Tensor | None = None
        self._fed: Inputs | None = None  # the first ones, until they were compared
        self._latest: Inputs | None = None
        self._seen: list[Call] = []  # the latest of which there are enough
        self._next = float(AGAIN)
        self._random = Random(0)  # steps at even distances may miss every other epoch
        self._rows = Random(1)  # and so may rows, where those of two sets take turns
        self._answers_move = self._told_untouched = False
        self._has_gradients = False  # whether the loop was seen to make backward passes
        self._steps = self._asked = 0  # that were looked at, and of them those that call it
        self.is_uncalled = False  # whether weights changed, and the model was not seen to be called
        self._told_changed = "labels" in sets.redrawn

    @property
    def fed(self) -> Fed | None:
        """Of how many inputs of the loop how many are test examples; None: hardly any."""
        return self._test.fed if self._test.told else None

    @property
    def one_compared(self) -> bool:
        """Whether inputs are several tensors, of which one is compared."""
        return len(self._sets.train.form or ()) > 1

    @property
    def part(self) -> Part | None:
        """The part of the training examples that the loop goes through; None: it may be all of
        them, it is not known, or a sampler draws them by weights that are."""
        return self._test.part if self._sets.train.source.weights is None else None

    @property
    def knows_part(self) -> bool:
        """Whether only some of the test examples are searched for."""
        return self._test.knows_part

    @property
    def changed(self) -> bool:
        """Whether the weights were seen to have changed."""
        return self.weights is not None and self.weights.changed

    @property
    def others_changed(self) -> bool:
        """Whether numbers that may be weights were seen to have changed."""
        return self.weights is not None and self.weights.others

    @property
    def is_untouched(self) -> bool:
        """Whether the weights were looked at, and neither they nor the answers have changed."""
        return self.weights is not None and not self.weights.changed and not self._answers_move

    def begin(self, network: nn.Module, numbers: Tensor | None) -> None:
        """Look at the weights of `network` from now on, and at its inputs, unless `numbers`, those
        that it gets when it is measured, are unknown."""
        self.weights = Weights(network)
        if numbers is not None:
            self._numbers = numbers
            self._fed = self._inputs_of(network)

    def _inputs_of(self, network: nn.Module, *, whole: bool = False) -> Inputs:
        """What keeps the inputs of its next calls: of those of which the probes are known `ROWS` on
        the mean, in all, or of each call of a `whole` step, which is ended from without."""
        sets = self._sets.train, self._sets.test
        of_one = max(each.source.count // min(len(each), KNOWN) for each in sets)
        few = min(MORE, ROWS * of_one)
        if not whole:
            return Inputs(network, training=True, wanted=few, shown=self.shown)
        return Inputs(
            network, training=True, wanted=None, most=few, shown=self.shown,
            parts=parts_of(network), random=self._rows,
        )  # fmt: skip

    def at_step(self, network: nn.Module, step: int) -> None:
        """After each step of the loop: now and then look at all inputs of its next one, which may
        have become others, or be test examples, also in the second call of several."""
        if self._numbers is None:
            return
        if self._fed is not None:
            self._steps += 1
            self._asked += self._fed.is_asked
            self._fed.is_asked = False
        self._keep_latest()
        if step < self._next:
            return
        self._note_gradients(network)
        distance = min(LATER * step, max(OFTEN, SELDOM * step))
        self._next = step + distance * self._random.uniform(0.5, 1.5)
        if self._latest is None:
            self._latest = self._inputs_of(network, whole=True)

    @property
    def _is_quiet(self) -> bool:
        """Whether the loop seems to train without gradients: none were seen, and most steps call
        the network, which an evaluation now and then does not."""
        return not self._has_gradients and self._asked > MOSTLY * self._steps

    def _note_gradients(self, network: nn.Module) -> None:
        """Note whether some weight has a gradient, so that the loop makes backward passes."""
        if any(weight.grad is not None for weight in weights_of(network)):
            self._has_gradients = self._test.trains = True

    def _keep_latest(self) -> None:
        """Take the latest inputs over, if there are enough."""
        if self._latest is not None and self._latest.trains:
            self._has_gradients = self._test.trains = True
        if self._latest is not None and (every := self._latest.with_further(beside=self.changed)):
            self._latest.end()
            if any(each.trained.was_seen for each in every):
                self._has_gradients = self._test.trains = True
            self._seen = self._latest.calls(beside=self.changed, last=True) or self._seen
            self._latest = None
            self._test.keep(every)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the network is measured, which is not looked at."""
        with ExitStack() as stack:
            for each in (self._fed, self._latest):
                if each is not None:
                    stack.enter_context(each.paused())
            yield

    def end(self) -> None:
        """Look at no more inputs."""
        for each in (self._fed, self._latest):
            if each is not None:
                each.end()

    def at_weights(self, network: nn.Module) -> None:
        """Look whether they have changed, and whether they have gradients."""
        self._note_gradients(network)
        if self.weights is None:  # it had lazy layers
            self.weights = Weights(network)
        else:
            self.weights.look(network)

    def untouched(self, *, steps: int, late: bool, answers_move: bool) -> str:
        """What is to be said of weights that have not changed in `steps`; `late`: enough of them
        were made; `answers_move`: the answers have changed, by tensors that are not seen as
        weights of the network."""
        self._answers_move = answers_move
        if not self.is_untouched or not late or self._told_untouched:
            return ""
        self._told_untouched = True
        return (
            f"none of the weights of the watched model has changed in {in_steps(steps)}: does the"
            " loop train a copy of it, has the optimizer the parameters of another model, or is the"
            " learning rate 0?"
        )

    def past_the_model(self, *, late: bool) -> str:
        """What is to be said where weights that take gradients change (not what a loop counts in
        buffers) and the model itself was never called; `late`: enough steps were made for that."""
        looked = [each for each in (self._fed, self._latest) if each is not None]
        called = self._fed is None or any(each.is_called for each in looked) or self._is_quiet
        if called:
            self.is_uncalled = False
        learned = self.weights is not None and self.weights.learned
        if called or not late or not learned or self.is_uncalled:
            return ""
        self.is_uncalled = True
        return (
            "the weights change, and the loop was not seen to call the model itself, but perhaps"
            " its parts, model.forward, a compiled one or a copy: whether it trains on inputs as"
            " they are measured is not known. If it changes them, as by normalization, do so in"
            " forward=, too"
        )

    def at_inputs(self, *, last: bool) -> str:
        """What is to be said of inputs of the loop that differ from those that are measured, as
        soon as enough of them were seen, and if later ones do not; `last`: there will be no
        more."""
        said = ""
        calls: list[Call] = []
        if self._fed is not None:
            none = last and self._is_quiet
            beside = self.changed and (none or self._fed.is_called)
            calls = self._fed.calls(beside=beside, quiet=self.changed and none, last=last)
        if self._fed is not None and calls:
            self._fed.end()
            if not self._fed.is_quiet:  # else some may be an evaluation
                self._test.keep(calls)
            self._fed = None
            found = self._difference(calls)
            one = self._sets.train.form is not None and not self.one_compared
            self.is_unrecognized = one and self._are_unrecognized(found)
            if found.said:
                self.rescaled = True
                said = (
                    f"the loop feeds the model {found.said}: if the loop changes them, do it in a"
                    f" transform, or in forward= too, as in lambda model, x: model({found.code})"
                )
        if self.rescaled or self.is_unrecognized:
            self._keep_latest()
            seen, self._seen = self._seen, []
            found = self._difference(seen) if seen else Difference(False)
            self.is_unrecognized &= not seen or self._are_unrecognized(found)
            if self.rescaled and found.known and not found.said:
                self.rescaled = False
                more = (
                    "the loop now feeds the model inputs as they are measured: what was said of"
                    " others is about the steps before"
                )
                return f"{said}. {more[0].upper()}{more[1:]}" if said else more
        return said

    def _are_unrecognized(self, found: Difference) -> bool:
        """Whether of inputs that were compared none is a measured one."""
        return self.shown.probes is not None and not (found.known or found.found or found.said)

    def at_test(self) -> str:
        """What is to be said if inputs that the loop was seen to feed the network are examples of
        the test set, and not of the training set."""
        self._keep_latest()
        told = self._test.told
        self._test.search()
        if told or self.fed is None:
            return ""
        least = "at least " if self.knows_part else ""
        return (
            f"of {self.fed.rows:,} inputs that the loop fed the model, {least}{self.fed.tested:,}"
            " are examples of test, and not of train: if it trains on them, what is said of the"
            " test set is too good"
        )

    def at_part(self) -> str:
        """What is to be said at the end of a loop that goes through a part of the training
        examples alone."""
        if (part := self.part) is None:
            return ""
        return (
            f"the loop seems to train on about {part.trained:,} of the {part.whole:,} training"
            f" examples alone, or on the others hardly ever ({part.looked:,} inputs that were"
            f" looked at are {part.seen:,} of them): all of them count as studied, so give train"
            " those that it goes through, as without a validation set of its own"
        )

    def _difference(self, calls: list[Call]) -> Difference:
        """That of the inputs of some calls of the loop from those that are measured."""
        every = [each.rows for each in calls]
        found, fed, numbers = self._compared(every), finite(every), self._numbers
        if numbers is None:
            return found
        if not found.known and not found.found and scale_differs(fed, numbers):
            said = f"inputs {spanned(fed)}, and it is measured on inputs {spanned(numbers)}"
            return Difference(False, said)
        if not found.known and not found.found and not found.said:
            return self._column_differs(every) or found
        return found

    def _column_differs(self, calls: list[Tensor]) -> Difference | None:
        """Whether one column of a table is of another scale."""
        shown, shape = self.shown.probes, self.shown.shape
        if shown is None or shape is None or shown[0].numel() != shape.numel():
            return None
        fitting = [each for each in calls if each.is_floating_point() and each.shape[1:] == shape]
        if not fitting or not shown.is_floating_point():
            return None
        fed, asked = probed(torch.cat(fitting)).flatten(1), shown.flatten(1)
        place = column_differs(fed, asked)
        if place is None:
            return None
        theirs, ours = (finite([each[:, place]]) for each in (fed, asked))
        if (axis := channel_axis(shape)) is not None:  # as they are counted through in memory
            place = int(
                torch.arange(shape.numel()).reshape(shape).movedim(axis, 0).flatten()[place]
            )
        return Difference(
            False,
            f"inputs of which number {place} goes {spanned(theirs)}, and it is measured on inputs"
            f" of which that goes {spanned(ours)}",
        )

    def at_set(self, *, last: bool) -> str:
        """What is to be said of a training set that is not what it was when it was read: it has
        become longer or shorter, or some labels or inputs are others (of a dataset it is looked for
        that at the `last` measurement alone, as it may take long to read)."""
        if self._told_changed:
            return ""
        train, whole = self._sets.train, self._sets.whole
        now, before = whole.length, whole.count
        if now != before:
            self._told_changed = True
            return (
                f"train had {before:,} examples when the block began, and has {now:,} now: those"
                f" {before:,} are measured, and count as studied. If the loop adds or drops some,"
                " watch it from then on in a block of its own"
            )
        if not last and not train.source.is_tensors:
            return ""
        count = len(train) if train.source.is_tensors else LOOKED_AT
        few = torch.linspace(0, len(train) - 1, min(count, len(train))).long()
        try:
            other = train.source.labels(train.positions[few]) != train.labels[few]
        except Exception:  # of the user's code: the set may have been closed
            return ""
        if not (changed := int(other.sum())):
            return self._inputs_changed(few)
        self._told_changed = True
        return (
            f"of {len(few):,} labels of train that were read again {changed:,} are others than when"
            " the block began, of which the figures are. If the loop changes labels, watch it from"
            " then on in a block of its own"
        )

    def _inputs_changed(self, few: Tensor) -> str:
        """What is to be said if inputs of training examples at `few` places are others than when
        they were read first, as where the loop changes them in place."""
        train = self._sets.train
        if "inputs" in self._sets.redrawn or train.batch is not None:
            return ""
        few = few[torch.linspace(0, len(few) - 1, min(LOOKED_AT, len(few))).long()]
        try:
            again = row_digests(train.source.read(train.positions[few])[0])
        except Exception:  # as above
            return ""
        changed = sum(key != train.keys[k] for key, k in zip(again, few.tolist(), strict=True))
        if not changed:
            return ""
        self._told_changed = True
        return (
            f"of {len(few):,} inputs of train that were read again {changed:,} are others than when"
            " the block began, of which the figures are. Does the loop change them in place, as by"
            " x += noise on a part of them?"
        )

    def _compared(self, calls: list[Tensor]) -> Difference:
        """How the inputs of some calls of the loop differ from those that are measured, as far as
        shapes and single examples tell."""
        shape, shown = self.shown.shape, self.shown.probes
        if shape is None or shown is None:
            return Difference(False)
        fitting = [each for each in calls if each[0].numel() == shape.numel()]
        if not fitting:
            theirs = {each.shape[1:] for each in calls}
            if len(theirs) > 1 or len(calls[0].shape) != len(shape) + 1 or self._varies():
                return Difference(False)
            return _other_shape(theirs.pop(), shape, code="resize(x)")
        if len({each.is_floating_point() for each in fitting}) > 1:
            return Difference(False)
        fed = torch.cat([each.reshape(len(each), *shape) for each in fitting])[:MORE]
        expected = len(fed) * len(shown) / self._sets.train.source.count
        given = {each.shape[1:] for each in fitting}
        fed_as = given.pop() if len(given) == 1 else shape
        found = difference(fed, shown, expected=expected, fed_as=fed_as)
        is_told = found.known or found.found or found.said
        if is_told or fed_as == shape or sorted(fed_as) != sorted(shape):
            return found
        return _other_shape(fed_as, shape, code="permute(x)")

    def _varies(self) -> bool:
        """Whether the shape of an example may depend on the others in its batch."""
        train = self._sets.train
        few = torch.linspace(0, len(train) - 1, min(ROWS, len(train))).long()
        try:
            read = [train.source.read(each[None])[0] for each in train.positions[few]]
        except Exception:  # of a collate function that takes no single example
            return True
        return len({form(each) for each in read}) > 1


def _other_shape(theirs: torch.Size, ours: torch.Size, *, code: str) -> Difference:
    """Inputs of another shape than those that are measured; `code` makes such of these."""
    said = f"inputs of the shape {tuple(theirs)}, and it is measured on inputs of {tuple(ours)}"
    return Difference(False, said, code=code)
