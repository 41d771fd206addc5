"""What TensorBoard shows of a pool: scores, sheets, figures, sentences, and the projector."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from lab.core.text import in_tag
from lab.experiments.show.folders import replaced
from lab.measure.predictions import log_odds
from lab.pool.findings import Findings
from lab.pool.pictures import sheets
from lab.tracking.writer import Tracker

FOLDER = "board"
"""The folder of TensorBoard's files, in the pool's."""

POINTS = 4096
"""Training examples that the projector shows at most: the first ones."""


def write_board(findings: Findings, said: Sequence[str], figures: Mapping[str, bytes]) -> None:
    """Write everything in place of what is there: the sentences `said`, and `figures`, PNG files'
    contents by name. The step is the number of networks."""
    result, scores = findings.result, findings.scores
    step, noun = len(result.pool), result.run.world.noun
    with replaced(result.folder / FOLDER) as folder, Tracker(folder) as tracker:
        for name, part in findings.causes.items():
            tracker.histogram(
                f"memorization_score/{in_tag(name)}", step, scores.score[part.members]
            )
        most, least = sheets(findings)
        tracker.image(f"{noun}/most_memorized", step, most)
        tracker.image(f"{noun}/least_memorized", step, least)
        for name, content in figures.items():
            pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            tracker.image(f"pool/{name}", step, pixels)
        tracker.text("pool_findings", "\n\n".join(said), step)
        _projector(tracker, findings)


def _projector(tracker: Tracker, findings: Findings) -> None:
    """Each training example as the vector of the log odds that the networks give to its label:
    examples are near each other where the same networks are sure of both."""
    result, score = findings.result, findings.scores.score[:POINTS]
    shown = result.train.take(torch.arange(len(score)))
    odds = [log_odds(logits[:POINTS], shown.labels) for logits in result.pool.train_logits]
    cause = np.full(len(shown), "", dtype=object)
    for name, part in findings.causes.items():
        cause[part.members[:POINTS].numpy()] = name
    tracker.embedding(
        "log_odds",
        torch.stack(odds, dim=1),
        columns={
            "memorization": [f"{s:.4f}" if math.isfinite(s) else "" for s in score.tolist()],
            "by heart": ["by heart" if s >= 0.5 else "no" for s in score.tolist()],
            "cause": cause.tolist(),
            "label": [shown.classes[i] for i in shown.labels.tolist()],
            "truth": [shown.classes[i] for i in shown.clean_labels.tolist()],
            "subpopulation": [
                shown.all_subpopulations[i].name for i in shown.subpopulations.tolist()
            ],
            "number": [str(i) for i in range(len(shown))],
        },
        thumbnails=shown.images,
    )
