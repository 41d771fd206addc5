"""`scores.csv`: a row for each training example, with its score and all that is known of it."""

from __future__ import annotations

import csv
import io
import math

from lab.core.text import own_columns
from lab.pool.findings import Findings
from lab.worlds import StoredWorld

COLUMNS = (
    "number", "file", "label", "true_label", "cause", "subpopulation", "memorization",
    "standard_error", "accuracy_in", "accuracy_out", "networks_in", "networks_out",
    "first_half", "second_half",
)  # fmt: skip
"""Columns; those of the attributes follow, where these are known, and of `--groups`, as
`own_columns` has them ("group:cause"). `number`: position in the training set, from 0. `label`: the
given one. `first_half`: the score by the first half of the networks alone, so that faces which are
chosen by it can be looked at by the second."""


def to_csv(findings: Findings) -> str:
    """The table as CSV text, in the order of the training set."""
    result, scores = findings.result, findings.scores
    train, world = result.train, result.run.world
    halves = findings.halves()
    attributes = {name: train.samples.names(name) for name in train.samples.schema}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    own = own_columns(attributes, beside=COLUMNS, kind="group")
    table.writerow([*COLUMNS, *own.values()])
    cause = ["" for _ in range(len(train))]
    for name, part in findings.causes.items():
        for i in part.members.nonzero()[:, 0].tolist():
            cause[i] = name
    for i in range(len(train)):
        table.writerow([
            i,
            world.name("train", i) if isinstance(world, StoredWorld) else "",
            train.classes[int(train.labels[i])],
            train.classes[int(train.clean_labels[i])],
            cause[i],
            train.all_subpopulations[int(train.subpopulations[i])].name,
            *(
                _number(column[i].item())
                for column in (scores.score, scores.standard_error, scores.accuracy_in,
                               scores.accuracy_out)
            ),
            int(scores.count_in[i]),
            int(scores.count_out[i]),
            *(_number(half[i].item()) for half in halves),
            *(words[i] for words in attributes.values()),
        ])  # fmt: skip
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # names may be no text


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""
