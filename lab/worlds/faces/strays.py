"""Strays: parts beside a head that lacks them, so that the amount of ink predicts little."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import torch

from lab.core.seeds import uniforms
from lab.worlds.faces.attributes import ATTRIBUTES, PARTS, STRAYS
from lab.worlds.faces.batch import Faces

Indices = npt.NDArray[np.int64]

TURNS_UP = 0.6
"""How likely a missing part lies beside the head. Of 0.3, 0.6 and 1, this left the least to a
boosted tree over cheap statistics (0.571, 0.557, 0.565) and to logistic regression (0.598, 0.593,
0.600), on 10,000 faces that it had not seen, as the drawing was then."""


def balance_parts(
    faces: Faces, indices: Indices, /, *, seed: int, split: str, keep: Collection[str] = ()
) -> Faces:
    """The faces with most parts that a head lacks lying beside it, on top of the strays drawn.

    So the ink, edges and dark pixels of a picture predict the label poorly; the positions of the
    parts decide it. Objects have marks of their own instead of parts, and get no strays for them.
    Attributes in `keep` are left as they are.
    """
    values = dict(faces.values)
    head = values["subject"] == 0
    for part in PARTS:
        row, stray = ATTRIBUTES[part], ATTRIBUTES[STRAYS[part]]
        if stray.name not in keep:
            turns_up = uniforms(indices, seed, split, "turns up", part) < TURNS_UP
            missing = (int(row.values[-1]) - values[part]) * head * torch.from_numpy(turns_up)
            values[stray.name] = (values[stray.name] + missing).clamp(max=int(stray.values[-1]))
    return faces.redrawn(values)
