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
from lab.pool.pictures import GAP, cell_of
from lab.pool.section import Section, Sheet
from lab.tracking.sheets import COLUMNS, FACES, GOOD, INK, MARGIN, TITLE, WIDTH, Cell, draw_sheet
from lab.worlds import StoredWorld

TABLE, SHEET = "influence.csv", "influence.png"

MOST = 1000
"""Rows of the table at most."""

PAIRS = 50_000_000
"""Pairs that are looked at, at most, which takes 1 GB of memory: with more of them only the first
test examples are."""

HEADER = (
    "training", "test", "influence", "standard_error", "strength", "beyond_noise", "training_label",
    "training_true_label", "memorization", "test_label", "training_file", "test_file",
)  # fmt: skip
"""Columns. `training`, `test`: positions in the two sets, from 0."""


def influence_section(findings: Findings) -> Section | None:
    """The influences of all training examples on all test examples; None for a pool that is too
    small for them."""
    pool, test = findings.result.pool, findings.result.test
    if len(pool) < ATTACKED:
        return None
    looked = slice(max(1, PAIRS // len(findings.result.train)))
    labels = test.clean_labels[looked]
    hits = torch.stack([right(logits[looked], labels) for logits in pool.test_logits])
    found = influence(hits, pool.members)
    level = noise(hits, pool.members, torch.tensor(pool.networks) // BLOCK)
    strength = found.strength.nan_to_num(0.0)
    beyond = strength.abs() > level.bound
    sheet = _sheet(findings, found, beyond & (strength > 0))
    return Section(
        name="influence",
        heading="Influence on unseen " + findings.result.run.world.noun,
        sentences=_sentences(findings, found, level, beyond),
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


def _sentences(findings: Findings, found: Influence, level: Noise, beyond: Tensor) -> list[str]:
    """Whether single influences, and all together, are more than noise."""
    noun, pool = findings.result.run.world.noun, findings.result.pool
    one, count = singular(noun), int(beyond.sum())
    pairs = f"{beyond.numel():,} pairs of a training {one} and an unseen one"
    bound = "in 95 % of shuffles of the subsets no pair has one as strong"
    if count:
        helping = beyond & (found.values > 0)
        have = "has" if count == 1 else "have"
        said = f"Of {pairs}, {count:,} {have} an influence beyond noise ({bound})"
        if count > 1:
            said += (
                f": with the training {one} among those trained on, the unseen one is right more"
                f" often in {int(helping.sum()):,} of them, and less often in the others"
            )
        said += "."
        strongest = int(found.strength.nan_to_num(0.0).abs().argmax())
        i, j = divmod(strongest, found.values.shape[1])
        said += (
            f" The strongest: with training {one} {i}, unseen {one} {j} is right"
            f" {_points(found, i, j)} percentage points"
            f" {'more' if found.values[i, j] > 0 else 'less'} often."
        )
    else:
        said = (
            f"Which unseen {one} a single training {one} helps, {len(pool):,} networks cannot"
            f" tell: of {pairs}, none has an influence beyond noise ({bound})."
        )
    p_value = f"permutation test, p = {level.p_value:.1g}"
    if level.p_value <= 0.05:
        rest = (
            "All of them together are more than noise: it makes up"
            f" {percent(min(1.0, level.share))} of their mean square ({p_value})."
        )
    else:
        rest = f"All of them together are no more than noise either ({p_value})."
    return [said, rest]


def _points(found: Influence, i: int, j: int) -> str:
    value, error = 100 * abs(float(found.values[i, j])), 100 * float(found.standard_error[i, j])
    return f"{value:.0f} ± {error:.0f}"


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


def _sheet(findings: Findings, found: Influence, helps: Tensor) -> Sheet | None:
    """The most memorized training examples, each beside the unseen one that it helps most, of those
    pairs that `helps` (N, M) bool has; None if there are none."""
    noun = findings.result.run.world.noun
    score = findings.scores.score.nan_to_num(-1.0)
    helping = helps.any(dim=1)
    order = [i for i in score.argsort(descending=True, stable=True).tolist() if helping[i]][:FACES]
    if not order:
        return None
    strength = found.strength.where(helps, torch.tensor(-torch.inf))
    pairs = [
        _pair(cell_of(findings, i), _unseen(findings, found, i, int(strength[i].argmax())))
        for i in order
    ]
    height, width = (max(pair.shape[axis] for pair in pairs) for axis in (0, 1))
    pairs = [_padded(pair, height, width + GAP) for pair in pairs]
    rows = [
        _padded(np.concatenate(pairs[k : k + COLUMNS], axis=1), height, COLUMNS * (width + GAP))
        for k in range(0, len(pairs), COLUMNS)
    ]
    title = draw_sheet(f"Training {noun}, and unseen ones they help", [])
    whole = np.concatenate([_padded(title, len(title), COLUMNS * (width + GAP)), *rows])
    content = io.BytesIO()
    Image.fromarray(whole).save(content, format="png")
    one = singular(noun)
    return Sheet(
        png=content.getvalue(),
        alt=f"The most memorized training {noun} that help an unseen one, each beside that one",
        caption=(
            f"Left of each pair a training {one} with its memorization score, right the unseen"
            f" {one} that it helps most: how much more often networks that were trained on the"
            f" former get the latter right, with the standard error. Only pairs beyond noise, those"
            f" of the most memorized training {noun} first."
        ),
    )


def _unseen(findings: Findings, found: Influence, i: int, j: int) -> Cell:
    test = findings.result.test
    lines = [
        (f"{float(found.values[i, j]):+.2f} ± {float(found.standard_error[i, j]):.2f}", INK),
        (f"is: {test.classes[int(test.clean_labels[j])]}", INK),
        (test.all_subpopulations[int(test.subpopulations[j])].name, INK),
    ]
    return Cell(test.images[j].cpu(), lines, GOOD)


def _pair(training: Cell, unseen: Cell) -> npt.NDArray[np.uint8]:
    """Two cells side by side, without a title."""
    return draw_sheet("", [training, unseen])[TITLE - MARGIN :, : 2 * (WIDTH // COLUMNS)]


def _padded(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture (H, W, 3) with white below it and on its right."""
    missing = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, missing, constant_values=255)
