"""The tag table: everything that a run writes for TensorBoard, in the order of reading.

A new metric is one function in `lab/measure` and one row here. The writer refuses tags that are not
in the table, and `docs/tensorboard.md` holds it, so that code, logs and documentation cannot drift
apart.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

Kind = Literal["scalar", "image", "text", "histogram", "pr_curve", "embedding", "graph", "hparams"]
Better = Literal["up", "down", "zero", "half", ""]


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One row of the table.

    `<word>` in the name stands for any name. `interval` says that `<name>_low` and `<name>_high`
    carry a 95 % interval. `clock` marks readings of a clock: they alone differ when a run is
    repeated, and `metrics.jsonl` leaves them out. `column` is the heading in the HParams table.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    better: Better = ""
    interval: bool = False
    clock: bool = False
    column: str = ""

    def names(self) -> tuple[str, ...]:
        """The tags that this row stands for: its own, and those of its interval."""
        ends = (f"{self.name}_low", f"{self.name}_high") if self.interval else ()
        return (self.name, *ends)

    def fits(self, tag: str) -> bool:
        """Whether `tag` is one of this row's."""
        return any(re.fullmatch(_pattern(name), tag) for name in self.names())


TAGS: tuple[Tag, ...] = (
    Tag(name="verdict", kind="text", meaning="what the run shows, in plain words"),
    Tag(name="accuracy/train", kind="scalar", unit="share, 0 to 1", better="up", interval=True,
        meaning="right answers (given labels) on the training faces, in eval mode",
        column="train accuracy"),
    Tag(name="accuracy/test", kind="scalar", unit="share, 0 to 1", better="up", interval=True,
        meaning="right answers on faces it has never seen", column="test accuracy"),
    Tag(name="gap/accuracy", kind="scalar", unit="share, -1 to 1", better="zero", interval=True,
        meaning="generalization gap: accuracy on train minus on test", column="accuracy gap"),
    Tag(name="memorization/membership_auc", kind="scalar", unit="area, 0 to 1", better="half",
        interval=True, column="membership AUC",
        meaning="how well a loss threshold tells studied faces from unseen ones; 0.5 is a guess"),
    Tag(name="accuracy/unbiased", kind="scalar", unit="share, 0 to 1", better="up", interval=True,
        meaning="right answers where the cues say nothing (with cues only)",
        column="unbiased accuracy"),
    Tag(name="accuracy/conflicting", kind="scalar", unit="share, 0 to 1", better="up",
        interval=True, meaning="right answers where every cue contradicts its label (with cues)",
        column="conflicting accuracy"),
    Tag(name="accuracy/worst_group", kind="scalar", unit="share, 0 to 1", better="up",
        interval=True, column="worst-group accuracy",
        meaning="right answers of the group that has fewest of them (with cues only)"),
    Tag(name="accuracy/unseen_combinations", kind="scalar", unit="share, 0 to 1", better="up",
    interval=True,
        meaning="right answers on combinations that training never shows (with "
        "--unseen-combinations only)"),
    Tag(name="group_accuracy/<group>", kind="scalar", unit="share, 0 to 1", better="up",
        interval=True,
        meaning="right answers of one group, class and cue values, on unbiased faces"),
    Tag(name="reliance/<attribute>", kind="scalar", unit="share, 0 to 1", interval=True,
        meaning="answers that change when this attribute alone is redrawn: high is right for what "
        "the label depends on (where the label changes), near 0 for every nuisance"),
    Tag(name="logit_change/<attribute>", kind="scalar", unit="nats, from 0", interval=True,
        meaning="mean absolute change of the answer's log odds at the same redraws"),
    Tag(name="shortcut/strongest", kind="scalar", unit="share, 0 to 1", better="down",
        interval=True, column="strongest shortcut",
        meaning="the highest reliance on any nuisance"),
    Tag(name="answers/changed_when_repeated", kind="scalar", unit="share, 0 to 1", better="down",
        interval=True,
        meaning="answers of the finished network that change when the same unseen face is asked "
        "about again; 0 for a function of the picture"),
    Tag(name="answers/changed_when_alone", kind="scalar", unit="share, 0 to 1", better="down",
        interval=True,
        meaning="answers of the finished network that change when an unseen face is shown alone "
        "and not with others; 0 for a function of the picture"),
    Tag(name="memorization/mislabeled_fitted", kind="scalar", unit="share, 0 to 1", better="down",
        interval=True, column="mislabeled fitted",
        meaning="mislabeled training faces that get their wrong label (with label noise only)"),
    Tag(name="memorization/mislabeled_true_label", kind="scalar", unit="share, 0 to 1",
        better="up", interval=True,
        meaning="mislabeled training faces that get their true label (with label noise only)"),
    Tag(name="loss/train", kind="scalar", unit="nats, from 0", better="down", interval=True,
        meaning="mean cross-entropy on the training faces (given labels), in eval mode"),
    Tag(name="loss/test", kind="scalar", unit="nats, from 0", better="down", interval=True,
        meaning="mean cross-entropy on unseen faces", column="test loss"),
    Tag(name="accuracy/validation", kind="scalar", unit="share, 0 to 1", better="up",
        interval=True, meaning="right answers on the validation faces (with --early-stopping or "
        "--num-validation only)"),
    Tag(name="loss/validation", kind="scalar", unit="nats, from 0", better="down", interval=True,
        meaning="mean cross-entropy on the validation faces: the best weights and early stopping "
        "go by it, so that its lowest value is too good"),
    Tag(name="gap/loss", kind="scalar", unit="nats", better="zero", interval=True,
        meaning="loss on test minus on train"),
    Tag(name="example_loss/train", kind="histogram", unit="nats, from 0", better="down",
        meaning="how the loss is distributed over the training faces"),
    Tag(name="example_loss/test", kind="histogram", unit="nats, from 0", better="down",
        meaning="how the loss is distributed over unseen faces: sure and wrong lies far out"),
    Tag(name="faces/mistakes", kind="image",
        meaning="the unseen faces it is most sure and most wrong about"),
    Tag(name="faces/mislabeled", kind="image",
        meaning="mislabeled training faces that it learned by heart (with label noise only)"),
    Tag(name="faces/conflicting", kind="image",
        meaning="mistakes on faces whose cues contradict the label (with cues only)"),
    Tag(name="reliance_bars", kind="image",
        meaning="reliance on every attribute: parts should be long bars, nuisances none"),
    Tag(name="counterfactuals/<attribute>", kind="image",
        meaning="the same faces with each value of a nuisance, and what it says about each"),
    Tag(name="faces/train", kind="image",
        meaning="training faces, what it says about each, and whether that is its label"),
    Tag(name="precision_recall/<class>", kind="pr_curve", unit="share, 0 to 1", better="up",
        meaning="precision against recall for one class, on unseen faces"),
    Tag(name="penultimate", kind="embedding",
        meaning="what the last layer sees of each face, with its thumbnail and attributes"),
    Tag(name="map/<metric>", kind="image",
        meaning="a sweep's: a final metric over two settings, mean of the seeds"),
    Tag(name="curve/<metric>", kind="image",
        meaning="a sweep's: a final metric over one setting, with its 95 % interval over seeds"),
    Tag(name="power_law/<metric>", kind="image",
        meaning="a sweep's: the error over the number of training faces, and the law through it"),
    Tag(name="report/<figure>", kind="image",
        meaning="a report card's figures: learning curve, cues, reliance, kinds, parts"),
    Tag(name="report_card", kind="text",
        meaning="a report card's: what it says of a network, beside others"),
    Tag(name="optim/learning_rate", kind="scalar", unit="from 0",
        meaning="learning rate of the step before the evaluation"),
    Tag(name="optim/gradient_norm", kind="scalar", unit="from 0",
        meaning="length of the whole gradient at the step before the evaluation"),
    Tag(name="speed/images_per_second", kind="scalar", unit="faces per second", better="up",
        clock=True, meaning="training faces per second since the last evaluation, without it"),
    Tag(name="config", kind="text", meaning="every setting of the run"),
    Tag(name="groups", kind="text", meaning="how many faces of each kind there are in each set"),
    Tag(name="cues", kind="text",
        meaning="each cue's strength as asked for and as measured (with cues only)"),
    Tag(name="group_accuracies", kind="text", meaning="accuracy by group (with cues only)"),
    Tag(name="parts", kind="text",
        meaning="which parts make a person: its answers on all sixteen sets of parts"),
    Tag(name="environment", kind="text", meaning="versions, device and threads"),
    Tag(name="hparams", kind="hparams",
        meaning="the run's row in the HParams table: settings and last figures"),
    Tag(name="graph", kind="graph", meaning="the network's operations, where tracing works"),
)  # fmt: skip
"""The table."""


@cache  # a run asks for the same few hundred at every evaluation
def find(tag: str, kind: Kind) -> Tag:
    """The row that `tag` belongs to; `ValueError` if no row of that kind allows it."""
    for row in TAGS:
        if row.kind == kind and row.fits(tag):
            return row
    raise ValueError(f"the tag table (lab/tracking/tags.py) has no {kind} {tag!r}")


def _pattern(name: str) -> str:
    return "".join(
        r"[^/]+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<\w+>)", name)
    )
