"""Folders of pictures to train on."""

import os
from pathlib import Path

import numpy as np
from PIL import Image


def fill(place: Path, count: int, shade: int = 0) -> None:
    """Write different pictures of 20 x 16 pixels."""
    place.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([*os.fsencode(place)])
    for number in range(count):
        pixels = random.integers(shade, shade + 100, (16, 20, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:03d}.png")
