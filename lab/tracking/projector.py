"""The projector's files: points, what is known of each, and a thumbnail for each.

`SummaryWriter.add_embedding` writes the same, several times slower and into a new folder at each
step, though the projector shows the last one alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo, ProjectorConfig
from torch import Tensor
from torch.nn.functional import interpolate

from lab.core.atomic import replace_text

PROJECTOR = "projector_config.pbtxt"
FOLDER = "projector"

DIMENSIONS = 64
"""Coordinates of a point. Wide layers have thousands, which take a second to write and make the
projector's own principal components approximate; 64 principal ones hold nearly all of them."""

THUMBNAIL, SPRITE = 64, 8192
"""Pixels: largest side of a thumbnail, and of the picture of all thumbnails (the projector's own
limit)."""


def write_points(
    folder: Path,
    name: str,
    points: Tensor,
    *,
    columns: Mapping[str, Sequence[str]],
    thumbnails: Tensor,
) -> None:
    """Write points, what is known of each and a thumbnail for each, in place of any before.

    `points` (N, D), of which at most `DIMENSIONS` principal coordinates are kept; N texts for each
    of the named `columns`, of which there are at least two; `thumbnails` uint8 (N, 3, S, S).
    """
    assert len(columns) > 1, "without a tab, the projector takes the header for a point's name"
    assert all(len(words) == len(points) for words in columns.values()), "one text for each point"
    (folder / FOLDER).mkdir(exist_ok=True)
    info = EmbeddingInfo(
        tensor_name=name,
        tensor_path=f"{FOLDER}/points.tsv",
        metadata_path=f"{FOLDER}/examples.tsv",
    )
    info.sprite.image_path = f"{FOLDER}/examples.png"
    small = _shrunk(thumbnails)
    info.sprite.single_image_dim.extend(small.shape[2:])

    numbers = principal(points.detach().cpu().nan_to_num(0.0), DIMENSIONS).tolist()
    _write_table(folder / info.tensor_path, (map("{:.6g}".format, row) for row in numbers))
    words = [list(columns), *zip(*columns.values(), strict=True)]
    _write_table(folder / info.metadata_path, (map(_cell, row) for row in words))
    sprite(small).save(folder / info.sprite.image_path, "PNG", compress_level=1)
    config = ProjectorConfig(embeddings=[info])
    replace_text(folder / PROJECTOR, str(config))  # a message's text is its text format


def principal(points: Tensor, dimensions: int) -> Tensor:
    """Points (N, D) with D above `dimensions` along their first principal axes, (N, dimensions);
    others as they are. (`torch.pca_lowrank` would draw random numbers.)"""
    if points.shape[1] <= dimensions:
        return points.double()
    centered = (points - points.mean(dim=0)).double()
    _, axes = torch.linalg.eigh(centered @ centered.T)  # of the smaller matrix, ascending
    ahead: Tensor = axes.flip(1)[:, :dimensions]
    spread: Tensor = (ahead.T @ centered).norm(dim=1)
    return ahead * spread


def sprite(thumbnails: Tensor) -> Image.Image:
    """All `thumbnails` uint8 (N, 3, S, S) in one square picture, row by row."""
    count, _, side, _ = thumbnails.shape
    across = math.ceil(math.sqrt(count))
    grid = torch.zeros(across * across, 3, side, side, dtype=torch.uint8)
    grid[:count] = thumbnails
    rows = grid.view(across, across, 3, side, side).permute(0, 3, 1, 4, 2)
    return Image.fromarray(rows.reshape(across * side, across * side, 3).numpy())


def _shrunk(thumbnails: Tensor) -> Tensor:
    """Thumbnails no larger than the projector takes."""
    across = math.ceil(math.sqrt(len(thumbnails)))
    side = min(thumbnails.shape[-1], THUMBNAIL, SPRITE // across)
    if side == thumbnails.shape[-1]:
        return thumbnails.cpu()
    return interpolate(thumbnails.cpu().float(), size=side, mode="area").round().byte()


def _write_table(path: Path, rows: Iterable[Iterable[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def _cell(text: str) -> str:
    """A text for a tab-separated table: tabs and line breaks would end the cell."""
    return " ".join(text.split())
