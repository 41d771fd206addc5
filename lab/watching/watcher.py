"""`Watcher`: measures a network while somebody else's loop trains it, and leaves no other trace."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lab.core.config import Provenance
from lab.core.estimate import Estimate
from lab.core.run_dir import Status
from lab.core.text import escape, in_tag, only_apart, plain, unknown
from lab.core.words import percent
from lab.evaluators import DataSummary, EvaluatorSuite, Setup, SuiteResult
from lab.measure import predict
from lab.measure.smallest_right import SmallestRight, share_of_smallest, smallest_right
from lab.models import NetworkError, device_of, parameters_told
from lab.runs.display import Display
from lab.runs.recorder import Recorder
from lab.tracking.writer import Tracker
from lab.training import describe
from lab.verdict import Relabeled, Setting, verdict
from lab.watching.budget import STARTING, Budget
from lab.watching.fed import KNOWN, Difference, Shown, difference, probed
from lab.watching.loop import MORE, ROWS, Inputs, Weights, finite, scale_differs
from lab.watching.network import (
    Change,
    Reader,
    is_compiled,
    is_unready,
    moved_to,
    refuse_sharded,
    undisturbed,
    unwrapped,
)
from lab.watching.outputs import UNBOUNDED, Forward, Outputs
from lab.watching.sets import MeasuredSet, class_names, named_groups, shared, uneven
from lab.watching.settings import AGAIN, WatchedSettings, new_folder
from lab.watching.smallest import told_of_smallest
from lab.watching.sources import Source, as_labels
from lab.watching.threshold import Threshold, other_threshold
from lab.watching.trees import form, leaves
from lab.watching.world import WatchedSplit, WatchedWorld, examples_of

CHANGED = 500
"""Test examples on which interventions are measured, at most."""

ASKED_AGAIN = 32
"""Test examples that the final model is asked about once more, and each alone."""

TRIED = 32
"""Test examples that the network is tried out on before the loop begins, at most; one of them
alone, too."""

COMPARED = 100
"""Training examples whose inputs are compared with those that the loop feeds, at most."""

STEADY = 0.9
"""Share of the training examples that get the usual answer to their class, from which on it is
asked whether these are other labels."""

REPEATED = 0.9
"""Share of the training examples that are different ones, below which it is said."""

UNDRAWN = 0.05
"""Share of the training examples that a sampler has not drawn, above which it is said."""

MOST_GROUPS = 200
"""Groups that are measured at most: more of them have too few examples each."""

PICTURED = (7, 31)
"""Measurements, counted from 0, that show pictures, as the last one does."""

FEW = 8
"""Measurements below which it is said how to get more."""

WAITED = 10
"""Steps after which weights that have not changed are told: the first ones may be skipped (float16)
or have a learning rate of 0 (warmup)."""

SETTLED = 50
"""Steps below which the outputs of a network may be on their way: no other threshold is sought."""

UNEVEN = 1.5
"""Times that a class may be as frequent in the test set as a guess expects, without a word."""


class Watcher:
    """Measures a network while its loop goes on; `lab.watch` makes one, and explains its arguments.

    Inside `with`, call it after each optimizer step: `watched(step)`. Afterwards `verdict` has the
    sentences, `metrics` the final figures by tag, `folder` the run's folder. `batches` is how many
    batches of the training loader a step takes (where gradients are accumulated), 1 unless set.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        train: Any,
        test: Any,
        out: str | Path | None = None,
        again: str = AGAIN[0],
        clean: Any = None,
        classes: Sequence[str] = (),
        groups: Mapping[str, Sequence[Any]] | None = None,
        clean_labels: Any = None,
        change: Mapping[str, Change] | None = None,
        forward: Forward | None = None,
        outputs: str | None = None,
        share: float = 0.05,
        every: int | None = None,
        steps: int | None = None,
        most: int | None = 2000,
        settings: Mapping[str, Any] | None = None,
        pictures: bool = True,
        quiet: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"the model must be a torch.nn.Module, not {type(model).__name__}")
        if again not in AGAIN:
            raise ValueError(unknown("value of again", again, AGAIN))
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 to 1, not {share!r}")
        for name, number, least in (("every", every, 1), ("most", most, 2), ("steps", steps, 1)):
            if number is not None and (not isinstance(number, (int, np.integer)) or number < least):
                raise ValueError(f"{name} must be a whole number from {least} on, not {number!r}")
        self.verdict = ""
        self.batches = 1
        self.metrics: Mapping[str, Estimate | float] = {}
        self.folder: Path | None = None
        self._model = model
        place = None if out is None else Path(out).absolute()  # wherever the loop changes to
        self._given = (train, test, clean, clean_labels, classes, dict(groups or {}), place)
        self._again = again
        only_apart("change", map(str, change or {}))
        self._change = {in_tag(name): function for name, function in (change or {}).items()}
        self._outputs, self._is_plain = Outputs(forward, outputs), forward is None
        self._share, self._every, self._most, self._steps = share, every, most, steps
        self._told = dict(settings or {})
        self._wants_pictures, self._quiet = pictures, quiet
        self._idle = False
        self._opened: ExitStack | None = None
        self._begin_anew()
        refuse_sharded(model)

    def _begin_anew(self) -> None:
        """Forget what was seen of a loop."""
        self._step, self._calls = 0, 0  # steps made, and those that it was told of
        self._offset = 0
        self._logged = -1
        self._weights: Weights | None = None
        self._told_untouched = False
        self._fed: Inputs | None = None
        self._shown: Tensor | None = None
        self._taken = self._first_loss = self._first_smallest = 0.0
        self._rescaled = self._redrawn = False
        self._relabeled: Relabeled = ""
        self._smallest: SmallestRight | None = None
        self._threshold: Threshold | None = None
        self._told_changed = False

    def __enter__(self) -> Watcher:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    def __call__(self, step: int | None = None) -> None:
        """Measure if it is time to; else return at once.

        `step` is the number of the optimizer step that was just made, counted from 0, or None: it
        is counted here. If it begins anew, as in each epoch, it is counted on. What is measured
        then is of `step` + 1, the number of steps that were made.
        """
        if self._idle:
            return
        self._refuse_closed()
        self._calls += 1
        if step is None:
            self._step += 1
        else:
            made = int(step) + 1 + self._offset
            if made <= self._step:
                self._offset = self._step - int(step)
                made = self._step + 1
            self._step = made
        if self._budget.due(self._step):
            self.measure()

    @property
    def times(self) -> int:
        """How often it was measured so far."""
        return 0 if self._idle else self._budget.measured

    @property
    def share_taken(self) -> float:
        """The share of the time since it was opened that measuring took, 0 to 1."""
        return 0.0 if self._idle else self._taken or self._budget.taken

    def measure(self) -> Mapping[str, Estimate | float]:
        """Measure now, whatever it takes; returns the figures by tag."""
        if self._idle:
            return {}
        self._refuse_closed()
        self._measured(self._step, log=True, pictured=self._budget.measured in PICTURED)
        return self.metrics

    def _refuse_closed(self) -> None:
        """Raise `RuntimeError` before it was opened, and after its run has ended: the record of a
        finished run stays as it is."""
        if self._opened is None:
            raise RuntimeError(
                "this watcher is not open: use it inside `with watch(…) as watched:`"
            )

    def open(self) -> None:
        """Read the examples, try the network, make the run's folder, and measure the network as it
        is before the loop (step 0), unless it has layers that get their shapes later; `with` does
        so."""
        self._idle = _rank() != 0
        if self._idle:
            self.verdict = f"Process {_rank()} does not measure: process 0 does, for all of them."
            return
        self._begin_anew()
        self._budget = Budget(self._share, self._every, self._steps)
        with self._budget.spending(STARTING), undisturbed(unwrapped(self._model)):
            self._read()
            self._begin()
            network = unwrapped(self._model)
            self._weights = None if is_unready(network) else Weights(network)
            if self._shown is not None and not is_compiled(self._model):
                known = min(len(self._train), KNOWN)
                wanted = max(ROWS, min(MORE, ROWS * self._train.source.count // known))
                self._fed = Inputs(network, training=True, wanted=wanted, shown=self._known)
        if self._weights is not None:
            try:
                self.measure()
            except BaseException as error:
                self.close(error)
                raise

    def close(self, error: BaseException | None = None) -> None:
        """Measure the finished network and write down how the run ended; `with` does so. `error`
        is what ended the loop, if it has failed."""
        if self._idle or self._opened is None:
            return
        opened, self._opened = self._opened, None
        if self._fed is not None:
            self._fed.end()
        try:
            if error is None:
                with self._noted():
                    self._conclude()
            else:
                self._interrupted(error)
        except BaseException as own:
            if not isinstance(own, Exception):  # Ctrl-C while it concludes
                self._interrupted(own)
            opened.__exit__(type(own), own, own.__traceback__)
            raise
        with (
            suppress(OSError) if error is not None else ExitStack(),
            self._budget.spending("logging"),  # the last events are written, too
        ):
            opened.__exit__(type(error) if error else None, error, None)
        self._taken = self._budget.taken
        if error is None:
            self._told_at_end()

    def _read(self) -> None:
        """Read what was given, and refuse what cannot work."""
        given_train, given_test, clean, clean_labels, classes, groups, _ = self._given
        train, test = (
            Source(given, what, classes)
            for given, what in ((given_train, "train"), (given_test, "test"))
        )
        known = train.classes or test.classes
        if train.classes and test.classes and train.classes != test.classes and not classes:
            raise ValueError(
                f"train has the classes {_listed(train.classes)}, and test {_listed(test.classes)}:"
                " the same label would stand for different ones. Give both the same classes"
            )
        self._warnings: list[str] = []
        self._name, self._whole = train.name, train
        if clean is not None:
            if isinstance(clean, nn.Module) or not (
                isinstance(clean, DataLoader) or hasattr(clean, "__getitem__")
            ):
                train = train.with_transform(clean)
            else:
                whole, train = train, Source(clean, "clean", classes)
                with whole.undisturbed(), train.undisturbed():
                    train.refuse_others(whole)
                train.doubts, train.batch = [*whole.doubts, *train.doubts], whole.batch
                train.weights = whole.weights
        with ExitStack() as stack:
            for source in (train, test):
                stack.enter_context(source.undisturbed())
            for source in (train, test):
                source.refuse_reordered()
                if redrawn := source.random_parts():
                    if source is train and "inputs" in redrawn:
                        self._redrawn = True
                    if source is train and "labels" in redrawn:
                        self._told_changed = True
                    why = " (random augmentation)" if "inputs" in redrawn else ""
                    advice = "" if source is test else "; clean= is for measuring without it"
                    self._warnings.append(
                        f"{source.what} gives other {' and '.join(redrawn)} each time that it is"
                        f" read{why}, and one draw of each is measured{advice}"
                    )
            self._warnings += dict.fromkeys((*train.doubts, *test.doubts))
            self._train = MeasuredSet(train, most=self._most, seed=0)
            self._test = MeasuredSet(test, most=self._most, seed=0)
            tested, studied = self._test.numbers(), self._train.numbers()
            if scale_differs(tested, studied):
                theirs, ours = (_range(each) for each in (tested, studied))
                self._warnings.append(
                    f"the inputs of test go {theirs}, and those of train {ours}: if that is no"
                    " difference of what they show, scale or normalize both alike"
                )
        for chosen in (self._train, self._test):
            if chosen.broken:
                self._warnings.append(
                    f"{chosen.source.what}: inputs are not finite in {chosen.broken:,} of the"
                    f" {len(chosen):,} examples that are measured"
                )
        self._shared = int(shared(self._train, self._test).sum())
        if self._shared:
            least = "at least " if self._train.is_sample else ""
            self._warnings.append(
                f"test and train share examples, {least}{self._shared:,} of the {len(self._test):,}"
                " of test that are measured: what is said of the test set is too good"
            )
        if self._is_plain and (self._train.unscaled or self._test.unscaled):
            self._warnings.append(
                "the inputs are whole numbers up to 255: if your loop scales or normalizes them"
                " before the model gets them, do it in a transform, or in forward= too"
            )
        with train.undisturbed():
            different = train.different()
        if different < REPEATED * train.count:
            self._warnings.append(
                f"train takes some examples several times: its {train.count:,} are {different:,}"
                " different ones, each of which counts as often as it is taken"
            )
        labels = torch.cat([self._train.labels, self._test.labels])
        given = self._train.labels
        truth = given
        if clean_labels is not None:
            column = self._train.column(clean_labels, "clean_labels")
            truth = as_labels(column, "clean_labels", classes or known)
            labels = torch.cat([labels, truth])
        self._counts = int(labels.max()) + 1, len(classes or known)
        count = self._tried(self._counts[0])
        if int(labels.max()) >= count:
            raise ValueError(
                f"there is a label {int(labels.max())}, and the model tells {count} classes apart"
                " (labels count from 0)"
            )
        self._classes = class_names(classes, count, known)
        if known and not classes and count > len(known):
            self._warnings.append(
                f"the model returns {count:,} numbers for each example, and the dataset has"
                f" {len(known):,} classes: all of them count as classes. If they are features or an"
                " embedding, give forward= with the head, as in lambda model, x: head(model(x)); if"
                " it is a head for more classes, nothing is wrong"
            )
        if known and set(known) == set(self._classes) and known != self._classes:
            self._warnings.append(
                f"classes= has the names of the dataset's own classes, {_listed(known)}, in another"
                " order: numbers of classes are named in the order that is given"
            )
        self._examples = {
            "train": examples_of(self._train, truth, self._classes),
            "test": examples_of(self._test, self._test.labels, self._classes),
        }
        majority = self._frequent
        if majority > UNEVEN / count:
            self._warnings.append(
                f"the classes are not equally frequent: always giving the same answer gets"
                f" {percent(majority)} of the test examples right"
            )
        if apart := uneven(self._train, self._test):
            label, one, other = apart
            self._warnings.append(
                f"the class {self._classes[label]} is {percent(one)} of train and {percent(other)}"
                " of test: the gap and the membership AUC come from that, too"
            )
        self._groups = None
        if groups:
            columns = {name: self._test.column(each, name) for name, each in groups.items()}
            for name, each in groups.items():
                if len(set(map(str, _plain_values(each)))) == 1:
                    raise ValueError(
                        f"groups: {name} has one value for all {len(each):,} test examples, so that"
                        " it makes no groups: give a column with two values or more"
                    )
            self._groups = named_groups(self._test.labels, self._classes, columns)
            if len(self._groups[1]) > MOST_GROUPS:
                raise ValueError(
                    f"groups make {len(self._groups[1]):,} groups of class and"
                    f" {', '.join(groups)}, and {MOST_GROUPS} are the most: use coarser values"
                )

    def _tried(self, least: int) -> int:
        """The number of classes, from the network's answers to a few test examples; `least` where
        it has layers that get their shapes in its first forward pass, which is not ours to make."""
        network = unwrapped(self._model)
        if is_unready(network):
            return max(2, least, self._counts[1])
        self._choose_item(network)
        with self._advised():
            raw = self._asked(network, TRIED)
        try:
            alone = self._asked(network, 1)
        except ValueError as error:
            raise ValueError(
                f"the model cannot be asked about one example alone: {error}"
            ) from None
        if alone.shape[1] != raw.shape[1]:
            raise ValueError(
                f"the model returns {raw.shape[1]} logits for each of {len(raw)} examples, and"
                f" {alone.shape[1]} for one alone: give forward="
            )
        for name, function in self._change.items():
            try:
                self._asked(network, TRIED, function)
            except ValueError as error:
                raise ValueError(f"change {name!r}: {error}") from None
        if said := self._settled(network):
            self._warnings.append(said)
        self._shown = self._inputs_shown(network)
        return raw.shape[1]

    @contextmanager
    def _advised(self) -> Iterator[None]:
        """Where the network fails on the inputs as they are in the set, it is said what to do."""
        try:
            yield
        except NetworkError as error:
            if not self._is_plain:
                raise
            given = leaves(self._test.inputs(torch.arange(min(TRIED, len(self._test)))))
            told = ", ".join(f"{tuple(each.shape)} {each.dtype}" for each in given)
            scaled = all(each.is_floating_point() for each in given)
            raise ValueError(
                f"{error}. It was given inputs as they are in the set, {told}: if your loop scales,"
                " converts or reshapes them first, do it in forward= too, such as lambda model, x:"
                f" model({'normalize(x)' if scaled else 'x.float() / 255'})"
            ) from error

    def _inputs_shown(self, network: nn.Module) -> Tensor | None:
        """The numbers that the network gets for some training examples when it is measured, as
        `Inputs.numbers`."""
        shown = Inputs(network, training=False)
        reader = Reader(network, self._train.inputs, forward=self._outputs)
        count = min(COMPARED, len(self._train))
        positions = torch.linspace(0, len(self._train) - 1, count).long()
        try:
            with self._undisturbed():
                predict(reader, positions, to_input=torch.clone)
        finally:
            shown.end()
        return shown.numbers

    def _choose_item(self, network: nn.Module) -> None:
        """Which item has the logits, where the network returns several."""
        few = torch.arange(min(TRIED, len(self._test)))
        with self._undisturbed():
            inputs = moved_to(network, self._test.inputs(few))
            self._outputs.choose(network, inputs, *self._counts)

    def _settled(self, network: nn.Module) -> str:
        """Whether the network returns logits or probabilities; what is to be said about it."""
        if self._outputs.settled:
            return ""

        def rows_of(chosen: MeasuredSet, count: int) -> Tensor:
            reader = Reader(network, chosen.inputs, forward=self._outputs, raw=True)
            with self._undisturbed():
                return predict(reader, torch.arange(min(count, len(chosen))), to_input=torch.clone)

        few = torch.arange(min(2, len(self._test)))
        with self._undisturbed():
            inputs = moved_to(network, self._test.inputs(few))
            operation = self._outputs.last_operation(network, inputs)
        with self._advised():
            tried = rows_of(self._test, TRIED)
        return self._outputs.settle(
            tried,
            operation,
            lambda: torch.cat([rows_of(each, len(each)) for each in (self._train, self._test)]),
        )

    def _begin(self) -> None:
        """Make the folder and all that writes into it."""
        out = self._given[-1]
        network = unwrapped(self._model)
        train, test = self._train, self._test
        noun = "pictures" if train.thumbnails is not None else "examples"
        self._noun = noun
        wrong = float(self._examples["train"].mislabeled.double().mean())
        name = type(network).__name__
        settings = self._settings = WatchedSettings(
            network=name,
            source=self._name,
            num_train=train.source.count,
            num_test=test.source.count,
            label_noise=wrong,
            told=self._told,
            pictures=self._wants_pictures and noun == "pictures",
        )
        folder = new_folder(out, name, train.source.count, again=self._again)
        settings.placed(folder)
        digest = f"{train.digest[:6]}{test.digest[:6]}"
        world = WatchedWorld(
            data=settings.config.data, names=self._classes, sets=self._examples, digest=digest,
            called=noun,
        )  # fmt: skip
        provenance = Provenance(
            world=world.version,
            classes=self._classes,
            watched={
                "network": name,
                "parameters": parameters_told(network) if not is_unready(network) else None,
                "train": train.source.count,
                "train_measured": len(train),
                "test": test.source.count,
                "test_measured": len(test),
                "settings": settings.own,
                "warnings": self._warnings,
            },
        )
        self._known = Shown(len(train))
        splits = {
            "train": WatchedSplit(
                "train", self._examples["train"], train, forward=self._outputs, shown=self._known
            ),
            "test": WatchedSplit(
                "test", self._examples["test"], test, forward=self._outputs, groups=self._groups
            ),
        }
        changes = {
            name: WatchedSplit(
                "test", self._examples["test"], test, forward=self._outputs, change=function,
                count=CHANGED,
            )
            for name, function in self._change.items()
        }  # fmt: skip
        self._suite = EvaluatorSuite(
            Setup(
                world=world, splits=splits, pictures=settings.config.pictures,
                asked_again=ASKED_AGAIN, grouped=self._groups is not None, changes=changes,
            )
        )  # fmt: skip
        self._recorder = Recorder(
            folder,
            settings=lambda: settings.content(provenance),
            pictures=settings.config.pictures,
        )
        self._display = Display(settings.config, folder.path, noun)
        self.folder = folder.path
        with ExitStack() as attempt:
            attempt.enter_context(folder.lock())
            try:
                settings.write(folder, provenance)
            except OSError:
                folder.give_up()
                raise
            self._recorder.tracker = attempt.enter_context(
                Tracker(folder.path, changes=tuple(self._change))
            )
            summary = DataSummary.of(world, self._examples["train"], self._examples["test"])
            device = device_of(network)
            self._recorder.introduce(
                summary, settings.columns(), device=device, threads=torch.get_num_threads()
            )
            self._opened = attempt.pop_all()
        if not self._quiet:
            self._announce(name, network)

    def _announce(self, name: str, network: nn.Module) -> None:
        """Say what is watched, and what is doubtful about it."""
        told = []
        for chosen in (self._train, self._test):
            part = f"{chosen.source.count:,}"
            if chosen.is_sample:
                part = f"{len(chosen):,} of {part}"
            told.append(f"{part} {'training' if chosen is self._train else 'test'}")
        sampled = " (fixed random samples)" if self._train.is_sample or self._test.is_sample else ""
        parameters = "" if is_unready(network) else f" ({parameters_told(network)})"
        print(
            f"{escape(_near(self.folder))}: watching {name}{parameters} on"
            f" {describe(device_of(network))} with {told[0]} and {told[1]} {self._noun}{sampled},"
            f" {len(self._classes)} classes",
            flush=True,
        )
        self._display.warn(self._warnings)

    def _measured(self, step: int, *, log: bool, pictured: bool) -> SuiteResult:
        """Measure after `step`, and `log` it; `pictured`: with pictures."""
        refuse_sharded(self._model)
        network = unwrapped(self._model)
        _wait_for(device_of(network))
        budget = self._budget
        if self._weights is None:  # it had lazy layers
            self._choose_item(network)
        if not self._outputs.settled and (said := self._settled(network)):  # it had lazy layers
            self.warn(said)
        with budget.measuring(step):
            with budget.spending("measuring"), self._undisturbed():
                self._look_at_weights(network)
                self._look_at_inputs()
                self._look_at_set(last=self._opened is None)
                result = self._suite(network)
            with budget.spending("logging"), self._undisturbed():
                self._recorder.show_distributions(step, [result])
                if log:
                    self._recorder.tracker.scalars(step, result.metrics)
                    self._logged = step
        if pictured:
            with budget.spending("logging"), budget.showing(), self._undisturbed():
                self._recorder.show_pictures(step, [result])
        self.metrics = result.metrics
        if budget.measured == 1:
            self._first_loss = _value(result.metrics["loss/train"])
            train = result.evaluation.on("train")
            self._first_smallest = share_of_smallest(train.logits, train.labels).value
        return result

    def _look_at_weights(self, network: nn.Module) -> None:
        """Find out whether the loop has changed them, and say so once if it has not."""
        if self._weights is None:  # it had lazy layers
            self._weights = Weights(network)
            return
        changed, late = self._weights.look(network), self._step >= WAITED
        if not changed and late and self._budget.measured and not self._told_untouched:
            self._told_untouched = True
            self.warn(
                f"none of the weights of the watched model has changed in {self._step:,} steps:"
                " does the loop train a copy of it, has the optimizer the parameters of another"
                " model, or is the learning rate 0?"
            )

    def _look_at_inputs(self) -> None:
        """Say once whether the loop feeds the network other inputs than it is measured on, as soon
        as enough of them were seen."""
        if self._fed is None or self._shown is None:
            return
        changed = self._weights is not None and self._weights.changed
        calls = self._fed.calls(beside=changed, last=self._opened is None)
        if not calls:
            return
        self._fed.end()
        shown, self._fed, self._shown = self._shown, None, None
        found, fed = self._compared(calls), finite(calls)
        if not found.known and not found.found and scale_differs(fed, shown):
            said = f"inputs {_range(fed)}, and it is measured on inputs {_range(shown)}"
            found = Difference(False, said)
        if found.said:
            self._rescaled = True
            self.warn(
                f"the loop feeds the model {found.said}: if the loop changes them, do it in a"
                " transform, or in forward= too, as in lambda model, x:"
                f" model({found.code})"
            )

    def _look_at_set(self, *, last: bool) -> None:
        """Say once that the training set is not what it was when it was read: it has become longer
        or shorter, or some labels are others (of a dataset it is looked for that at the `last`
        measurement alone, as it may take long to read)."""
        if self._told_changed:
            return
        train, whole = self._train, self._whole
        now, before = whole.length, whole.count
        if now != before:
            self._told_changed = True
            self.warn(
                f"train had {before:,} examples when the block began, and has {now:,} now: those"
                f" {before:,} are measured, and count as studied. If the loop adds or drops some,"
                " watch it from then on in a block of its own"
            )
        elif last or train.source.is_tensors:
            count = len(train) if train.source.is_tensors else ASKED_AGAIN
            few = torch.linspace(0, len(train) - 1, min(count, len(train))).long()
            try:
                other = train.source.labels(train.positions[few]) != train.labels[few]
            except Exception:  # of the user's code: the set may have been closed
                return
            if changed := int(other.sum()):
                self._told_changed = True
                self.warn(
                    f"of {len(few):,} labels of train that were read again {changed:,} are others"
                    " than when the block began, of which the figures are. If the loop changes"
                    " labels, watch it from then on in a block of its own"
                )

    def _compared(self, calls: list[Tensor]) -> Difference:
        """How the inputs of some calls of the loop differ from those that are measured, as far as
        shapes and single examples tell."""
        shape, shown = self._known.shape, self._known.probes
        if shape is None or shown is None or not calls[0].is_floating_point():
            return Difference(False)
        fitting = [each for each in calls if each[0].numel() == shape.numel()]
        if not fitting:
            theirs = {each.shape[1:] for each in calls}
            if len(theirs) > 1 or len(calls[0].shape) != len(shape) + 1 or self._varies():
                return Difference(False)
            told = [str(tuple(each)) for each in (*theirs, shape)]
            said = f"inputs of the shape {told[0]}, and it is measured on inputs of {told[1]}"
            return Difference(False, said, code="resize(x)")
        fed = torch.cat([probed(each.reshape(len(each), *shape)) for each in fitting])[:MORE]
        expected = len(fed) * len(shown) / self._train.source.count
        return difference(fed, shown, expected=expected)

    def _varies(self) -> bool:
        """Whether the shape of an example may depend on the others in its batch."""
        few = torch.linspace(0, len(self._train) - 1, min(ROWS, len(self._train))).long()
        try:
            read = [self._train.source.read(each[None])[0] for each in self._train.positions[few]]
        except Exception:  # of a collate function that takes no single example
            return True
        return len({form(each) for each in read}) > 1

    def warn(self, text: str) -> None:
        """Say what is doubtful while the loop goes on: printed at once, unless it is quiet. A
        process that does not measure says nothing."""
        if self._idle:
            return
        self._warnings.append(text)
        self._display.warn([text] if not self._quiet else [])

    def _conclude(self) -> None:
        """The last measurement, and the verdict."""
        step, budget = self._step, self._budget
        watched = self._weights
        if not self._calls and watched is not None and watched.look(unwrapped(self._model)):
            self.warn(
                "the weights have changed, and the watcher was never called: call it after each"
                " optimizer step"
            )
        count, batch = self._train.source.count, self._train.source.batch
        if batch and 0 < (gone := step * self.batches * batch * _processes()) < count:
            one = ", if a step takes one batch" if self.batches == 1 else ""
            self.warn(
                f"{step:,} {'step' if step == 1 else 'steps'} with batches of {batch:,} go through"
                f" {gone:,} of the {count:,} training examples{one}: all of them count as studied,"
                " so give what the loop goes through"
            )
        elif batch and step:
            never = self._train.source.never_drawn(step * self.batches * batch * _processes())
            if never > UNDRAWN * count:
                self.warn(
                    f"train is a loader that draws with replacement: about {never:,.0f} of its"
                    f" {count:,} examples were never drawn, and all of them count as studied, so"
                    " that the gap and the membership AUC are too small"
                )
        # measured in any case: after the last step the weights may have been replaced
        result = self._measured(step, log=self._logged != step, pictured=True)
        if self._calls:
            self._smallest = self._smallest_right(result)
        if self._smallest is not None:
            self.warn(told_of_smallest(self._smallest, result.metrics["accuracy/train"]))
        elif self._calls and (found := self._is_relabeled(result)):
            self._relabeled = found
            right = percent(_value(result.metrics["accuracy/train"]))
            why = "fewer than one answer to all would get"
            if found == "classes":
                why = "and gives nearly all examples of a class one answer, mostly another class"
            self.warn(
                f"the model gets {right} of its training examples right, {why}: does the loop train"
                " it with other labels, changed on the way, made coarser or numbered in another"
                " order?"
            )
        with budget.spending("measuring"), self._undisturbed():
            self._threshold = self._other_threshold(result)
        if self._threshold is not None:
            self.warn(self._threshold.told)
        with budget.spending("measuring"), self._undisturbed():
            self.metrics, self.verdict = self._recorder.conclude(
                self._suite, result, step, metrics=result.metrics,
                judge=lambda estimates: verdict(estimates, self._setting(step)),
            )  # fmt: skip
        with budget.spending("logging"):
            self._recorder.finish(step, self.verdict)
        self._summarize("finished", step, self.verdict)

    def _interrupted(self, error: BaseException) -> None:
        """Note why the loop did not come to its end."""
        step = self._step
        readable = plain(str(error))
        name = type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            text = f"It was stopped by {signal.Signals(signal.SIGINT).name} after step {step:,}."
        elif isinstance(error, Exception):
            why = f"{name}: {readable}" if readable else name
            text = f"Its loop failed after step {step:,}: {why}"
        else:
            text = f"It was ended by {name} after step {step:,}."
        self.verdict = text
        status: Status = "failed" if isinstance(error, Exception) else "stopped"
        with suppress(OSError):  # a full disk must not hide what went wrong before
            self._summarize(status, step, text)

    def _summarize(self, status: Status, step: int, text: str) -> None:
        seconds = dict(self._budget.spent)
        rest = self._budget.elapsed - sum(seconds.values())
        self._taken = self._budget.taken
        self._seconds = {
            STARTING: seconds.pop(STARTING, 0.0),
            "training": max(rest, 0.0),
            **seconds,
        }
        timed = {f"seconds/{what}": spent for what, spent in self._seconds.items()}
        with self._budget.spending("logging"):
            self._recorder.summarize(status, step, text, {**self.metrics, **timed})

    def _told_at_end(self) -> None:
        if self._quiet:
            return
        budget = self._budget
        taken = self.share_taken
        much = f", more than share={self._share:g}: the first and the last are always made"
        over = much if self._every is None and taken > self._share else ""
        if self._every is None and budget.measured < FEW:
            over += "; a larger share=, or every= so many steps, measures more often"
        times = "once" if budget.measured == 1 else f"{budget.measured:,} times"
        print(
            f"measured {times} in {self._calls:,} steps, {percent(taken)} of the time{over}",
            flush=True,
        )
        self._display.verdict(self.verdict, self._seconds)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        with (
            self._fed.paused() if self._fed is not None else nullcontext(),
            undisturbed(unwrapped(self._model)),
            self._train.undisturbed(),
            self._test.undisturbed(),
        ):
            yield

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note a failure of our own in `summary.json`."""
        with self._recorder.failure_noted(lambda error: self._step, lambda: self.metrics):
            yield

    def _is_relabeled(self, result: SuiteResult) -> Relabeled:
        """Whether the loop's labels are not those of the training set: the loss has risen beyond
        that of a guess, and training accuracy is surely below what any one answer to all examples
        gets ("others"), or nearly all examples of each class get one answer, which is another label
        for most of them and not the same for all ("classes"); else empty."""
        labels, classes = self._train.labels, len(self._classes)
        right, loss = result.metrics["accuracy/train"], _value(result.metrics["loss/train"])
        if not (math.isfinite(loss) and loss > max(self._first_loss, math.log(classes))):
            return ""
        least = int(torch.bincount(labels, minlength=classes).min()) / len(labels)
        high = right.interval[1] if isinstance(right, Estimate) else 1.0
        if high < least:
            return "others"
        answers = result.evaluation.on("train").predicted
        table = torch.zeros(classes, int(answers.max()) + 1 + classes)
        table.index_put_((labels, answers), torch.ones(len(labels)), accumulate=True)
        usual, answer = table.max(dim=1)
        several = len(set(answer[usual > 0].tolist())) > 1
        steady = float(usual.sum()) >= STEADY * len(labels)
        return "classes" if high < 0.5 and several and steady else ""

    def _smallest_right(self, result: SuiteResult) -> SmallestRight | None:
        """What shows that the loop has made the smallest output the right one; None: nothing."""
        train = result.evaluation.on("train")
        if self._outputs.kind != "logits":
            return None
        return smallest_right(train.logits, train.labels, before=self._first_smallest)

    def _other_threshold(self, result: SuiteResult) -> Threshold | None:
        """The threshold that the loop seems to take for the one output of a binary classifier, if
        that is not 0."""
        scores = {name: result.evaluation.on(name).logits for name in ("train", "test")}
        one = scores["train"].shape[1] == 2 and not bool(scores["train"][:, 0].any())
        trained = self._weights is not None and self._weights.changed and self._step >= SETTLED
        if not one or not trained or self._outputs.kind != "logits" or self._rescaled:
            return None
        every = torch.cat([each[:, 1] for each in scores.values()])
        sided = not bool((every < 0).any()) or not bool((every > 0).any())
        if sided:
            network, few = unwrapped(self._model), torch.arange(min(2, len(self._test)))
            operation = self._outputs.last_operation(
                network, moved_to(network, self._test.inputs(few))
            )
            sided = bool(operation) and operation not in UNBOUNDED
        return other_threshold(scores["train"][:, 1], self._train.labels, one_sided=sided)

    @property
    def _frequent(self) -> float:
        """The share of the most frequent class among the test examples."""
        counts = torch.bincount(self._test.labels)
        return float(counts.max()) / len(self._test)

    def _setting(self, step: int) -> Setting:
        """What the verdict must know beside the metrics."""
        train, config = self._train, self._settings.config
        return Setting(
            num_train=train.source.count,
            measured_train=len(train) if train.is_sample else None,
            num_test=len(self._test),
            num_classes=len(self._classes),
            frequent=self._frequent,
            label_noise=config.data.label_noise,
            label_noise_kind="flip",
            steps=step,
            width=None,
            shared=self._shared,
            broken=self._train.broken + self._test.broken,
            rescaled=self._rescaled,
            redrawn=self._redrawn,
            relabeled=self._relabeled,
            smallest=self._smallest,
            threshold=self._threshold.code if self._threshold is not None else "",
            untouched=self._calls > 0 and self._weights is not None and not self._weights.changed,
            changes=tuple(self._change),
            flags=False,
            noun=self._noun,
        )

    def _asked(self, network: nn.Module, count: int, change: Change | None = None) -> Tensor:
        """The network's logits (N, C) on the first `count` test examples."""
        reader = Reader(network, self._test.inputs, forward=self._outputs, change=change)
        with self._undisturbed():
            return predict(reader, torch.arange(min(count, len(self._test))), to_input=torch.clone)


def _rank() -> int:
    """This process's number among those of a distributed program; 0 alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    return 0


def _processes() -> int:
    """How many processes a distributed program has; 1 alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_world_size()
    return 1


def _wait_for(device: torch.device) -> None:
    """Wait for what the loop has asked of a GPU, which is not our time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _near(folder: Path | None) -> Path | None:
    """A folder as it is named from here, if it is below."""
    with suppress(OSError, ValueError, AttributeError):
        return folder.relative_to(Path.cwd())  # type: ignore[union-attr]
    return folder


def _range(numbers: Tensor) -> str:
    """From the least to the largest, in words."""
    return f"from {numbers.min().item():.4g} to {numbers.max().item():.4g}"


def _value(metric: Estimate | float) -> float:
    return metric.value if isinstance(metric, Estimate) else metric


def _plain_values(column: Any) -> Any:
    return column.tolist() if hasattr(column, "tolist") else column


def _listed(names: Sequence[str]) -> str:
    return plain(", ".join(map(str, names[:5])) + (", …" if len(names) > 5 else ""))
