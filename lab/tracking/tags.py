"""The tag table: everything that a run writes for TensorBoard beside the metrics.

Scalars are metrics, whose table is `lab.core.metrics`. The writer refuses tags that are in neither
table, and `docs/tensorboard.md` holds both, so that code, logs and documentation cannot drift
apart.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from lab.core import metrics
from lab.core.metrics import Better

Kind = Literal["image", "text", "histogram", "pr_curve", "embedding", "graph", "hparams"]


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One row of the table; `<word>` in the name stands for any name."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    better: Better = ""

    def fits(self, tag: str) -> bool:
        """Whether `tag` is one of this row's."""
        return bool(re.fullmatch(metrics.pattern(self.name), tag))


TAGS: tuple[Tag, ...] = (
    Tag(name="verdict", kind="text", meaning="what the run shows, in plain words"),
    Tag(name="example_loss/train", kind="histogram", unit="nats, from 0", better="down",
        meaning="how the loss is distributed over the training faces"),
    Tag(name="example_loss/test", kind="histogram", unit="nats, from 0", better="down",
        meaning="how the loss is distributed over unseen faces: sure and wrong lies far out"),
    Tag(name="faces/mistakes", kind="image",
        meaning="the unseen faces it is most sure and most wrong about"),
    Tag(name="faces/mislabeled", kind="image",
        meaning="mislabeled training examples that are predicted with their wrong label (with "
        "label noise only)"),
    Tag(name="faces/conflicting", kind="image",
        meaning="mistakes on faces whose cues contradict the label (with cues only)"),
    Tag(name="reliance_bars", kind="image",
        meaning="reliance on every attribute: parts should be long bars, nuisances none"),
    Tag(name="counterfactuals/<attribute>", kind="image",
        meaning="the same samples with each value of a nuisance, and the prediction on each"),
    Tag(name="occlusion_maps", kind="image",
        meaning="test pictures, with the patches shaded on which the prediction depends: the "
        "stronger, the more its probability falls when the patch is occluded (with --data only)"),
    Tag(name="faces/train", kind="image",
        meaning="training examples, the prediction on each, and whether that is its label"),
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
        meaning="a report card's sentences and table"),
    Tag(name="config", kind="text", meaning="every setting of the run"),
    Tag(name="groups", kind="text", meaning="how many faces of each kind there are in each set"),
    Tag(name="cues", kind="text",
        meaning="each cue's strength as asked for and as measured (with cues only)"),
    Tag(name="group_accuracies", kind="text", meaning="accuracy by group (with cues only)"),
    Tag(name="parts", kind="text",
        meaning="which parts make a person: its answers on all sixteen sets of parts"),
    Tag(name="environment", kind="text", meaning="versions, device and threads"),
    Tag(name="hparams", kind="hparams",
        meaning="the run's row in the HParams table: settings and last metrics"),
    Tag(name="graph", kind="graph", meaning="the network's operations, where tracing works"),
)  # fmt: skip
"""The table."""


@cache
def find(tag: str, kind: Kind) -> Tag:
    """The row that `tag` belongs to; `ValueError` if no row of that kind allows it."""
    for row in TAGS:
        if row.kind == kind and row.fits(tag):
            return row
    raise ValueError(f"the tag table (lab/tracking/tags.py) has no {kind} {tag!r}")


def scalar(tag: str) -> metrics.Metric:
    """The row of a scalar (or of an end of its interval); `ValueError` if it has none, or is not
    one of TensorBoard's."""
    row = metrics.find(tag)
    if not row.is_scalar:
        raise ValueError(f"{tag!r} is no scalar: it is measured for {row.when} alone")
    return row
