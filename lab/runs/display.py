"""What a run says in the terminal: what it does, how far it is, and its verdict."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from lab.core.config import RunConfig
from lab.core.estimate import Estimate
from lab.core.lines import Lines
from lab.core.program import from_here, quoted
from lab.core.text import escape
from lab.core.words import (
    chance,
    counted,
    in_steps,
    of_class,
    percent,
    percents,
    share,
    singular,
    those,
)
from lab.tracking.board import HOST, PORT
from lab.tracking.links import deep_links
from lab.worlds.groups import MeasuredCue

GROUPS = 8
"""Groups that are listed one by one, at most."""

KINDS = 24
"""Classes or subpopulations that are listed one by one, at most."""

PLAIN = "erm"
"""The objective that does not know of groups."""


class Display:
    """`lines` on standard output; on a terminal also a progress bar, on standard error."""

    def __init__(self, config: RunConfig, folder: Path, noun: str) -> None:
        self.lines = Lines()
        self.live = bool(sys.stderr and sys.stderr.isatty())
        self._config = config
        self._folder = folder
        self._noun = noun
        self._bar: tqdm[None] | None = None
        self._accuracy: dict[str, str] = {}
        self._mislabeled = False

    def drawing(self, device: str, parameters: str) -> None:
        """Say what is about to be done; `parameters` are the network's in words."""
        data, model, train = self._config.data, self._config.model, self._config.train
        verb, noun = "drawing" if data.data is None else "reading", self._noun
        what = f"{data.num_train:,} + {data.num_test:,} {noun}"
        if self._config.validation_faces:
            what = (
                f"{data.num_train:,} training, {self._config.validation_faces:,} validation and"
                f" {data.num_test:,} test {noun}"
            )
        least = "at most " if self._config.loss_bound else ""
        batch = ""
        if train.online:
            batch = f", each with new {noun}"
        elif train.batch_size >= data.num_train:
            batch = f", each with all {data.num_train:,} training {noun}"
        self.lines.say(
            f"{escape(self._folder)}: {verb} {what} of {data.image_size} px, then"
            f" {least}{in_steps(train.max_steps)} of {model.model} ({parameters})"
            f" on {device}{batch}"
        )

    def groups(self, groups: Sequence[tuple[str, str, int, int]], mislabeled: int) -> None:
        """Say what the training set is."""
        self._mislabeled = mislabeled > 0
        counts = ", ".join(
            of_class(train, kind) + (f" ({label})" if label != kind else "")
            for kind, label, train, _ in groups
        )
        if len(groups) > KINDS:
            numbers = sorted(train for *_, train, _ in groups)
            each = " to ".join(f"{number:,}" for number in sorted({numbers[0], numbers[-1]}))
            counts = f"{each} of each of {len(groups):,} classes"
            counts += " (TensorBoard's text 'groups' lists them)"
        wrong = f"; {those(mislabeled, 'has', 'have')} a wrong label" if mislabeled else ""
        first = "first " if self._config.train.online else ""
        self.lines.say(f"{first}training {self._noun}: {counts}{wrong}")

    def note(self, sentence: str) -> None:
        """Say something about the pictures that is no fault; nothing if it is empty."""
        if sentence:
            self.lines.say(sentence)

    def columns(self, found: Mapping[str, tuple[Estimate, Estimate]]) -> None:
        """Say how much each column that forms groups tells about the class, and how much by
        chance."""
        for name, (told, by_chance) in found.items():
            what = f"column: {name} alone tells the class of {share(told, first=True)} of the"
            usual = f"{percent(by_chance.value)} ({percents(by_chance)})"
            if told.value <= by_chance.interval[1]:
                self.lines.say(
                    f"{what} training {self._noun}, no more than a column would that has nothing to"
                    f" do with the class: {usual}"
                )
            else:
                self.lines.say(
                    f"{what} training {self._noun} (one that has nothing to do with it: {usual})"
                )

    def cues(self, found: Sequence[MeasuredCue], groups: Mapping[str, int]) -> None:
        """Say how strong each cue is in the training set, and how many examples each group has, by
        their true labels; where some are wrong, that it is by these."""
        label = "true label" if self._mislabeled else "label"
        for each in found:
            cue, shown = each.cue, each.shown
            words = " / ".join(reversed(cue.words))
            what = f"{shown.count:,} training {self._noun}"
            self.lines.say(
                f"cue: {cue.attribute} ({words}) agrees with the {label} on"
                f" {share(each.strength, first=True)} of the {self._noun} that show it, which are"
                f" {counted(shown, what)} ({100 * cue.strength:g} % asked for; without a link it"
                f" would be {chance(len(cue.options))})"
            )
        self._groups(groups, " by true label" if self._mislabeled else "")

    def given_groups(self, groups: Mapping[str, int]) -> None:
        """Say how many examples each group has by their given labels, where the objective may go by
        them."""
        if self._config.train.objective != PLAIN:
            self._groups(groups, " by given label, as the objective gets them")

    def _groups(self, groups: Mapping[str, int], by: str) -> None:
        """Say how many examples each group has."""
        if len(groups) > GROUPS:
            known = [count for count in groups.values() if count]
            none = len(groups) - len(known)
            without = f", and {those(none, 'possible one has', 'possible ones have')} none"
            self.lines.say(
                f"training groups{by}: {len(known):,}, of {min(known):,} to {max(known):,}"
                f" {self._noun}{without if none else ''} (TensorBoard's text 'groups' lists them)"
            )
        elif groups:
            counts = ", ".join(f"{count:,} {name}" for name, count in groups.items())
            self.lines.say(f"training groups{by}: {counts}")

    def warn(self, warnings: Sequence[str]) -> None:
        """Say what is suspicious about the pictures or the network."""
        if self._bar is not None:
            self._bar.clear()
        for warning in warnings:
            self.lines.say(f"warning: {warning}")

    def begin(self, step: int, batch_size: int) -> None:
        """Show the bar, beginning at `step`."""
        if self.live:
            self._bar = tqdm(
                total=self._config.train.max_steps,
                initial=step,
                unit=f" {self._noun}",
                unit_scale=batch_size,
                dynamic_ncols=True,
            )

    def step(self, step: int, loss: float) -> None:
        """Move the bar; `loss` is the last batch's."""
        if self._bar is not None:
            self._bar.set_postfix({"loss": f"{loss:.3f}", **self._accuracy}, refresh=False)
            self._bar.update(step - self._bar.n)

    def evaluated(self, metrics: Mapping[str, Estimate | float]) -> None:
        """Take in the accuracies to be shown from now on."""
        for name in ("train", "test"):
            metric = metrics[f"accuracy/{name}"]
            value = metric.value if isinstance(metric, Estimate) else metric
            self._accuracy[name] = f"{100 * value:.1f}%"

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def fitted(self, step: int) -> None:
        """Say that training ended because the training loss reached its bound."""
        self.lines.say(
            f"ended after {in_steps(step)}: the mean loss on the training {self._noun} was at most"
            f" {self._config.loss_bound:g} at two evaluations in a row"
        )

    def chosen(self, step: int, weights_of: int) -> None:
        """Say which weights early stopping kept."""
        steps = in_steps(step)
        self.lines.say(
            f"ended after {steps}; kept the weights of step {weights_of:,}, where the loss"
            f" on the validation {self._noun} was lowest"
        )

    def verdict(self, text: str, seconds: Mapping[str, float]) -> None:
        """Say how it came out, what the time went into, and how to look at it."""
        width = min(shutil.get_terminal_size().columns, 100)
        spent = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        board = f"{from_here('board')} --logdir {quoted(self._folder.parent)}"
        self.lines.say(f"seconds: {spent}")
        lines = [textwrap.fill(line, width, break_on_hyphens=False) for line in text.splitlines()]
        self.lines.say("\n" + "\n".join(lines) + "\n")
        link = deep_links(f"http://{HOST}:{PORT}/", run=self._folder.name)[0].url
        self.lines.say(f"Look at it in TensorBoard: {board}\nthen open {link}")

    def example_scores(self, file: Path, left_out: Mapping[str, str]) -> None:
        """Say where the scores of the training examples are, and which are `left_out`, by heading
        with the reason."""
        self.lines.say(
            f"\n{escape(file)} says how hard each training {singular(self._noun)} was to learn"
        )
        for heading, why in left_out.items():
            self.lines.say(f"left out: {heading}, because {why}")
