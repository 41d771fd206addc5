"""Label noise: the choice of corrupted training labels and of their new values."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms

Indices = npt.NDArray[np.int64]


def corrupt(
    labels: Tensor,
    *,
    share: float,
    kind: Literal["random", "flip"],
    classes: int,
    seed: int,
    split: str = "train",
    indices: Indices,
) -> Tensor:
    """The `labels` (N,) of the examples with the addresses (`seed`, `split`, i) for i in `indices`
    (N,), a random `share` (0 to 1) of them corrupted.

    'random' draws them anew among all `classes` (Zhang et al., "Understanding deep learning
    requires rethinking generalization", ICLR 2017), so that some stay right by luck; 'flip' always
    makes them wrong. Which labels are hit depends on the address alone: they nest in the number of
    examples, and those hit at a small share are hit at a larger one.
    """
    hit = torch.from_numpy(uniforms(indices, seed, split, "label_noise") < share)
    u = torch.from_numpy(uniforms(indices, seed, split, "label_noise", "class"))
    if kind == "random":
        other = (u * classes).long()
    else:
        other = (labels + 1 + (u * (classes - 1)).long()) % classes
    return torch.where(hit, other, labels)
