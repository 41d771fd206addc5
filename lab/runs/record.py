"""`Record`: what rank 0 does of a run beside training: measure it, show it, write it down.

All calls of the evaluators, of TensorBoard's writer and of the terminal's display are here.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lab.core.atomic import replace_text
from lab.core.config import RunConfig, to_json
from lab.core.errors import Interrupted
from lab.core.estimate import Estimate
from lab.core.finite import NOT_FINITE, ONE_COLOR, not_finite
from lab.core.metrics import OWN, limits
from lab.core.run_dir import METRICS, SUMMARY
from lab.core.words import in_steps, percent
from lab.evaluators import DataSummary, EvaluatorSuite, SuiteResult, log_graph
from lab.measure.better_threshold import SETTLED, BetterThreshold, better_threshold
from lab.measure.example_scores import ScoreCollector, by_heading
from lab.measure.exchanged import exchanged_classes
from lab.measure.known_before import KNOWN_BEFORE, known_at_first, known_before
from lab.measure.smallest_right import SmallestRight, smallest_right
from lab.measure.training_mode import better_in_training_mode
from lab.measure.unmet import unmet_answers
from lab.models import are_probabilities, parameters_told
from lab.runs.checkpoints import reopening_warning
from lab.runs.display import Display
from lab.runs.example_scores import to_csv
from lab.runs.folder import OpenedRun
from lab.runs.progress import progress_bar
from lab.runs.provenance import digest_of_provenance
from lab.runs.recorder import Recorder
from lab.runs.resolve import command
from lab.runs.verdict_setting import verdict_setting
from lab.tracking import hparams, views
from lab.tracking.writer import Tracker
from lab.training import (
    Fitted,
    Metrics,
    Processes,
    Snapshots,
    Trial,
    Unkept,
    describe,
    evaluation_steps,
    objective_file,
    sample_answers,
)
from lab.verdict import verdict
from lab.worlds import DrawnWorld, Examples, StoredWorld, World, audit
from lab.worlds.copies import copies_between
from lab.worlds.counterfactuals import fewer_counterfactuals
from lab.worlds.doubts import doubts_of_pictures, opposite_sets


@dataclass(frozen=True, kw_only=True)
class Result:
    """The end of a run: its folder, its final metrics and its verdict."""

    folder: Path
    metrics: Metrics
    verdict: str


def _unclear(values: Mapping[str, float]) -> set[str]:
    """Of metrics by tag, those of the user's that are not finite or not within the limits that they
    were declared with, and `NOT_FINITE` if some logits are not finite."""
    found = {tag for tag, value in values.items() if OWN.fits(tag) and not _possible(tag, value)}
    return found | ({NOT_FINITE} if any(tag.startswith(NOT_FINITE) for tag in values) else set())


def _possible(tag: str, value: float) -> bool:
    """Whether a metric's value is finite and within its limits, but for rounding."""
    low, high = limits(tag)
    slack = 1e-5 * max(1.0, abs(value))
    return math.isfinite(value) and low - slack <= value <= high + slack


class Record:
    """The record of one run in this process, from its training set to its verdict.

    `started_at` is when the program was started, on `time.perf_counter`'s clock; `trial` is its dry
    run.
    """

    def __init__(
        self,
        opened: OpenedRun,
        model: nn.Module,
        *,
        started_at: float,
        trial: Trial,
    ) -> None:
        self._opened, self._model = opened, model
        self._warnings, self._unkept = trial.warnings, trial.unkept
        checkpoint = opened.checkpoint
        if checkpoint is not None:
            self._unkept = Unkept.of(checkpoint.progress.get("unkept"))
            if self._unkept and checkpoint.step:
                config = opened.run.config
                names = config.model.model, config.train.objective
                self._warnings += self._unkept.lost_at(checkpoint.step, *names)
        self._run, self._folder = opened.run, opened.folder
        self._display = Display(opened.run.config, opened.folder.path, opened.run.world.noun)
        self._recorder = Recorder(
            opened.folder,
            settings=lambda: json.loads(to_json(self._run.config, self._opened.provenance)),
            pictures=self._run.config.pictures,
        )
        self._seconds = {"starting": time.perf_counter() - started_at}
        self._mark = time.perf_counter()
        self._collector: ScoreCollector | None = None
        self._reached = max(self._evaluated, 0)
        figures = opened.checkpoint.progress.get("figures", {}) if opened.checkpoint else {}
        known = {tag: f["value"] if isinstance(f, dict) else f for tag, f in figures.items()}
        self._warned = _unclear(known)

    def announce(self, processes: Processes) -> None:
        """Say what is about to be done."""
        count = "" if processes.single else f" by {processes.count} processes"
        self._display.drawing(f"{describe(self._run.device)}{count}", parameters_told(self._model))

    def examine(self, train: Examples) -> None:
        """Load the test set, prepare the evaluators, and say what is suspicious."""
        config, world, display = self._run.config, self._run.world, self._display
        test = world.load("test", config.data.num_test)
        self._train, self._test_labels = train, test.labels
        self._summary = summary = DataSummary.of(world, train, test)
        self._suite = suite = EvaluatorSuite.of_run(
            train, test, world, config, self._run.own_metrics
        )
        if config.scores:
            self._collector = ScoreCollector(
                train.images, train.labels, batch_size=config.train.batch_size, seed=config.seed
            )
        display.groups(summary.subpopulations, summary.mislabeled)
        self._copies, self._opposite = None, None
        if isinstance(world, StoredWorld):
            self._opposite = opposite_sets(train, test)
            with progress_bar() as progress:
                self._copies = copies_between(world, train, test, progress=progress)
                told = doubts_of_pictures(world, train, test, copies=self._copies)
            stops = config.train.early_stopping is not None
            validation = world.validation_doubts(config.validation_faces, stops=stops)
            display.note(world.unmarked())
        else:
            told, validation = world.doubts(), []
            if isinstance(world, DrawnWorld):
                told += audit.warnings(world, train, test)
        self._add_time("drawing")
        display.warn([*told, *self._run.notes, *validation])
        if isinstance(world, DrawnWorld):
            display.warn(fewer_counterfactuals(config.counterfactuals, world))
        display.warn(_augmentation_doubts(config, world))
        display.columns(summary.columns)
        display.cues(summary.cues, summary.groups)
        display.warn(self._warnings)
        display.given_groups(summary.given_groups)
        if self._evaluated < 0:
            display.warn(suite.doubts(self._model))

    @contextmanager
    def writing(self) -> Iterator[Mapping[str, Any]]:
        """Write down the training inside; yields the arguments of `fit` that do so."""
        opened, run, config = self._opened, self._run, self._run.config
        checkpoint = opened.checkpoint
        with (
            closing(self._display),
            Tracker(
                self._folder.path,
                start_step=self._evaluated + 1,
                interruptions=(Interrupted,),
                relevant=run.world.relevant,
                nuisances=run.world.nuisances,
                cues=[cue.attribute for cue in run.world.cues],
            ) as self._tracker,
        ):
            self._recorder.tracker = self._tracker
            if self._evaluated < 0:
                self._introduce()
            self._display.begin(checkpoint.step if checkpoint else 0, config.train.batch_size)
            steps = evaluation_steps(config.train.max_steps, config.train.eval_every)
            self._pictured = views.picture_steps(steps)
            self._add_time("logging")
            provenance = digest_of_provenance(opened.provenance, config)
            yield {
                "evaluators": [self._suite],
                "log": self._log,
                "show": self._show,
                "progress": self._display.step if self._display.live else None,
                "checkpoints": self._folder.checkpoints,
                "checkpoint_every": config.checkpoint_every,
                "snapshots": Snapshots.within(
                    config.snapshots,
                    self._model,
                    self._folder.snapshots,
                    steps=config.train.max_steps,
                    provenance=provenance,
                ),
                "loss_bound": config.loss_bound,
                "provenance": provenance,
                "sample": partial(sample_answers, spec=run.spec),
                "collector": self._collector,
                "unkept": self._unkept,
            }

    def conclude(self, fitted: Fitted) -> None:
        """Measure the finished network and judge it, while TensorBoard's writer is open."""
        self._mark = time.perf_counter()
        run, tracker, suite, step = self._run, self._tracker, self._suite, fitted.step
        self._fitted = fitted
        last = next((r for r in fitted.results if isinstance(r, SuiteResult)), None)
        last = last or suite(self._model)  # a resumed run may have nothing left to evaluate
        evaluations = self._evaluations()
        self._before = known_at_first(evaluations, self._test_labels)
        setting = verdict_setting(
            run, self._train, steps=step, weights_of=fitted.weights_of, fitted=fitted.fitted,
            first_not_finite=fitted.first_not_finite, copies=self._copies,
            smallest=self._smallest_right(last, step), probabilities=_probabilities(last),
            ranked=_ranked(last, step),
            exchanged=exchanged_classes(last.evaluation.on("train"), last.evaluation.on("test")),
            unmet=unmet_answers(last.evaluation.on("train"), last.evaluation.on("test")),
            met_classes=len(torch.unique(self._test_labels)), opposite=self._opposite,
            before=self._before, in_training=self._in_training(last), evaluations=evaluations,
        )  # fmt: skip

        def judge(estimates: Mapping[str, Estimate]) -> str:
            try:
                return verdict(estimates, setting)
            except KeyError as error:
                raise ValueError(
                    f"{self._folder}: its checkpoint lacks {error}, train anew"
                ) from None

        self._metrics, text = self._recorder.conclude(
            suite, last, step, metrics=fitted.metrics, judge=judge
        )
        if self._opened.provenance.sources:
            warning = reopening_warning(run.config, run.spec, self._folder)
            text = "\n".join(filter(None, [text, warning]))
        self._verdict = text
        other = fitted.weights_of != step  # the kept network is shown a step after, as its metrics
        if run.config.pictures and (fitted.stopped_early or other):
            last.show_pictures(tracker, step + other)
        if self._collector is not None:
            scores = self._collector.finish(self._model)
            table = to_csv(run.world, self._train, scores)
            replace_text(self._folder.example_scores_file, table)
        self._recorder.finish(step, text)

    def _in_training(self, last: SuiteResult) -> Estimate | None:
        """What is right in training mode, where that is far more than in eval mode."""
        right, config = last.metrics["accuracy/train"], self._run.config.train
        if not isinstance(right, Estimate):
            return None
        train = self._train
        return better_in_training_mode(
            self._model, train.images, train.labels, right, batch=config.batch_size
        )

    def close(self) -> Result:
        """Write `summary.json` and say how the run came out, after its writer is closed."""
        self._add_time("logging")
        fitted, seconds = self._fitted, self._seconds
        for phase, spent in fitted.seconds.items():
            seconds[phase] = seconds.get(phase, 0.0) + spent
        order = ("starting", "drawing", *fitted.seconds)
        seconds = {phase: seconds[phase] for phase in dict.fromkeys(order)}
        timed = {f"seconds/{phase}": spent for phase, spent in seconds.items()}
        known = {} if self._before is None else {KNOWN_BEFORE: self._before}
        metrics = {**self._metrics, **known, **timed}
        self._recorder.summarize(
            "finished", fitted.step, self._verdict, metrics, weights_of=fitted.weights_of
        )
        if fitted.fitted:
            self._display.fitted(fitted.step)
        if self._run.config.train.early_stopping:
            self._display.chosen(fitted.step, fitted.weights_of)
        self._display.verdict(self._verdict, seconds)
        if self._collector is not None:
            self._display.example_scores(
                self._folder.example_scores_file, by_heading(self._collector.left_out)
            )
        return Result(folder=self._folder.path, metrics=self._metrics, verdict=self._verdict)

    @contextmanager
    def last_word(self) -> Iterator[None]:
        """Note in `summary.json` why the run inside has not come to its end, if the disk lets us;
        Ctrl-C becomes `Interrupted`."""
        checkpoint = self._opened.checkpoint
        try:
            with self._recorder.failure_noted(lambda error: getattr(error, "step", self._reached)):
                yield
        except (Interrupted, KeyboardInterrupt) as error:
            if not isinstance(error, Interrupted):
                error = Interrupted(signal.SIGINT, checkpoint.step if checkpoint else 0)
            again = command(self._run.config.world_size, self._folder.path)
            error.go_on = f"go on with: {again}"
            with suppress(OSError):
                self._recorder.summarize("stopped", error.step, f"It was {error}.")
            raise error from None

    @property
    def unsaid(self) -> OSError | None:
        """Why some of the run's lines could not be written to standard output; None: all were."""
        return self._display.lines.lost

    @property
    def _evaluated(self) -> int:
        """The last step whose evaluation the checkpoint remembers; -1: none."""
        checkpoint = self._opened.checkpoint
        return checkpoint.progress["evaluated"] if checkpoint else -1

    def _introduce(self) -> None:
        """Log the settings and all else that a new run begins with."""
        config = self._run.config
        self._recorder.introduce(
            self._summary,
            hparams.settings(config, code=self._opened.provenance.code),
            device=self._run.device,
            threads=config.threads,
        )
        if config.pictures:
            log_graph(self._tracker, self._model, self._train.images[:2])

    def _smallest_right(self, last: SuiteResult, step: int) -> SmallestRight | None:
        """What shows that an objective of the user's has made the smallest output the right one;
        None: nothing does. (Before any training that was so of the examples that were wrong, at
        most.)"""
        if objective_file(self._run.config.train.objective) is None or not step:
            return None
        train = last.evaluation.on("train")
        evaluations = self._evaluations()
        right = evaluations[0].get("accuracy/train") if evaluations else None
        if train.logits.shape[1] > 2:
            return smallest_right(train.logits, train.labels, before=0)
        before = 1 if right is None else 1 - right
        return smallest_right(train.logits, train.labels, before=before)

    def _evaluations(self) -> list[dict[str, Any]]:
        """The evaluations so far; none if their file is damaged or gone."""
        with suppress(ValueError):
            return self._folder.metrics()
        return []

    def _log(self, step: int, metrics: Metrics) -> None:
        """Log an evaluation's metrics."""
        self._reached = step
        self._tracker.scalars(step, metrics)
        self._display.evaluated(metrics)
        self._warn_of_unclear(step, metrics)
        if step == 0:
            self._warn_of_known(metrics)

    def _warn_of_unclear(self, step: int, metrics: Metrics) -> None:
        """Say of the first evaluation that has them that logits, or what a metric of the user's
        returns, are not finite, or that the latter is not within its limits."""
        values = {tag: m.value if isinstance(m, Estimate) else m for tag, m in metrics.items()}
        new = _unclear(values) - self._warned
        self._warned |= new
        when = f"after {in_steps(step)}" if step else "even before any training"
        warnings = []
        if NOT_FINITE in new:
            told = not_finite(metrics, self._run.world.noun)
            warnings.append(f"for {told} a logit is not finite, {when}: {ONE_COLOR}")
        for tag in sorted(new - {NOT_FINITE}):
            why = f"{METRICS} and {SUMMARY} have null in its place"
            if math.isfinite(values[tag]):
                low, high = limits(tag)
                why = (
                    f"it is declared with low={low:g} and high={high:g}, and means and pictures of"
                    " several runs end there"
                )
            warnings.append(f"your metric {tag} is {values[tag]:g}, {when}: {why} (told once)")
        self._display.warn(warnings)

    def _warn_of_known(self, metrics: Metrics) -> None:
        """Say of the evaluation before training that the network knows the test examples."""
        right, noun = known_before(metrics, self._test_labels), self._run.world.noun
        if right is None:
            return
        name, share = self._run.config.model.model, percent(right.value)
        warning = (
            f"--model {name}: before any training it gets {share} of the test {noun} right: if its"
            " weights come from an earlier training, it may have studied some of them, and what is"
            " said of the test set is too good"
        )
        self._display.warn([warning])

    def _show(self, step: int, results: Sequence[Any]) -> None:
        """Log what is shown of an evaluation's results; at a few of them pictures, too."""
        self._recorder.show_distributions(step, results)
        if step in self._pictured:
            self._recorder.show_pictures(step, results)

    def _add_time(self, phase: str) -> None:
        """Count the seconds since the last call as those of `phase`."""
        now = time.perf_counter()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._mark
        self._mark = now


def _augmentation_doubts(config: RunConfig, world: World) -> list[str]:
    """A sentence if augmentation changes what the labels of a drawn task are about."""
    if not config.train.augment or not isinstance(world, DrawnWorld):
        return []
    said = []
    for name in world.relevant:
        if name.endswith("color"):
            said.append(f"recolors pictures at random, and {world.task.name} is about {name}")
        if {"left", "right"} <= set(map(str, world.domain.attribute(name).values)):
            said.append(f"mirrors pictures at random, and {world.task.name} is about {name}")
    return [f"--augment {each}: some labels no longer are what the pictures show." for each in said]


def _ranked(last: SuiteResult, step: int) -> BetterThreshold | None:
    """A threshold by which the network tells two classes far better apart, if it is settled."""
    if step < SETTLED:
        return None
    return better_threshold(last.evaluation.on("train"), last.evaluation.on("test"))


def _probabilities(last: SuiteResult) -> bool:
    """Whether the network's outputs are probabilities, in place of logits."""
    return are_probabilities(last.evaluation.on("test").logits)
