"""A toy world: a disc or a square, with color and size as nuisances.

It can do what faces can (interventions, cues, counterfactuals, unseen combinations) and takes a few
lines; place and brightness of the ground follow from a picture's identity.
"""

import numpy as np
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.seeds import mix
from lab.worlds.domain import Domain
from lab.worlds.samples import Samples
from lab.worlds.schema import categorical, continuous, schema_of
from lab.worlds.tasks import register, value_task

SCHEMA = schema_of(
    (
        categorical("shape", "structure", ("disc", "square"), "what the picture shows"),
        categorical("color", "looks", ("red", "green", "blue", "yellow"), "color of the shape"),
        continuous("size", "looks", 0.25, 0.4, 0.55, "picture halves", "radius of a disc of its"
                   " area", halves=("small", "large")),
    )
)  # fmt: skip
COLORS = torch.tensor([[0.8, 0.2, 0.2], [0.2, 0.7, 0.3], [0.2, 0.35, 0.85], [0.9, 0.8, 0.2]])


def render(samples: Samples, /, *, size: int = 32, device: str | torch.device = "cpu") -> Tensor:
    """Draw shapes: uint8 (N, 3, size, size) on `device`."""
    salts = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = mix(samples.identity.numpy().view(np.uint64)[:, None] + salts)  # (N, 3)
    chance = torch.from_numpy((bits >> np.uint64(40)).astype(np.float32) * 2.0**-24)
    x, y, ground = chance.to(device)[:, :, None, None].unbind(1)  # (N, 1, 1) each
    center = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
    radius = samples["size"].to(device)[:, None, None]
    across, down = center - (x - 0.5) * 0.8, center[:, None] - (y - 0.5) * 0.8
    disc = (across.square() + down.square()).sqrt() - radius
    square = torch.maximum(across.abs(), down.abs()) - radius * 0.8862269  # of the disc's area
    distance = torch.where(samples["shape"].to(device)[:, None, None] == 0, disc, square)
    cover = (0.5 - distance * (size / 2)).clamp(0, 1)[:, None]  # (N, 1, S, S)
    middle = COLORS.mean(dim=0)
    colors = middle + samples.visibility.get("color", 1.0) * (COLORS - middle)
    ink = colors[samples["color"]].to(device)[:, :, None, None]
    paper = (0.3 + 0.4 * ground)[:, None].expand(-1, 3, size, size)
    return ((paper + cover * (ink - paper)) * 255 + 0.5).to(torch.uint8)


SHAPES = Domain(
    name="shapes",
    noun="shapes",
    schema=SCHEMA,
    render=render,
    arithmetic=lambda: "one disc or square on a plain ground",
    palettes={"color": COLORS},
    showcase=("color", "size"),
    tied=DataConfig(
        task="shape", cues=("color=red/blue:0.9",), cue_visibility=0.5, label_noise=0.3,
        unseen_combinations=("color=red,size=large",), variation=0.8,
    ),
)  # fmt: skip

register(value_task(SHAPES, "shape", "shape", "a disc or a square, of any color and size"))
