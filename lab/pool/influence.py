"""Which unseen examples the single training examples of a pool help or hurt."""

from __future__ import annotations

import csv
import io

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lab.core.words import percent, singular
from lab.measure import right
from lab.measure.influence import Influence, Noise, influence, noise
from lab.pool.attacks import ATTACKED
from lab.pool.findings import Findings
from lab.pool.membership import BLOCK
from lab.pool.pictures import GAP, cell_of, truth
from lab.pool.section import Section, Sheet
from lab.tracking.sheets import COLUMNS, FACES, INK, MARGIN, TITLE, WIDTH, Cell, draw_sheet
from lab.worlds import StoredWorld

TABLE, SHEET = "influence.csv", "influence.png"

MOST = 1000
"""Rows of the table at most."""

PAIRS = 50_000_000
"""Pairs that are looked at, at most, which takes 1 GB of memory: with more of them only the first
test examples are."""

UNITS = "in standard errors as they would be without influence"
"""In what it is told how sure an influence is: the `strength` of `lab.measure.influence`."""

HEADER = (
    "training", "test", "influence", "standard_error", "strength", "beyond_noise", "training_label",
    "training_true_label", "memorization", "test_label", "training_file", "test_file",
)  # fmt: skip
"""Columns. `training`, `test`: positions in the two sets, from 0."""


def influence_section(findings: Findings) -> Section | None:
    """The influences of all training examples on all test examples; None for a pool that is too
    small for them."""
    pool, test = findings.result.pool, findings.result.test
    noun = findings.result.run.world.noun
    one = singular(noun)
    if len(pool) < ATTACKED:
        return None
    looked = slice(max(1, PAIRS // len(findings.result.train)))
    labels = test.clean_labels[looked]
    hits = torch.stack([right(logits[looked], labels) for logits in pool.test_logits])
    found = influence(hits, pool.members)
    level = noise(hits, pool.members, torch.tensor(pool.networks) // BLOCK)
    strength = found.strength.nan_to_num(0.0)
    beyond = strength.abs() > level.bound
    sheet = _sheet(findings, found, beyond)
    said, rest = _sentences(findings, found, level, beyond)
    return Section(
        name="influence",
        heading=f"Influence on unseen {noun}",
        lead=(
            f"A training {one} may help with unseen {noun} that are like it, or hurt. Its influence"
            f" on an unseen {one} is how much more often networks that were trained on it get that"
            " one right than the others. Among so many pairs some look strong by accident; those"
            " that are stronger than accident explains are beyond noise."
        ),
        sentences=[said],
        checks=[rest],
        summary={
            "pairs": beyond.numel(),
            "beyond_noise": int(beyond.sum()),
            "helping": int((beyond & (strength > 0)).sum()),
            "bound": level.bound,
            "strongest": strength.abs().max().item(),
            "mean_square_strength": level.mean_square,
            "mean_square_strength_shuffled": level.shuffled.mean().item(),
            "shuffles": len(level.shuffled),
            "p_value": level.p_value,
        },
        sheets={SHEET: sheet} if sheet else {},
        files={TABLE: _csv(findings, found, beyond)},
        gone=() if sheet else (SHEET,),
    )


def _sentences(
    findings: Findings, found: Influence, level: Noise, beyond: Tensor
) -> tuple[str, str]:
    """Whether single influences, and all together, are more than noise."""
    noun, pool = findings.result.run.world.noun, findings.result.pool
    one, count = singular(noun), int(beyond.sum())
    pairs = f"{beyond.numel():,} pairs of a training {one} and an unseen one"
    bound = "in 95 % of shuffles of the subsets no pair has one as strong"
    if count:
        have = "has" if count == 1 else "have"
        said = (
            f"Of {pairs}, {count:,} {have} an influence beyond noise ({bound})."
            f"{_directions(found, beyond, one)} {_examples(found, beyond, one)}"
        )
    else:
        said = (
            f"Which unseen {one} a single training {one} helps, {len(pool):,} networks cannot"
            f" tell: of {pairs}, none has an influence beyond noise ({bound})."
        )
    p_value = f"permutation test, p = {level.p_value:.1g}"
    if level.p_value <= 0.05:
        noise = min(1.0, level.share)
        rest = (
            f"All influences together are more than noise: of their mean square, noise makes up"
            f" {percent(noise)}, and influence the rest ({p_value})."
        )
    else:
        rest = f"All influences together are no more than noise ({p_value})."
    return said, rest


def _directions(found: Influence, beyond: Tensor, one: str) -> str:
    """How many of the pairs help, and how many hurt, where there are several."""
    helping, hurting = (
        int((beyond & sign).sum()) for sign in (found.values > 0, found.values <= 0)
    )
    if helping + hurting == 1:
        return ""
    return (
        f" In {helping:,} of them the training {one} helps: networks that were trained on it get"
        f" the unseen {one} right more often than the others. In {hurting:,} it hurts."
    )


def _examples(found: Influence, beyond: Tensor, one: str) -> str:
    """The surest of the pairs, and the largest influence."""
    size = found.values.abs().where(beyond, torch.tensor(-1.0, dtype=found.values.dtype))
    surest = int(found.strength.nan_to_num(0.0).abs().argmax())
    largest = int(size.argmax())
    told = [_told(found, *divmod(pair, found.values.shape[1]), one) for pair in (surest, largest)]
    if int(beyond.sum()) == 1:
        return f"In this pair, {told[0]}."
    if surest == largest:
        return f"The surest ({UNITS}) is also the largest: {told[0]}."
    return f"The surest ({UNITS}): {told[0]}. The largest: {told[1]}."


def _told(found: Influence, i: int, j: int, one: str) -> str:
    more = "more" if found.values[i, j] > 0 else "less"
    return (
        f"networks that were trained on {one} {i} get unseen {one} {j} right"
        f" {_points(found, i, j)} percentage points {more} often"
    )


def _points(found: Influence, i: int, j: int, *, sign: str = "") -> str:
    value, error = 100 * float(found.values[i, j]), 100 * float(found.standard_error[i, j])
    return f"{value if sign else abs(value):{sign}.0f} ± {error:.0f}"


def _csv(findings: Findings, found: Influence, beyond: Tensor) -> str:
    """The strongest pairs as CSV text, the strongest first."""
    result, world = findings.result, findings.result.run.world
    train, test = result.train, result.test
    strength = found.strength.nan_to_num(0.0).abs().flatten()
    order = strength.argsort(descending=True, stable=True)[:MOST]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for pair in order.tolist():
        i, j = divmod(pair, beyond.shape[1])
        files = ["", ""]
        if isinstance(world, StoredWorld):
            files = [world.name("train", i), world.name("test", j)]
        table.writerow([
            i,
            j,
            *(f"{float(column[i, j]):.4f}" for column in
              (found.values, found.standard_error, found.strength)),
            "yes" if beyond[i, j] else "no",
            train.classes[int(train.labels[i])],
            train.classes[int(train.clean_labels[i])],
            f"{float(findings.scores.score[i]):.4f}",
            test.classes[int(test.clean_labels[j])],
            *files,
        ])  # fmt: skip
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # names may be no text


def _sheet(findings: Findings, found: Influence, beyond: Tensor) -> Sheet | None:
    """The pairs `beyond` (N, M) bool noise, the surest first; None if there are none."""
    noun = findings.result.run.world.noun
    strength = found.strength.abs().where(beyond, torch.tensor(-torch.inf)).flatten()
    count = int(beyond.sum())
    order = strength.argsort(descending=True, stable=True)[: min(count, FACES)].tolist()
    if not order:
        return None
    places = [divmod(pair, beyond.shape[1]) for pair in order]
    cells = [(cell_of(findings, i), _unseen(findings, found, i, j)) for i, j in places]
    pairs = [_pair(*each) for each in cells]
    height, width = (max(pair.shape[axis] for pair in pairs) for axis in (0, 1))
    pairs = [_padded(pair, height, width + GAP) for pair in pairs]
    across = COLUMNS * (width + GAP)
    rows = [
        _padded(np.concatenate(pairs[k : k + COLUMNS], axis=1), height, across)
        for k in range(0, len(pairs), COLUMNS)
    ]
    title = draw_sheet(f"Training {noun}, and unseen ones", [])
    whole = np.concatenate([_padded(title, len(title), across), *rows])
    content = io.BytesIO()
    Image.fromarray(whole).save(content, format="png")
    one = singular(noun)
    if count == 1:
        shown = "The pair beyond noise"
    elif count <= FACES:
        shown = f"The {count} pairs beyond noise, the surest first"
    else:
        shown = f"The {FACES} surest of the {count:,} pairs beyond noise"
    return Sheet(
        png=content.getvalue(),
        pairs=cells,
        alt=f"Training {noun}, each beside an unseen one that it helps or hurts",
        caption=(
            f"{shown}. Left of each a training {one} with its memorization score; right an unseen"
            f" {one}, and by how many percentage points more (+) or less (-) often networks that"
            " were trained on the left one get it right than the others. Behind ±: the standard"
            f" error. Surest: {UNITS}, which are smaller where nearly all networks agree."
        ),
    )


def _unseen(findings: Findings, found: Influence, i: int, j: int) -> Cell:
    test, one = findings.result.test, singular(findings.result.run.world.noun)
    name = test.classes[int(test.clean_labels[j])]
    kind = test.all_subpopulations[int(test.subpopulations[j])].name
    lines = [
        (f"unseen {one} {j}", INK),
        (f"{_points(found, i, j, sign='+')} points", INK),
        *((line, INK) for line in truth(name, kind)),
    ]
    return Cell(test.images[j].cpu(), lines, INK)


def _pair(training: Cell, unseen: Cell) -> npt.NDArray[np.uint8]:
    """Two cells side by side, without a title."""
    return draw_sheet("", [training, unseen])[TITLE - MARGIN :, : 2 * (WIDTH // COLUMNS)]


def _padded(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture (H, W, 3) with white below it and on its right."""
    missing = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, missing, constant_values=255)
