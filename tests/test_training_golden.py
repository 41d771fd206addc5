"""Twenty steps of training go as they always went.

If a change is meant: python tests/test_training_golden.py
"""

import json
from pathlib import Path

import pytest
import torch

from lab.core.config import DataConfig, ModelConfig, TrainConfig
from lab.core.seeds import torch_seed
from lab.models import ModelSpec, create_model
from lab.training import EpochBatches
from lab.training.train_step import TrainStep
from lab.worlds import draw_examples

GOLDEN = Path(__file__).parent / "golden" / "training.json"
SAME = 2e-3
"""Relative difference that processors and versions of torch may make in twenty steps."""


def losses() -> list[float]:
    """The loss of each of the first twenty steps of the default network on 64 faces."""
    examples = draw_examples(DataConfig(), split="train", count=64, seed=0)
    torch.manual_seed(torch_seed(0, "weights"))
    model = create_model(ModelConfig().model, ModelSpec())
    config = TrainConfig(steps=20, batch_size=32)
    batches = EpochBatches(examples.images, examples.labels, batch_size=config.batch_size, seed=0)
    train_step = TrainStep(model, batches, config, seed=0)
    found = []
    for _ in range(config.steps):
        train_step.take()
        found.append(train_step.loss())
    return found


def test_twenty_steps_go_as_they_always_went() -> None:
    assert losses() == pytest.approx(json.loads(GOLDEN.read_text()), rel=SAME)


def test_the_same_seed_gives_the_same_bits() -> None:
    assert losses() == losses()


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(losses(), indent=1) + "\n")
    print(f"wrote {GOLDEN}")
