"""Label noise: as much as was asked for, of the kind that was asked for, and nested."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from lab.core.config import DataConfig
from lab.worlds import corrupt, draw_examples, get_task

LABELS = torch.arange(6000) % 3


def noisy(
    share: float, kind: str, seed: int = 0, count: int = 6000, start: int = 0
) -> torch.Tensor:
    labels = LABELS[start : start + count]
    indices = np.arange(start, start + len(labels))
    return corrupt(
        labels, share=share, kind=kind, classes=3, seed=seed, split="train", indices=indices
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_the_measured_rate_is_the_requested_one(share: float) -> None:
    for seed in range(5):
        wrong = int((noisy(share, "random", seed) != LABELS).sum())
        assert binomtest(wrong, 6000, share * 2 / 3).pvalue > 1e-4
        wrong = int((noisy(share, "flip", seed) != LABELS).sum())
        assert binomtest(wrong, 6000, share).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["random", "flip"])
def test_wrong_labels_favor_no_class(kind: str) -> None:
    labels = noisy(1.0, kind)
    for truth in range(3):
        for label in range(3):
            rate = 1 / 3 if kind == "random" else (truth != label) / 2
            count = int((labels[LABELS.eq(truth)] == label).sum())
            assert binomtest(count, 2000, rate).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["random", "flip"])
def test_noise_nests_in_count_and_share(kind: str) -> None:
    whole = noisy(0.3, kind)
    assert torch.equal(noisy(0.3, kind, count=64), whole[:64])
    assert torch.equal(noisy(0.3, kind, start=100, count=50), whole[100:150])
    wrong = whole != LABELS
    assert torch.equal(noisy(0.6, kind)[wrong], whole[wrong])
    assert torch.equal(noisy(0.0, kind), LABELS)


def test_only_training_labels_are_noisy() -> None:
    config = DataConfig(label_noise=1.0, label_noise_kind="flip", image_size=16)
    for split, share in (("train", 1.0), ("validation", 0.0), ("test", 0.0)):
        examples = draw_examples(config, split=split, count=20, seed=0)
        assert examples.mislabeled.float().mean() == share
        assert torch.equal(examples.clean_labels, get_task("person").label(examples.samples))
