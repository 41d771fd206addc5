"""The table of metrics: every number that a run or an evaluation reports has a row here.

TensorBoard's scalars, their charts and pins, the columns of the HParams table, `metrics.jsonl`,
`summary.json`, CSV files, tables of sweeps, progress lines and the documentation are made from it.
A new metric is its function (`lab/measure`) and its row; a user's own one brings its row along.
Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from lab.core.text import unknown

Better = Literal["up", "down", "zero", "half", ""]
"""What a good value is: high, low, near 0, near 0.5; '': it depends."""

When = Literal["evaluation", "final", "summary", "evaluate"]
"""When a metric is measured: at every evaluation; of the final model; by the run itself, for
`summary.json` alone; by `evaluate` alone."""

Place = Literal["hparams", "table", "progress", "plot", "overview", "cues", "card"]
"""Where a metric is shown unasked: a column of the HParams table, of a sweep's tables, of its
progress; a sweep's plots; the pinned cards of the board's views "overview" and "cues"; a row of
the report card."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table.

    Args:
        name: the tag, metric/where; `<word>` in it stands for any name without a slash.
        meaning: the definition in one phrase.
        unit: what it counts in; `low` and `high` are the range of possible values (None: no bound).
        better: what a good value is.
        interval: whether `<tag>_low` and `<tag>_high` may carry a 95 % interval.
        when: when it is measured.
        clock: whether it is the reading of a clock: it alone differs when a run is repeated.
        heading: a short name for the head of a column; '': the tag.
        label: its line in a table about metrics of its kind; '': the heading.
        charts: TensorBoard's custom-scalar charts that show it, as "Category/title".
        shown: where it is shown unasked.
        chance: its value for a model that guesses: a number, "task" (1 / classes), None: there is
            no such value.
        needs: what it is not measured without: "cues", "counterfactuals", "label noise", …
    """

    name: str
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    better: Better = ""
    interval: bool = True
    when: When = "evaluation"
    clock: bool = False
    heading: str = ""
    label: str = ""
    charts: tuple[str, ...] = ()
    shown: tuple[Place, ...] = ()
    chance: float | Literal["task"] | None = None
    needs: str = ""

    def names(self) -> tuple[str, ...]:
        """The tags that this row stands for: its own, and those of its interval."""
        ends = (f"{self.name}_low", f"{self.name}_high") if self.interval else ()
        return (self.name, *ends)

    def fits(self, tag: str) -> bool:
        """Whether `tag` is one of this row's."""
        return any(re.fullmatch(pattern(name), tag) for name in self.names())

    @property
    def is_scalar(self) -> bool:
        """Whether TensorBoard has it as a scalar."""
        return self.when in ("evaluation", "final")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest possible value; infinite where there is no bound."""
        low, high = self.low, self.high
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def range(self) -> str:
        """The unit and the possible values in words: "share, 0 to 1"."""
        span = "" if self.low is None else f"from {self.low:g}"
        if self.low is not None and self.high is not None:
            span = f"{self.low:g} to {self.high:g}"
        return ", ".join(filter(None, (self.unit, span)))


def _share(name: str, meaning: str, **row: object) -> Metric:
    """A row for a share of examples, 0 to 1."""
    return Metric(name=name, meaning=meaning, unit="share", low=0, high=1, **row)  # type: ignore[arg-type]


def _loss(name: str, meaning: str, **row: object) -> Metric:
    return Metric(name=name, meaning=meaning, unit="nats", low=0, better="down", **row)  # type: ignore[arg-type]


_TRAIN_TEST = "Memorization/accuracy: train against test"
_LOSSES = "Memorization/loss: train against test"
_CHOOSING = "Memorization/validation loss, which chooses the weights"
_CUES = "Cues/accuracy where the cue helps, says nothing, misleads"
_UNSEEN = "Cues/unseen combinations"
_MISLABELED = "Wrong labels/mislabeled examples: fitted, or seen through"
_CALIBRATION = "Calibration/expected calibration error: train against test"

METRICS: tuple[Metric, ...] = (
    _share("accuracy/train", "right predictions (given labels) on the training set, in eval mode",
           better="up", chance="task", heading="train accuracy", charts=(_TRAIN_TEST,),
           shown=("hparams", "table", "progress", "overview")),
    _share("accuracy/test", "right predictions on the test set", better="up", chance="task",
           heading="test accuracy", charts=(_TRAIN_TEST, _CUES, _UNSEEN),
           shown=("hparams", "table", "progress", "plot", "overview", "cues")),
    _share("accuracy/unbiased", "right predictions where the cues say nothing", better="up",
           chance="task", needs="cues", heading="unbiased", label="where the cues say nothing",
           charts=(_CUES,), shown=("hparams", "table", "progress", "plot", "cues")),
    _share("accuracy/conflicting", "right predictions where every cue contradicts its label",
           better="up", chance="task", needs="cues", heading="conflicting",
           label="where every cue contradicts the label", charts=(_CUES,),
           shown=("hparams", "table", "progress", "plot", "cues")),
    _share("accuracy/worst_group", "right predictions of the group that has fewest of them",
           better="up", chance="task", needs="cues or groups of your own", heading="worst group",
           label="worst group", charts=(_CUES,),
           shown=("hparams", "table")),
    _share("accuracy/unseen_combinations", "right predictions on combinations that training never"
           " shows", better="up", chance="task", needs="--unseen-combinations",
           heading="unseen combinations", charts=(_UNSEEN,), shown=("table",)),
    Metric(name="gap/accuracy", meaning="generalization gap: accuracy on train minus on test",
           unit="share", low=-1, high=1, better="zero", heading="gap",
           charts=("Memorization/generalization gap",),
           shown=("hparams", "table", "progress", "plot", "overview")),
    Metric(name="memorization/membership_auc", unit="area", low=0, high=1, better="half",
           meaning="membership inference: how well a loss threshold tells training examples from "
           "unseen ones (area under the ROC curve)", chance=0.5, heading="membership AUC",
           charts=("Memorization/membership AUC (0.5: nobody can tell)",),
           shown=("hparams", "table", "progress", "plot", "overview")),
    _share("memorization/mislabeled_fitted", "mislabeled training examples that are predicted with "
           "their wrong label", better="down", needs="label noise", heading="mislabeled fitted",
           charts=(_MISLABELED,), shown=("hparams", "table")),
    _share("memorization/mislabeled_true_label", "mislabeled training examples that are predicted "
           "with their true label", better="up", needs="label noise",
           heading="mislabeled seen through", charts=(_MISLABELED,)),
    _share("group_accuracy/<group>", "right predictions of one group (class and cue values) where "
           "the cues say nothing", better="up", chance="task", needs="cues or groups of your own"),
    _share("reliance/<attribute>", "predictions that change when this attribute alone is redrawn: "
           "high is right for what the label depends on (where the label changes), near 0 for "
           "every nuisance; of a watched run: after a change of the user's own",
           needs="counterfactuals"),
    Metric(name="logit_change/<attribute>", unit="nats", low=0, needs="counterfactuals",
           meaning="mean absolute change of the prediction's log odds at the same redraws"),
    _share("shortcut/strongest", "the highest reliance on any nuisance", better="down",
           needs="counterfactuals", heading="strongest shortcut", shown=("hparams", "cues")),
    _loss("loss/train", "mean cross-entropy on the training set (given labels), in eval mode",
          heading="train loss", charts=(_LOSSES, _CHOOSING)),
    _loss("loss/test", "mean cross-entropy on the test set", heading="test loss",
          charts=(_LOSSES,), shown=("hparams",)),
    _share("accuracy/validation", "right predictions on the validation set", better="up",
           chance="task", needs="a validation set", heading="validation accuracy"),
    _loss("loss/validation", "mean cross-entropy on the validation set: the best weights and early "
          "stopping go by it, so that its lowest value is too good", needs="a validation set",
          heading="validation loss", charts=(_CHOOSING,)),
    Metric(name="gap/loss", meaning="loss on test minus on train", unit="nats", better="zero",
           heading="loss gap"),
    _share("calibration/ece_train", "expected calibration error on the training set: how far "
           "confidence and accuracy lie apart", better="down", heading="train ECE",
           charts=(_CALIBRATION,)),
    _share("calibration/ece_test", "expected calibration error on the test set", better="down",
           heading="test ECE", charts=(_CALIBRATION,), shown=("hparams", "table", "card")),
    _share("answers/changed_when_repeated", "predictions that change when the same test picture is "
           "given again; 0 for a function of the picture", better="down", when="final"),
    _share("answers/changed_when_alone", "predictions that change when a test picture is given "
           "alone and not in a batch; 0 for a function of the picture", better="down",
           when="final"),
    _share("perturbation/<name>", "predictions on test pictures that change when these are "
           "perturbed: gray, hue, blur, noise, mirror, shift", needs="--data", when="final"),
    _share("occlusion/<patch>", "predictions on test pictures that change when this patch has the "
           "picture's mean color", needs="--data", when="final"),
    _share("subpopulation_accuracy/<kind>", "right predictions on one subpopulation of the test "
           "set", better="up", when="final"),
    _share("necessity/<component>", "of the samples that are predicted as the last class with all "
           "components, those that are not without this one", better="up",
           needs="counterfactuals", when="final"),
    _share("sufficiency/<component>", "of the samples that are not predicted as the last class "
           "without any component, those that are with this one alone", better="down",
           needs="counterfactuals", when="final"),
    Metric(name="shapley/<component>", unit="share", low=-1, high=1, when="final",
           needs="counterfactuals", meaning="Shapley value of the component for the prediction of "
           "the last class"),
    Metric(name="optim/learning_rate", meaning="learning rate of the step before the evaluation",
           low=0, interval=False),
    Metric(name="optim/gradient_norm", low=0, interval=False,
           meaning="length of the whole gradient at the step before the evaluation"),
    Metric(name="speed/images_per_second", unit="examples per second", better="up", clock=True,
           interval=False, low=0,
           meaning="training examples per second since the last evaluation, without it"),
    Metric(name="seconds/<part>", unit="seconds", low=0, interval=False, clock=True,
           when="summary", meaning="seconds that the run spent on one part of its work"),
    _share("robust_accuracy/<stage>", "right predictions in the search for failures: as they are, "
           "in all resamples of the nuisances, after the search", better="up", when="evaluate",
           needs="--find-failures"),
    Metric(name="pictures_shown/<stage>", unit="pictures", low=0, interval=False, when="evaluate",
           needs="--find-failures", meaning="pictures that the search for failures showed"),
)  # fmt: skip
"""The table of the lab's own metrics, in the order of columns and charts."""

OWN = Metric(
    name="own/<name>",
    meaning="a metric of your own (--metric), as its file declares it",
    shown=("table", "card"),
    needs="--metric",
)
"""What is known of a user's metric where its file has not been read."""

_declared: dict[str, Metric] = {}

GOOD: dict[Better, str] = {
    "up": "high", "down": "low", "zero": "near 0", "half": "near 0.5", "": "",
}  # fmt: skip


def all_metrics() -> tuple[Metric, ...]:
    """Every row: the lab's own, those that were declared in this process, and `OWN`."""
    return (*METRICS, *_declared.values(), OWN)


def declare(row: Metric) -> None:
    """Add the row of a user's metric, in place of an earlier one of that name.

    Raises `ValueError` unless it is called own/…, so that it hides none of the lab's.
    """
    if not re.fullmatch(r"own/[A-Za-z0-9_.-]+", row.name):
        raise ValueError(
            f"a metric of your own is called own/NAME, with letters, digits and _ . - in NAME,"
            f" not {row.name!r}"
        )
    _declared[row.name] = row
    _find.cache_clear()


def find(tag: str) -> Metric:
    """The row of a tag (or of an end of its interval); `ValueError` if there is none."""
    row = _find(tag)
    if row is None:
        names = [row.name for row in all_metrics()]
        raise ValueError(f"table of metrics (lab/core/metrics.py): {unknown('metric', tag, names)}")
    return row


def known(tag: str) -> Metric | None:
    """The row of a tag; None: it has none."""
    return _find(tag)


def heading(tag: str) -> str:
    """A metric's short name for the head of a column; the tag itself if it has none."""
    row = _find(tag)
    return (row.heading if row else "") or tag


def label(tag: str) -> str:
    """A metric's line in a table about metrics of its kind."""
    row = _find(tag)
    return (row.label if row else "") or heading(tag)


def limits(tag: str) -> tuple[float, float]:
    """The least and the greatest possible value of a metric; infinite where there is no bound."""
    row = _find(tag)
    return row.limits if row else (-math.inf, math.inf)


def chance_level(tag: str, classes: int) -> float | None:
    """The value of a metric for a model that guesses among so many classes; None: no such value."""
    level = find(tag).chance
    return 1 / classes if level == "task" else level


def shown(place: Place, tags: Iterable[str] | None = None) -> list[str]:
    """The tags, in the table's order, that are shown unasked in a place: among `tags`, or (None)
    all rows that stand for one tag."""
    rows = [row for row in all_metrics() if place in row.shown]
    if tags is None:
        return [row.name for row in rows if "<" not in row.name]
    among = list(tags)
    return [tag for row in rows for tag in among if _find(tag) == row]


def charts() -> dict[str, dict[str, list[str]]]:
    """Category -> chart -> tags, in the table's order."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in all_metrics():
        for chart in row.charts:
            category, _, title = chart.partition("/")
            found.setdefault(category, {}).setdefault(title, []).append(row.name)
    return found


def markdown() -> str:
    """The table for people: a Markdown table with one row for each metric."""
    lines = ["| metric | what it is | unit, range | good | a guess | where |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for row in (*METRICS, OWN):
        name = f"`{row.name}`" + (" ±" if row.interval else "")
        meaning = row.meaning + (f" (with {row.needs} only)" if row.needs else "")
        guess = "1 / classes" if row.chance == "task" else f"{row.chance or ''}"
        cells = (name, meaning, row.range, GOOD[row.better], guess, _WHERE[row.when])
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "± : a 95 % interval goes with it, as `<tag>_low` and `<tag>_high`."]
    return "\n".join(lines)


_WHERE: dict[When, str] = {
    "evaluation": "every evaluation",
    "final": "the final model",
    "summary": "`summary.json` alone",
    "evaluate": "`evaluate` alone",
}


def pattern(name: str) -> str:
    """The regular expression of the tags that a name with `<word>` in it stands for."""
    return "".join(
        r"[^/]+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<\w+>)", name)
    )


@cache  # a run looks up the same few hundred at every evaluation
def _find(tag: str) -> Metric | None:
    exact = {row.name: row for row in all_metrics()}
    return exact.get(tag) or next((row for row in all_metrics() if row.fits(tag)), None)


def own_row(name: str, **row: object) -> Metric:
    """The row of a user's metric `name`, with what was declared of it."""
    return replace(OWN, name=f"own/{name}", **row)  # type: ignore[arg-type]
