"""`Watcher`: measures a network while somebody else's loop trains it, and leaves no other trace."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.core.config import Provenance
from lab.core.estimate import Estimate
from lab.core.paths import at_home
from lab.core.run_dir import RunDir, Status
from lab.core.text import escape, in_tag, only_apart, plain, unknown
from lab.core.words import in_steps, percent
from lab.evaluators import DataSummary, EvaluatorSuite, Setup, SuiteResult
from lab.measure.better_threshold import SETTLED
from lab.measure.consistency import SAMPLE
from lab.measure.known_before import KNOWN_BEFORE
from lab.models import device_of, parameters_told
from lab.runs.display import Display
from lab.runs.recorder import Recorder
from lab.tracking.writer import Tracker
from lab.training import describe
from lab.verdict import Setting, peak_of, verdict
from lab.watching.asking import Asking
from lab.watching.budget import STARTING, Budget
from lab.watching.course import Course
from lab.watching.ending import AtFirst, Ending, unseen_in
from lab.watching.given import read_sets
from lab.watching.looking import WAITED, Looking
from lab.watching.network import (
    Change,
    is_compiled,
    is_unready,
    refuse_sharded,
    undisturbed,
    unwrapped,
)
from lab.watching.outputs import Forward, Outputs
from lab.watching.settings import AGAIN, WatchedSettings, new_folder
from lab.watching.verdict_setting import setting_of
from lab.watching.weights import has_statistics
from lab.watching.world import WatchedSplit, WatchedWorld, examples_of

CHANGED = 500
"""Test examples on which interventions are measured, at most."""

ASKED_AGAIN = 32
"""Test examples that the final model is asked about once more, and each alone; `SAMPLE` where a
batch pads them, so that its answers may depend on it."""

PICTURED = (7, 31)
"""Measurements, counted from 0, that show pictures, as the last one does."""

FEW = 8
"""Measurements below which it is said how to get more."""


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
        clusters: tuple[Sequence[Any], Sequence[Any]] | None = None,
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
        self._given = (train, test)
        self._about = {
            "clean": clean, "clean_labels": clean_labels, "classes": classes, "clusters": clusters
        }  # fmt: skip
        self._columns = dict(groups or {})
        self._out = None if out is None else at_home(out).absolute()  # wherever the loop changes to
        self._again = again
        only_apart("change", map(str, change or {}))
        self._change = {in_tag(name): function for name, function in (change or {}).items()}
        self._outputs, self._as_they_are = Outputs(forward, outputs), forward is None
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
        self._taken = 0.0
        self._first: AtFirst | None = None
        self._ending, self._course = Ending(), Course()

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
        if self._calls == 1 and self._first is not None and self._first.told:
            self.warn(self._first.told)  # a network that is only measured may well be trained
        if step is None:
            self._step += 1
        else:
            made = int(step) + 1 + self._offset
            if made <= self._step:
                self._offset = self._step - int(step)
                made = self._step + 1
            self._step = made
        self._looking.at_step(self._asking.network, self._step)
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
            numbers = self._read()
            self._begin()
            network = self._asking.network
            if not is_unready(network):
                self._looking.begin(network, None if is_compiled(self._model) else numbers)
        if self._looking.weights is not None:
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
        self._looking.end()
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

    def _read(self) -> Tensor | None:
        """Read what was given, and refuse what cannot work; returns the numbers that the network
        gets when it is measured, None where they are unknown."""
        sets = self._sets = read_sets(
            *self._given, **self._about, most=self._most, as_they_are=self._as_they_are
        )
        asking = self._asking = Asking(
            self._model, sets, self._outputs, as_they_are=self._as_they_are
        )
        self._looking = Looking(sets)
        count, said = asking.classes_told(self._change)
        unready = is_unready(asking.network)
        numbers = None if unready else asking.numbers()
        self._classes, doubts = sets.named(count, single=asking.single)
        self._warnings = [*sets.doubts, *([said] if said else []), *doubts]
        if numbers is None and not unready and asking.is_past_the_model:
            self._warnings.append(
                "forward= does not call the model itself, so that what the loop feeds it is neither"
                " compared with what is measured nor searched for examples of test"
            )
        self._examples = {
            "train": examples_of(sets.train, sets.truth, self._classes),
            "test": examples_of(sets.test, sets.test.labels, self._classes),
        }
        self._groups = sets.grouped(self._columns, self._classes)
        return numbers

    def _begin(self) -> None:
        """Make the folder and all that writes into it."""
        network = self._asking.network
        train, test = self._sets.train, self._sets.test
        noun = "pictures" if train.thumbnails is not None else "examples"
        self._noun = noun
        wrong = float(self._examples["train"].mislabeled.double().mean())
        name = type(network).__name__
        settings = self._settings = WatchedSettings(
            network=name,
            source=self._sets.whole.name,
            num_train=train.source.count,
            num_test=test.source.count,
            label_noise=wrong,
            told=self._told,
            pictures=self._wants_pictures and noun == "pictures",
        )
        folder = new_folder(self._out, name, train.source.count, again=self._again)
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
        splits = {
            "train": WatchedSplit(
                "train",
                self._examples["train"],
                train,
                forward=self._outputs,
                shown=self._looking.shown,
                copies=self._sets.copies[0],
                clusters=self._sets.clusters_of("train"),
            ),
            "test": WatchedSplit(
                "test",
                self._examples["test"],
                test,
                forward=self._outputs,
                groups=self._groups,
                shown=self._looking.tested,
                copies=self._sets.copies[1],
                clusters=self._sets.clusters_of("test"),
            ),
        }
        changes = {
            name: WatchedSplit(
                "test", self._examples["test"], test, forward=self._outputs, change=function,
                count=CHANGED, copies=self._sets.copies[1],
                clusters=self._sets.clusters_of("test"),
            )
            for name, function in self._change.items()
        }  # fmt: skip
        self._suite = EvaluatorSuite(
            Setup(
                world=world, splits=splits, pictures=settings.config.pictures,
                asked_again=ASKED_AGAIN if test.batch is None else SAMPLE,
                grouped=self._groups is not None, changes=changes,
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
        told, train, test = [], self._sets.train, self._sets.test
        for chosen, what in ((train, "training"), (test, "test")):
            part = f"{chosen.source.count:,}"
            if chosen.is_sample:
                part = f"{len(chosen):,} of {part}"
            told.append(f"{part} {what}")
        sampled = " (fixed random samples)" if train.is_sample or test.is_sample else ""
        parameters = "" if is_unready(network) else f" ({parameters_told(network)})"
        print(
            f"{escape(_near(self.folder))}: watching {name}{parameters} on"
            f" {describe(device_of(network))} with {told[0]} and {told[1]} {self._noun}{sampled},"
            f" {len(self._classes)} classes",
            flush=True,
        )
        self._display.warn(self._warnings)

    def _measured(self, step: int, *, log: bool, pictured: bool) -> SuiteResult:
        """Measure after `step`, and `log` it, unless these figures are logged already; `pictured`:
        with pictures."""
        refuse_sharded(self._model)
        network, last = self._asking.network, self._opened is None
        _wait_for(device_of(network))
        budget = self._budget
        if self._looking.weights is None:  # it had lazy layers
            self._asking.choose_item()
        if said := self._asking.settle():  # it had lazy layers
            self.warn(said)
        with budget.measuring(step):
            with budget.spending("measuring"), self._undisturbed():
                self._looking.at_weights(network)
                inputs = self._looking.at_inputs(last=last)
                late = self._step >= WAITED and budget.measured > 0
                examples = self._looking.at_set(last=last)
                tested = self._looking.at_test()
                result = self._suite(network)
                self._course.add(result.evaluation.on("train"))
                self._first = self._first or AtFirst.of(result, steps=self._step)
                # by tensors elsewhere, as with forward=, where statistics alone do not explain it
                elsewhere = not self._as_they_are or self._looking.others_changed
                moved = elsewhere or not has_statistics(network)
                moved = moved and self._first.differs_from(result)
                weights = self._looking.untouched(steps=self._step, late=late, answers_move=moved)
                past = self._looking.past_the_model(late=late)
            for said in (weights, past, inputs, examples, tested):
                if said:
                    self.warn(said)
            with budget.spending("logging"), self._undisturbed():
                self._recorder.show_distributions(step, [result])
                if log and not (self._logged == step and result.metrics == self.metrics):
                    self._recorder.tracker.scalars(step, result.metrics)
                    self._logged = step
        if pictured:
            with budget.spending("logging"), budget.showing(), self._undisturbed():
                self._recorder.show_pictures(step, [result])
        self.metrics = result.metrics
        return result

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
        watched = self._looking.weights
        if not self._calls and watched is not None and watched.look(self._asking.network):
            self.warn(
                "the weights have changed, and the watcher was never called: call it after each"
                " optimizer step"
            )
        batches = self.batches * _processes()
        if said := unseen_in(self._sets.train.source, steps=step, batches=batches):
            self.warn(said)
        # measured in any case: after the last step the weights may have been replaced
        result = self._measured(step, log=self._logged != step, pictured=True)
        looking = self._looking
        with budget.spending("measuring"), self._undisturbed():
            self._ending = Ending.of(
                result,
                self._first if self._calls and not self._course.forgotten() else None,
                logits=self._outputs.kind == "logits",
                unrecognized=looking.is_unrecognized,
                settled=looking.changed and step >= SETTLED and not looking.rescaled,
                bounded=self._asking.is_bounded,
                in_training=self._in_training(result) if looking.changed else None,
            )
        for said in (looking.at_part(), *self._ending.told):
            if said:
                self.warn(said)
        with budget.spending("measuring"), self._undisturbed():
            self.metrics, self.verdict = self._recorder.conclude(
                self._suite, result, step, metrics=result.metrics,
                judge=lambda estimates: verdict(estimates, self._setting(step)),
            )  # fmt: skip
        with budget.spending("logging"):
            self._recorder.finish(step, self.verdict)
        self._summarize("finished", step, self.verdict)

    def _in_training(self, result: SuiteResult) -> Estimate | None:
        """What is right in training mode, where that is far more than in eval mode."""
        right = result.metrics["accuracy/train"]
        if not isinstance(right, Estimate):
            return None
        return self._asking.better_in_training_mode(right)

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
        measured = self._logged if self._logged >= 0 else None
        if measured is not None and measured != step:
            text += f"{'' if text.endswith('.') else '.'} {_last_figures(measured)}"
        self.verdict = text
        if not self._quiet:
            print(text)
        status: Status = "failed" if isinstance(error, Exception) else "stopped"
        with suppress(OSError):  # a full disk must not hide what went wrong before
            self._summarize(status, step, text, weights_of=measured)

    def _summarize(
        self, status: Status, step: int, text: str, *, weights_of: int | None = None
    ) -> None:
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
            right = self._known_before
            known = {} if right is None else {KNOWN_BEFORE: right}
            metrics = {**self.metrics, **known, **timed}
            self._recorder.summarize(status, step, text, metrics, weights_of=weights_of)

    @property
    def _known_before(self) -> Estimate | None:
        """Accuracy on the test set before the loop, where that shows that the network knew it;
        None of one that is only measured: it may well be trained."""
        return self._first.right if self._first is not None and self._calls else None

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
            f"measured {times} in {in_steps(self._calls)}, {percent(taken)} of the time{over}",
            flush=True,
        )
        self._display.verdict(self.verdict, self._seconds)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        with self._looking.paused(), self._asking.undisturbed():
            yield

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note a failure of our own in `summary.json`."""
        with self._recorder.failure_noted(lambda error: self._step, lambda: self.metrics):
            yield

    def _setting(self, step: int) -> Setting:
        """What the verdict must know beside the metrics."""
        evaluations: list[dict[str, Any]] = []
        if self.folder is not None:
            with suppress(ValueError):  # their file is damaged or gone
                evaluations = RunDir(self.folder).metrics()
        return setting_of(
            self._sets, self._looking, self._ending,
            label_noise=self._settings.config.data.label_noise,
            num_classes=len(self._classes),
            steps=step,
            called=self._calls > 0,
            peak=peak_of(evaluations, before=step, classes=len(self._classes)),
            forgotten=self._course.forgotten(),
            before=self._known_before,
            changes=tuple(self._change),
            noun=self._noun,
        )  # fmt: skip


def _last_figures(step: int) -> str:
    """What is said of figures that are older than the end of a loop that did not come to its
    end."""
    when = f"step {step:,}" if step else "the model before the loop (step 0)"
    return f"The figures are those of {when}, which was measured last."


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
