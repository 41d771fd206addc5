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

Place = Literal["hparams", "table", "progress", "plot", "curves", "cues", "card"]
"""Where a metric is shown by default: a column of the HParams table, of a sweep's tables, of its
progress; a sweep's plots; the pinned cards of the board's views "curves" (here "curves") and
"cues"; a row of the report card."""


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
        clock: whether it is a measured time or rate, which differs when a run is repeated.
        heading: a short name, the header of its column; '': the tag.
        label: the name of its row in a table of related metrics; '': the heading.
        charts: TensorBoard's custom-scalar charts that show it, as "Category/title".
        shown: where it is shown by default.
        chance: its value for a model that guesses: a number, "task" (1 / classes), None: there is
            no such value.
        needs: the setting without which it is not measured: "cues", "label noise", …
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
        """The tags of this row: its own, and those of the ends of its interval."""
        ends = (f"{self.name}_low", f"{self.name}_high") if self.interval else ()
        return (self.name, *ends)

    def fits(self, tag: str) -> bool:
        """Whether `tag` is one of this row's."""
        return any(re.fullmatch(pattern(name), tag) for name in self.names())

    @property
    def is_scalar(self) -> bool:
        """Whether it is written to TensorBoard as a scalar."""
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


_TRAIN_TEST = "Memorization/accuracy (the gap lies between): train against test"
_LOSSES = "Memorization/loss: train against test"
_VALIDATION = "Memorization/loss: train against validation"
_CUES = "Cues/accuracy: test, unbiased and conflicting"
_UNSEEN = "Cues/unseen combinations"
_MISLABELED = "Label noise/mislabeled examples: predicted as given, or as true"
_CALIBRATION = "Calibration/expected calibration error: train against test"
UNDRAWN = "examples of your own"
"""What figures need that of drawn examples would say nothing more."""

ONLY_TESTED = "classes or groups that only your test set has"
OTHER_SHARES = "class shares that differ between examples of your own for training and for test"
OTHER_GROUPS = "shares of groups that differ between examples of your own for training and for test"
"""What figures at the class shares of the test set need."""

_OF_RIGHT = (
    " (where up to half of the labels are wrong, of the rightly labeled training examples alone)"
)

METRICS: tuple[Metric, ...] = (
    _share("accuracy/train", "share of correct predictions on the training set, in eval "
           "mode, by the given labels",
           better="up", chance="task", heading="train accuracy", charts=(_TRAIN_TEST,),
           shown=("hparams", "table", "progress", "curves")),
    _share("accuracy/test", "share of correct predictions on the test set",
           better="up", chance="task",
           heading="test accuracy", charts=(_TRAIN_TEST, _CUES, _UNSEEN),
           shown=("hparams", "table", "progress", "plot", "curves", "cues")),
    _share("accuracy/test_class_mean", "mean over classes of the accuracy on the test set's "
           "examples of each (balanced accuracy)", better="up", chance="task", needs=UNDRAWN),
    Metric(name="accuracy/test_roc_auc", unit="area", low=0, high=1, better="up", chance=0.5,
           meaning="area under the ROC curve of each class's log odds on the test set, mean over "
           "classes: whether probabilities rank examples right (up to 50 classes)", needs=UNDRAWN),
    _share("accuracy/unbiased", "accuracy on the unbiased test set: cues independent of the label",
           better="up", chance="task", needs="cues", heading="unbiased",
           label="unbiased: cues independent of the label",
           charts=(_CUES,), shown=("hparams", "table", "progress", "plot", "cues")),
    _share("accuracy/conflicting", "accuracy on the conflicting test set: every cue shows the "
           "value of another class", better="up", chance="task", needs="cues",
           heading="conflicting", label="conflicting: every cue against the label", charts=(_CUES,),
           shown=("hparams", "table", "progress", "plot", "cues")),
    _share("accuracy/worst_group", "lowest accuracy of any group (class and cue values, on the "
           "unbiased test set; or class and columns of your own, on the test set)", better="up",
           chance="task", needs="cues or groups of your own", heading="worst group",
           label="worst group", charts=(_CUES,),
           shown=("hparams", "table", "card")),
    _share("accuracy/unseen_combinations", "accuracy on combinations of values that are not "
           "in the training set", better="up", chance="task", needs="--unseen-combinations",
           heading="unseen combinations", charts=(_UNSEEN,), shown=("table",)),
    Metric(name="gap/accuracy", meaning="generalization gap: training accuracy minus test accuracy",
           unit="share", low=-1, high=1, better="zero", heading="gap",
           charts=("Memorization/generalization gap",),
           shown=("hparams", "table", "progress", "plot", "curves")),
    Metric(name="memorization/membership_auc", unit="area", low=0, high=1, better="half",
           meaning="membership inference by a loss threshold, area under the ROC curve: the "
           "probability that a training example has a smaller loss than an unseen one",
           chance=0.5, heading="membership AUC",
           charts=("Memorization/membership AUC (0.5: a guess)",),
           shown=("hparams", "table", "progress", "plot", "curves")),
    _share("accuracy/train_at_test_shares", "training accuracy with each class counted at its "
           f"share of the test set{_OF_RIGHT}", better="up", chance="task", needs=OTHER_SHARES),
    Metric(name="gap/accuracy_at_test_shares", unit="share", low=-1, high=1, better="zero",
           meaning="generalization gap with each class counted at its share of the test set"
           f"{_OF_RIGHT}", needs=OTHER_SHARES),
    Metric(name="memorization/membership_auc_within_classes", unit="area", low=0, high=1,
           better="half", meaning="membership AUC among pairs of two examples of one class, each "
           f"class counted at its share of the test set{_OF_RIGHT}", chance=0.5,
           needs=OTHER_SHARES),
    _share("accuracy/train_at_group_shares", "training accuracy with each group counted at its "
           f"share of the test set{_OF_RIGHT}", better="up", chance="task", needs=OTHER_GROUPS),
    Metric(name="gap/accuracy_at_group_shares", unit="share", low=-1, high=1, better="zero",
           meaning="generalization gap with each group counted at its share of the test set"
           f"{_OF_RIGHT}", needs=OTHER_GROUPS),
    Metric(name="memorization/membership_auc_within_groups", unit="area", low=0, high=1,
           better="half", meaning="membership AUC among pairs of two examples of one group, each "
           f"group counted at its share of the test set{_OF_RIGHT}", chance=0.5,
           needs=OTHER_GROUPS),
    _share("accuracy/test_studied", "test accuracy on classes (or groups) that the training set "
           "has, too", better="up", chance="task",
           needs=ONLY_TESTED),
    _share("memorization/test_in_unstudied_groups", "share of the test examples that are of groups "
           "which the training set lacks, where hardly any are of others: the gap and the "
           "membership AUC may come from that", needs=ONLY_TESTED),
    _share("accuracy/train_right_labels", "accuracy on the rightly labeled training examples",
           better="up", chance="task", needs="label noise"),
    Metric(name="gap/accuracy_right_labels", unit="share", low=-1, high=1, better="zero",
           meaning="generalization gap of the rightly labeled training examples: the test set has "
           "right labels only", needs="label noise"),
    Metric(name="memorization/membership_auc_right_labels", unit="area", low=0, high=1,
           better="half", meaning="membership AUC of the rightly labeled training examples",
           chance=0.5, needs="label noise"),
    _share("memorization/tpr_at_1_percent_fpr", "membership inference by a loss threshold that "
           "wrongly names 1 % of the unseen examples: the share of the training examples that it "
           "names", better="down", chance=0.01, heading="TPR at 1 % FPR",
           needs="100 test examples", charts=("Memorization/TPR at 1 % FPR (0.01: a guess)",)),
    _share("memorization/mislabeled_fitted", "share of mislabeled training examples for which the "
           "given, wrong label is predicted", better="down", needs="label noise",
           heading="mislabeled fitted", charts=(_MISLABELED,), shown=("hparams", "table")),
    _share("memorization/mislabeled_true_label", "share of mislabeled training examples for which "
           "the true label is predicted", better="up", needs="label noise",
           heading="mislabeled true label", charts=(_MISLABELED,)),
    _share("memorization/mislabeled_fitted_at_random", "share of mislabeled training examples for "
           "which the given, wrong label would be predicted, on average, if the predictions on "
           "them were dealt to them at random", interval=False, needs="label noise"),
    _share("memorization/mislabeled_true_label_by_constant", "share of mislabeled training "
           "examples with the most frequent true label among them: what the best constant "
           "prediction gets", interval=False, needs="label noise"),
    _share("group_accuracy/<group>", "accuracy on one group (class and cue values, on the unbiased "
           "test set; or class and columns of your own, on the test set)", better="up",
           chance="task", needs="cues or groups of your own"),
    _share("reliance/<attribute>", "share of predictions that change when this attribute alone is "
           "changed: should be 1 for a relevant attribute (over changes of the label only) and 0 "
           "for a nuisance; of a watched run: under an intervention of your own",
           needs="counterfactuals"),
    Metric(name="logit_change/<attribute>", unit="nats", low=0, needs="counterfactuals",
           meaning="mean absolute change of the log odds of the original prediction under the same "
           "interventions"),
    _share("shortcut/strongest", "the highest reliance on any nuisance", better="down",
           needs="counterfactuals", heading="strongest shortcut", shown=("hparams", "cues")),
    _loss("loss/train", "mean cross-entropy on the training set, in eval mode, by the given labels",
          heading="train loss", charts=(_LOSSES, _VALIDATION)),
    _loss("loss/test", "mean cross-entropy on the test set", heading="test loss",
          charts=(_LOSSES,), shown=("hparams",)),
    _share("accuracy/validation", "share of correct predictions on the validation set", better="up",
           chance="task", needs="a validation set", heading="validation accuracy"),
    _loss("loss/validation", "mean cross-entropy on the validation set; early stopping selects the "
          "weights by it, so its minimum is an optimistic estimate", needs="a validation set",
          heading="validation loss", charts=(_VALIDATION,)),
    Metric(name="gap/loss", meaning="test loss minus training loss", unit="nats", better="zero",
           heading="loss gap"),
    _share("calibration/ece_train", "expected calibration error on the training set: how far "
           "confidence and accuracy lie apart", better="down", heading="train ECE",
           charts=(_CALIBRATION,)),
    _share("calibration/ece_test", "expected calibration error on the test set", better="down",
           heading="test ECE", charts=(_CALIBRATION,), shown=("hparams", "table", "card")),
    _share("answers/not_finite_<set>", "share of a set's pictures for which a logit is not finite; "
           "not there where there is none", better="down", needs="logits that are not finite"),
    _share("answers/changed_when_repeated", "share of predictions that change when the same test "
           "picture is predicted again; 0 for a deterministic model", better="down", when="final"),
    _share("answers/changed_when_alone", "share of predictions that change when a test picture "
           "is predicted alone instead of in a batch; 0 for a model "
           "that treats each picture on its own", better="down",
           when="final"),
    _share("answers/moved_when_repeated", "share of predictions of which the probability of a "
           "class moves by more than 0.1 when the same test picture is predicted again",
           better="down", when="final"),
    _share("answers/moved_when_alone", "share of predictions of which the probability of a class "
           "moves by more than 0.1 when a test picture is predicted alone instead of in a batch",
           better="down", when="final"),
    _share("answers/most_frequent", "share of test examples that get the most frequent answer",
           when="final"),
    _share("perturbation/<name>", "share of predictions on test pictures that change under a "
           "perturbation: gray, hue, blur, noise, mirror, shift", needs="--data", when="final"),
    _share("occlusion/<patch>", "share of predictions on test pictures that change when this patch "
           "gets the picture's mean color", needs="--data", when="final"),
    _share("subpopulation_accuracy/<subpopulation>", "accuracy on one subpopulation of the test "
           "set", better="up", when="final"),
    _share("necessity/<component>", "of the samples predicted as the last class (person) with all "
           "components (parts), the share that is not when this one is removed", better="up",
           needs="counterfactuals", when="final"),
    _share("sufficiency/<component>", "of the samples not predicted as the last class without any "
           "component, the share that is when this one alone is added", better="down",
           needs="counterfactuals", when="final"),
    Metric(name="shapley/<component>", unit="share", low=-1, high=1, when="final",
           needs="counterfactuals", meaning="Shapley value of the component: the mean change "
           "of the prediction of the last class over all orders of adding the components"),
    Metric(name="optim/learning_rate", low=0, interval=False,
           meaning="learning rate of the last step before the evaluation"),
    Metric(name="optim/gradient_norm", low=0, interval=False,
           meaning="L2 norm of the gradient of all parameters at the last step before the "
           "evaluation"),
    Metric(name="speed/images_per_second", unit="examples per second", better="up", clock=True,
           interval=False, low=0,
           meaning="training examples per second since the previous evaluation, whose own time "
           "is not counted"),
    Metric(name="seconds/<part>", unit="seconds", low=0, interval=False, clock=True,
           when="summary",
           meaning="seconds spent on one part of the run: drawing, training, measuring, …"),
    _share("accuracy/test_before_training", "accuracy on the test set before the first step, where "
           "that shows that the network was trained earlier, maybe on some of it; not there where "
           "it does not", when="summary", heading="test accuracy before training",
           needs="a test set known before training"),
    _share("robust_accuracy/<stage>", "share of faces classified correctly in the search for "
           "failures: as drawn, under all resamples of the nuisances, under all that was tried",
           better="up", when="evaluate", needs="--find-failures"),
    Metric(name="pictures_shown/<stage>", unit="pictures", low=0, interval=False, when="evaluate",
           needs="--find-failures", meaning="pictures that the network predicted in the search for "
           "failures"),
)  # fmt: skip
"""The table of the lab's own metrics, in the order of columns and charts."""

OWN = Metric(
    name="own/<name>",
    meaning="a metric of your own (--metric), as its file declares it",
    shown=("table", "card"),
    needs="--metric",
)
"""The row of a user's metric whose file has not been read."""

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
    """A metric's short name, for column headers; the tag itself if it has none."""
    row = _find(tag)
    return (row.heading if row else "") or tag


def label(tag: str) -> str:
    """The name of a metric's row in a table of related metrics."""
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
    """The tags, in the table's order, that are shown in a place by default: among `tags`, or (None)
    of all rows with a single tag."""
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
    """The table as Markdown, with one row for each metric."""
    lines = ["| metric | definition | unit, range | good | chance level | measured |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for row in (*METRICS, OWN):
        name = f"`{row.name}`" + (" ±" if row.interval else "")
        meaning = row.meaning + (f" (with {row.needs} only)" if row.needs else "")
        guess = "1 / classes" if row.chance == "task" else f"{row.chance or ''}"
        cells = (name, meaning, row.range, GOOD[row.better], guess, _WHERE[row.when])
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "±: has a 95 % interval, as `<tag>_low` and `<tag>_high`."]
    return "\n".join(lines)


_WHERE: dict[When, str] = {
    "evaluation": "every evaluation",
    "final": "final model",
    "summary": "final, `summary.json` only",
    "evaluate": "`evaluate.py` only",
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
