"""Augmentation: every face of a batch shifted, turned, mirrored and recolored in its own way.

torchvision's transforms give all pictures of a batch the same change, and one call for each picture
costs ten times a training step. These two are v2 transforms that draw and apply one change per
picture at once; any other v2 transform can join them in `augmentation`. All draw from torch's
global random state, which checkpoints hold.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms import v2

TURN, SHIFT, ZOOM, TINT = 10.0, 0.06, 0.1, 0.2
"""Most that is changed: degrees, share of the side, share of the size, share of each color knob.
About the range that faces have by themselves (`lab/worlds/faces/attributes.py`: rotation,
position)."""


class RandomAffines(v2.Transform):  # type: ignore[misc]
    """Mirror, turn, shift and zoom each picture of a batch (N, C, S, S), float, -1 to 1.

    What comes in from outside is mid-gray (0).
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """One change for each picture: (N,) tensors on the CPU."""
        u = torch.rand(5, len(flat_inputs[0])) * 2 - 1  # (5, N) from -1 to 1
        return {
            "mirror": u[0] < 0,
            "angle": u[1] * TURN,  # degrees, clockwise
            "shift": u[2:4].T * SHIFT,  # (N, 2) shares of the side: right, down
            "scale": 1 + u[4] * ZOOM,
        }

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Apply the changes to the batch."""
        angle = params["angle"] * (math.pi / 180)
        cos, sin = angle.cos() / params["scale"], angle.sin() / params["scale"]
        flip = torch.where(params["mirror"], -1.0, 1.0)
        # A point of the result is fetched from turn⁻¹(point - shift); coordinates are -1 to 1.
        x, y = 2 * params["shift"][:, 0], 2 * params["shift"][:, 1]
        rows = [flip * cos, flip * sin, -flip * (cos * x + sin * y), -sin, cos, sin * x - cos * y]
        matrix = torch.stack(rows, dim=1).view(-1, 2, 3).to(inpt.device, non_blocking=True)
        grid = affine_grid(matrix, list(inpt.shape), align_corners=False)
        return grid_sample(inpt, grid, mode="bilinear", align_corners=False)


class RandomColors(v2.Transform):  # type: ignore[misc]
    """Change brightness, contrast and saturation of each picture (N, 3, S, S), float, -1 to 1."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Three factors for each picture: (3, N)."""
        return {"factors": 1 + TINT * (torch.rand(3, len(flat_inputs[0])) * 2 - 1)}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Apply them in this order, as torchvision's `adjust_…` functions do on 0 to 1."""
        factors = params["factors"].to(inpt.device, non_blocking=True)
        bright, contrast, vivid = factors.view(3, -1, 1, 1, 1)
        pictures = (inpt * 0.5 + 0.5).mul_(bright).clamp_(0, 1)
        mean = _gray(pictures).mean(dim=(1, 2, 3), keepdim=True)
        pictures = mean.lerp(pictures, contrast).clamp_(0, 1)
        pictures = _gray(pictures).lerp(pictures, vivid).clamp_(0, 1)
        return pictures.mul_(2).sub_(1)


def augmentation() -> Callable[[Tensor], Tensor]:
    """What `--augment` does to a batch (N, 3, S, S) float from -1 to 1."""
    transform: Callable[[Tensor], Tensor] = v2.Compose([RandomAffines(), RandomColors()])
    return transform


def _gray(pictures: Tensor) -> Tensor:
    """Luma (N, 1, S, S) with the weights of ITU-R BT.601, as in torchvision."""
    red, green, blue = pictures.unbind(dim=1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)
