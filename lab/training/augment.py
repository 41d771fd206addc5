"""Augmentation: a random affine map, mirroring and color jitter for each picture of a batch.

torchvision's transforms apply the same parameters to a whole batch, and one call per picture takes
ten times as long as a training step. These two are v2 transforms with parameters per picture,
vectorized over the batch; any other v2 transform can be added in `augmentation`. All draw from
torch's global generator, which is seeded anew at every training step.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms import v2

TURN, SHIFT, ZOOM, TINT = 10.0, 0.06, 0.1, 0.2
"""Largest changes: degrees, share of the side, share of the size, share of each color factor.
About the range of the drawn pictures' own rotation and position."""


class RandomAffines(v2.Transform):  # type: ignore[misc]
    """Mirroring, rotation, shift and zoom of each picture of a batch (N, C, S, S), float, -1 to 1.

    Padded with mid-gray (0).
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Parameters of each picture: (N,) tensors on the CPU."""
        u = torch.rand(5, len(flat_inputs[0])) * 2 - 1  # (5, N) from -1 to 1
        return {
            "mirror": u[0] < 0,
            "angle": u[1] * TURN,  # degrees, clockwise
            "shift": u[2:4].T * SHIFT,  # (N, 2) shares of the side: right, down
            "scale": 1 + u[4] * ZOOM,
        }

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """The transformed batch."""
        angle = params["angle"] * (math.pi / 180)
        cos, sin = angle.cos() / params["scale"], angle.sin() / params["scale"]
        flip = torch.where(params["mirror"], -1.0, 1.0)
        # Inverse map: output point p samples the input at R⁻¹(p - shift); coordinates are -1 to 1.
        x, y = 2 * params["shift"][:, 0], 2 * params["shift"][:, 1]
        rows = [flip * cos, flip * sin, -flip * (cos * x + sin * y), -sin, cos, sin * x - cos * y]
        matrix = torch.stack(rows, dim=1).view(-1, 2, 3).to(inpt.device, non_blocking=True)
        grid = affine_grid(matrix, list(inpt.shape), align_corners=False)
        return grid_sample(inpt, grid, mode="bilinear", align_corners=False)


class RandomColors(v2.Transform):  # type: ignore[misc]
    """Brightness, contrast and saturation jitter of each picture (N, 3, S, S), float, -1 to 1."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Three factors of each picture: (3, N)."""
        return {"factors": 1 + TINT * (torch.rand(3, len(flat_inputs[0])) * 2 - 1)}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """The transformed batch: the factors in this order, as torchvision's `adjust_…` functions
        on 0 to 1."""
        factors = params["factors"].to(inpt.device, non_blocking=True)
        bright, contrast, vivid = factors.view(3, -1, 1, 1, 1)
        pictures = (inpt * 0.5 + 0.5).mul_(bright).clamp_(0, 1)
        mean = _gray(pictures).mean(dim=(1, 2, 3), keepdim=True)
        pictures = mean.lerp(pictures, contrast).clamp_(0, 1)
        pictures = _gray(pictures).lerp(pictures, vivid).clamp_(0, 1)
        return pictures.mul_(2).sub_(1)


def augmentation() -> Callable[[Tensor], Tensor]:
    """The transform of `--augment`, for a batch (N, 3, S, S) float from -1 to 1."""
    transform: Callable[[Tensor], Tensor] = v2.Compose([RandomAffines(), RandomColors()])
    return transform


def _gray(pictures: Tensor) -> Tensor:
    """Luma (N, 1, S, S) with the weights of ITU-R BT.601, as in torchvision."""
    red, green, blue = pictures.unbind(dim=1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)
