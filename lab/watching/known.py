"""Inputs that are known, among which others are searched: exactly, up to rounding, or nearly."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

SAME = 0.02
"""Numbers are nearly the same up to this share of the spread of those at their place."""

TAIL = 0.05
"""Share of the numbers at a place, at each end, of which it does not matter for their spread how
far away they are."""

MANY = 256
"""Numbers of an input from which on they are taken for those of a picture or a record, of which one
place may have hardly any spread, and be rounded as others are."""

AT_ONCE = 256
"""Inputs that are searched at once, at most."""


def _bytes(numbers: Tensor) -> Tensor:
    """Numbers from 0 to 1 as files of pictures have them."""
    return (numbers * 255).round() / 255


ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "bfloat16": lambda numbers: numbers.bfloat16().float(),
    "float16": lambda numbers: numbers.half().float(),
    "bytes": _bytes,
}
"""How inputs may be rounded before a network gets them."""


def rounding_of(fed: Tensor) -> str:
    """The one of `ROUNDINGS` that changes nothing of floats (N, C, S), since they are rounded so;
    "" if there is none."""
    if not fed.is_floating_point():
        return ""
    for name, rounded in ROUNDINGS.items():
        if torch.equal(rounded(fed).nan_to_num(), fed.nan_to_num()):
            return name
    return ""


class Known:
    """Inputs that are measured, by their `probes` (M, C, S), among which others are searched."""

    def __init__(self, probes: Tensor) -> None:
        self.probes = probes
        self._of_rounding: dict[str, dict[bytes, int]] = {}

    @property
    def different(self) -> int:
        """How many of them differ from each other."""
        return len(self._bits)

    def equal(self, fed: Tensor, rounding: str = "") -> Tensor:
        """Which (N,) bool of the probes `fed` (N, C, S) equal one of them in each number, where all
        are rounded by one of `ROUNDINGS`, if it is named."""
        return self.places(fed, rounding) >= 0

    def places(self, fed: Tensor, rounding: str = "") -> Tensor:
        """The place (N,) int64 of the first of them that each of `fed` is equal to, as `equal`
        says; -1 where there is none."""
        if rounding:
            ours, theirs = self._rounded(rounding), ROUNDINGS[rounding](fed)
        else:
            ours, theirs = self._bits, fed
        if fed.dtype != self.probes.dtype:
            ours, theirs = _places(self.probes.double()), fed.double()
        return torch.tensor([ours.get(each, -1) for each in _bits(theirs)], dtype=torch.int64)

    def near(self, fed: Tensor) -> Tensor:
        """Which (N,) bool of the probes `fed` (N, C, S) are the same as one of them up to `SAME`;
        exactly the same, where one of both are whole numbers."""
        if not fed.is_floating_point() or not self.probes.is_floating_point():
            return self.equal(fed)
        ours, spread, finite = self._plain, self._spread, self._finite
        scale = torch.where(spread > 0, spread, 1.0)
        scaled = ours / scale
        found = [torch.zeros(0, dtype=torch.bool)]
        for part in torch.split(fed.flatten(1), AT_ONCE):
            theirs, theirs_finite = part.nan_to_num(0.0, 0.0, 0.0), part.isfinite()
            nearest = torch.cdist(theirs / scale, scaled).argmin(dim=1)
            same = (theirs - ours[nearest]).abs() <= SAME * spread
            found.append((same & (theirs_finite == finite[nearest])).all(dim=1))
        return torch.cat(found)

    def _rounded(self, rounding: str) -> dict[bytes, int]:
        if rounding not in self._of_rounding:
            self._of_rounding[rounding] = _places(ROUNDINGS[rounding](self.probes))
        return self._of_rounding[rounding]

    @cached_property
    def _bits(self) -> dict[bytes, int]:
        return _places(self.probes)

    @cached_property
    def _finite(self) -> Tensor:
        """Which numbers (M, P) are finite."""
        return self.probes.flatten(1).isfinite()

    @cached_property
    def _plain(self) -> Tensor:
        """The numbers (M, P), with 0 for those that are not finite."""
        return self.probes.flatten(1).nan_to_num(0.0, 0.0, 0.0)

    @cached_property
    def _spread(self) -> Tensor:
        """The standard deviation (P,) of the numbers at each place without their tails; of `MANY`
        places at least the median of all that have one."""
        low, high = (torch.quantile(self._plain, end, dim=0) for end in (TAIL, 1 - TAIL))
        spread = self._plain.clamp(low, high).std(dim=0, correction=0)
        if len(spread) >= MANY and bool((spread > 0).any()):
            spread = spread.clamp(min=spread[spread > 0].median())
        return spread


def _bits(probes: Tensor) -> list[bytes]:
    """The bits of the numbers of each (N, C, S), which are the same for 0.0 and -0.0."""
    return [row.tobytes() for row in (probes + 0).flatten(1).numpy()]


def _places(probes: Tensor) -> dict[bytes, int]:
    """The place of the first of the probes with each bits."""
    found: dict[bytes, int] = {}
    for place, bits in enumerate(_bits(probes)):
        found.setdefault(bits, place)
    return found


def are_finite(probes: Tensor) -> Tensor:
    """Which of the probes (N, C, S) have finite numbers only: (N,) bool."""
    return probes.flatten(1).isfinite().all(dim=1)
