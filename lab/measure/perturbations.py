"""Perturbations: fixed changes of any picture, for pictures whose attributes cannot be changed.

Unlike an intervention on an attribute, a perturbation changes several things of a picture at once,
and may leave pictures of a kind that training never showed. It says what predictions depend on, not
what they should depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

Perturbation = Callable[[Tensor], Tensor]
"""Makes of uint8 pictures (N, 3, S, S) as many of that shape and type."""

NOISE = 25
"""Standard deviation of the noise in each channel of each pixel, of 255."""

BLUR = 1 / 32
"""Standard deviation of the blur, as a share of the picture's side: 1 pixel of 32."""

SHIFT = 1 / 16
"""Distance of the shift to the right and downwards, as a share of the picture's side."""

GRID = 4
"""Patches to a side of the picture."""


def gray(images: Tensor) -> Tensor:
    """Without color: all three channels are the luma (ITU-R 601)."""
    # of whole numbers torchvision cuts off what is behind the point, so that gray ones darken
    changed: Tensor = _functions().rgb_to_grayscale(images.float(), num_output_channels=3)
    return changed.round().to(torch.uint8)


def hue(images: Tensor) -> Tensor:
    """Each color in its complement of the same saturation and value: hue turned by 180 degrees."""
    changed: Tensor = _functions().adjust_hue(images, 0.5)
    return changed


def blur(images: Tensor) -> Tensor:
    """Blurred by a Gaussian with standard deviation `BLUR`."""
    sigma = BLUR * images.shape[-1]
    changed: Tensor = _functions().gaussian_blur(
        images, kernel_size=2 * round(3 * sigma) + 1, sigma=sigma
    )
    return changed


def noise(images: Tensor) -> Tensor:
    """With Gaussian noise of standard deviation `NOISE` added, the same for each picture."""
    generator = torch.Generator().manual_seed(0)
    added = NOISE * torch.randn(images.shape[1:], generator=generator)
    return (images + added.to(images.device)).round().clamp(0, 255).to(torch.uint8)


def mirror(images: Tensor) -> Tensor:
    """Left and right exchanged."""
    changed: Tensor = _functions().horizontal_flip(images)
    return changed


def shift(images: Tensor) -> Tensor:
    """Moved by `SHIFT` to the right and downwards; the first column and row are repeated."""
    by = max(1, round(SHIFT * images.shape[-1]))
    kept = images[..., : images.shape[-2] - by, : images.shape[-1] - by]
    changed: Tensor = _functions().pad(kept, [by, by, 0, 0], padding_mode="edge")
    return changed


PERTURBATIONS: Mapping[str, Perturbation] = {
    "gray": gray,
    "hue": hue,
    "blur": blur,
    "noise": noise,
    "mirror": mirror,
    "shift": shift,
}
"""All perturbations of whole pictures, by name. A new one is its function and a line here."""


def _functions() -> Any:
    """torchvision's, whose import takes two seconds, which most runs need not wait for."""
    from torchvision.transforms.v2 import functional

    return functional


def occlusions(images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Each of the `GRID` x `GRID` patches by name ("row1_column1" is at the top left), with the
    pictures in which it has the picture's mean color.

    Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2,
    with patches that do not overlap.
    """
    mean = images.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8)
    ends = [round(part * images.shape[-1] / GRID) for part in range(GRID + 1)]
    for row in range(GRID):
        for column in range(GRID):
            occluded = images.clone()
            occluded[..., ends[row] : ends[row + 1], ends[column] : ends[column + 1]] = mean
            yield f"row{row + 1}_column{column + 1}", occluded
