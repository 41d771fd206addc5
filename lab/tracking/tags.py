"""The tag table: everything that is written for TensorBoard besides the metrics.

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

TagKind = Literal["image", "text", "histogram", "pr_curve", "embedding", "graph", "hparams"]
"""The TensorBoard dashboard that shows a tag."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One row of the table; `<word>` in the name stands for any name without a slash."""

    name: str
    kind: TagKind
    meaning: str
    unit: str = ""
    better: Better = ""

    def fits(self, tag: str) -> bool:
        """Whether `tag` is one of this row's."""
        return bool(re.fullmatch(metrics.pattern(self.name), tag))


TAGS: tuple[Tag, ...] = (
    Tag(name="verdict", kind="text", meaning="the findings of the run as sentences in plain words"),
    Tag(name="example_loss/train", kind="histogram", unit="nats, from 0", better="down",
        meaning="distribution of the loss over the training faces"),
    Tag(name="example_loss/test", kind="histogram", unit="nats, from 0", better="down",
        meaning="distribution of the loss over unseen faces; large: confident and wrong"),
    Tag(name="<noun>/mistakes", kind="image",
        meaning="misclassified unseen faces, the most confident predictions first"),
    Tag(name="<noun>/mislabeled", kind="image",
        meaning="mislabeled training faces for which the given, wrong label is predicted (with "
        "label noise only)"),
    Tag(name="<noun>/likeliest_wrong_labels", kind="image",
        meaning="training pictures of whose nearest neighbors, by the network's features, most "
        "have another label (with --data only)"),
    Tag(name="<noun>/conflicting", kind="image",
        meaning="misclassified conflicting faces: every cue against the label (with cues only)"),
    Tag(name="reliance_bars", kind="image",
        meaning="reliance on every attribute: should be 1 for relevant ones, 0 for nuisances"),
    Tag(name="counterfactuals/<attribute>", kind="image",
        meaning="the same faces with each value of a nuisance, and the prediction for each"),
    Tag(name="occlusion_maps", kind="image",
        meaning="test pictures with shaded patches: the stronger, the more the probability of the "
        "predicted class falls when the patch is occluded (with --data only)"),
    Tag(name="<noun>/train", kind="image",
        meaning="training faces, each with its prediction and its given label"),
    Tag(name="precision_recall/<class>", kind="pr_curve", unit="share, 0 to 1", better="up",
        meaning="precision against recall for one class, on unseen faces"),
    Tag(name="penultimate", kind="embedding",
        meaning="input of the last layer for each face, with its thumbnail and attributes"),
    Tag(name="map/<metric>", kind="image",
        meaning="heat map of a sweep: a final metric over two settings, mean over seeds"),
    Tag(name="curve/<metric>", kind="image",
        meaning="curve of a sweep: a final metric over one setting, with 95 % intervals over "
        "seeds"),
    Tag(name="power_law/<metric>", kind="image",
        meaning="power law of a sweep: test error over the number of training faces, and the fit"),
    Tag(name="<noun>/most_memorized", kind="image",
        meaning="training faces of a pool with the highest memorization scores"),
    Tag(name="<noun>/least_memorized", kind="image",
        meaning="training faces of a pool with the lowest memorization scores"),
    Tag(name="memorization_score/<cause>", kind="histogram", unit="-1 to 1", better="down",
        meaning="distribution of a pool's memorization scores over the training faces of a cause"),
    Tag(name="pool/<figure>", kind="image",
        meaning="figures of a pool: memorization scores, membership inference"),
    Tag(name="pool_findings", kind="text", meaning="sentences of a pool"),
    Tag(name="log_odds", kind="embedding",
        meaning="log odds that each network of a pool gives to a training face's label, with its "
        "memorization score and cause"),
    Tag(name="report/<figure>", kind="image",
        meaning="figures of a report card: learning curve, cues, reliance, subpopulations, parts; "
        "of your own pictures: learning curve, gap, perturbations, occlusions, classes, groups"),
    Tag(name="report_card", kind="text",
        meaning="sentences and tables of a report card"),
    Tag(name="config", kind="text", meaning="every setting of the run"),
    Tag(name="groups", kind="text",
        meaning="number of faces of each subpopulation in each set, and of each group in training"),
    Tag(name="cues", kind="text",
        meaning="strength of each cue, requested and measured (with cues only)"),
    Tag(name="group_accuracies", kind="text",
        meaning="accuracy of each group of the unbiased test set (with cues only)"),
    Tag(name="parts", kind="text",
        meaning="predictions on all sixteen subsets of the parts, with necessity, sufficiency "
        "and Shapley values"),
    Tag(name="environment", kind="text", meaning="library versions, device and threads"),
    Tag(name="hparams", kind="hparams",
        meaning="the run's row in the HParams table: settings and final metrics"),
    Tag(name="graph", kind="graph",
        meaning="graph of the network's operations, if it can be traced"),
)  # fmt: skip
"""The table."""


@cache
def find(tag: str, kind: TagKind) -> Tag:
    """The row that `tag` belongs to; `ValueError` if no row of that kind allows it."""
    for row in TAGS:
        if row.kind == kind and row.fits(tag):
            return row
    raise ValueError(f"the tag table (lab/tracking/tags.py) has no {kind} {tag!r}")


def scalar(tag: str) -> metrics.Metric:
    """The row of a scalar (or of an end of its interval); `ValueError` if there is none, or if the
    metric is not written to TensorBoard."""
    row = metrics.find(tag)
    if not row.is_scalar:
        raise ValueError(
            f"{tag!r} is no scalar of TensorBoard: it is measured for {row.when!r} only"
        )
    return row
