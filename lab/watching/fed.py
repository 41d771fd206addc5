"""Whether the inputs that a loop feeds a network are those that it is measured on: the same
examples, changed examples, or inputs of another shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import permutations
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lab.watching.trees import leaves
from lab.watching.turns import Turn, turns

PROBED = 768
"""Numbers of an input that are compared, at most: the same ones of each."""

KNOWN = 4000
"""Measured inputs of which these are kept, at most."""

SAME = 0.02
"""Numbers are nearly the same up to this share of the spread of those at their place."""

TAIL = 0.05
"""Share of the numbers at a place, at each end, of which it does not matter for their spread how
far away they are."""

MANY = 256
"""Numbers of an input from which on they are taken for those of a picture or a record, of which one
place may have hardly any spread, and be rounded as others are."""

ALIKE = 0.9995
"""Correlation from which on two inputs show the same, up to a factor and a summand."""

AGREE = 0.03
"""Factors agree up to this share of them, and summands up to this share of a standard deviation."""

LITTLE = 0.1
"""A change by no more than this share, which moves the mean by no more than this share of a
standard deviation, is not told."""

ROUNDED = 1e-3
"""What a mean is moved by where nothing is changed but rounding, at most, of inputs of which any
change is told."""

LEAST, MOST = 6, 0.9
"""A change is one that the loop makes of all inputs if it is found in so many of them at least, and
in this share of those that were found among the measured ones: chance that changes half of them
does so to all of six in 1.6 % of loops, and to 15 of 16 in 0.03 %."""

EVEN = 0.5
"""Inputs are normalized each by itself if their means and spreads differ by less than this share of
what those of the measured ones do."""

BLANK = 0.1
"""Share of zeros in the inputs of the loop above that in the measured ones, from which on their
means say nothing: parts are cut off or left out."""

AT_ONCE = 256
"""Inputs that are searched at once, at most."""

COUNTED = 16
"""Numbers of a channel below which two inputs are correlated by chance."""

TRIED = 64
"""Inputs in which changes are looked for, at most."""

APART = 1.0
"""Standard deviations of the numbers of a channel by which its mean must be another one. Zeros, or
anything else that is constant, in place of up to a half of each input shift it by less."""


class Shown:
    """What the network gets when `count` examples are measured: `probes` of the inputs that pass
    through it inside `watching`, at most `KNOWN`, and their `shape` without the batch."""

    def __init__(self, count: int) -> None:
        self.count = min(count, KNOWN)
        self.shape: torch.Size | None = None
        self._parts: list[Tensor] = []
        self._seen, self._unfit = 0, False

    @property
    def is_whole(self) -> bool:
        """Whether enough was seen, or nothing can be made of it."""
        return self._unfit or self._seen >= self.count

    @cached_property
    def known(self) -> Known | None:
        """Those of them among which others are searched; to be asked for once it `is_whole`."""
        return None if self.probes is None else Known(self.probes)

    @property
    def probes(self) -> Tensor | None:
        """Of all that were seen, as `probed` (N, C, S); None before there are enough, and where the
        inputs differ in their shapes, or are not in rows."""
        if self._unfit or self._seen < self.count:
            return None
        return torch.cat(self._parts)[: self.count]

    @contextmanager
    def watching(self, network: nn.Module, count: int) -> Iterator[None]:
        """Look at the first call of `network` inside, with `count` examples."""
        if self.is_whole:
            yield
            return
        calls: list[Any] = []

        def look(module: nn.Module, args: Any, named: Any) -> None:
            if not calls and not torch.compiler.is_compiling():
                calls.append(None)
                try:
                    self._keep(first_of([args, named], None), count)
                except Exception:  # whatever is fed, measuring goes on
                    self._unfit = True

        handle = None
        with suppress(Exception):  # scripted networks refuse hooks
            handle = network.register_forward_pre_hook(look, with_kwargs=True)
        try:
            yield
        finally:
            self._unfit = self._unfit or not calls
            if handle is not None:
                handle.remove()

    def _keep(self, found: Tensor, count: int) -> None:
        rows = found.detach().as_subclass(Tensor)
        fits = rows.ndim > 1 and len(rows) == count
        if not fits or self.shape not in (None, rows.shape[1:]):
            self._unfit = True
            return
        self.shape = rows.shape[1:]
        with torch.no_grad():
            self._parts.append(probed(rows))
        self._seen += len(rows)


def first_of(inputs: Any, shape: torch.Size | None) -> Tensor:
    """The tensor of the inputs of a call that is compared: of those in floating point (without any:
    of all) the first one with rows of this shape, or else with as many axes, or else the first.
    Complex numbers are two each, along a last axis."""
    found = [
        torch.view_as_real(each.resolve_conj()) if each.is_complex() else each
        for each in leaves(inputs)
    ]
    floats = [each for each in found if each.is_floating_point()] or found
    if shape is not None:
        fitting = [each for each in floats if each.ndim == len(shape) + 1]
        same = [each for each in fitting if each.shape[1:] == shape]
        floats = same or fitting or floats
    return floats[0]


def probed(rows: Tensor) -> Tensor:
    """Some numbers of each row (N, …), by channel: (N, C, S) on the CPU, float32, or int64 of whole
    numbers. Which ones they are depends on the shape of a row alone."""
    split = _by_channel(rows)
    channels, numbers = split.shape[1:]
    most = max(1, PROBED // channels)
    if numbers > most:
        drawn = torch.randperm(numbers, generator=torch.Generator().manual_seed(0))[:most].sort()[0]
        split = split.index_select(2, drawn.to(split.device))
    kind = torch.float32 if split.is_floating_point() else torch.int64
    return split.detach().to(kind).cpu().clone()


def _by_channel(rows: Tensor) -> Tensor:
    """Rows (N, …) as (N, C, P): of pictures by channel; of others all as one, unless few of their
    first axis are long ones, as of a record of several signals."""
    shape = rows.shape[1:]
    if len(shape) == 3 and shape[0] not in (1, 3, 4) and shape[2] in (1, 3, 4):  # channels last
        rows, shape = rows.permute(0, 3, 1, 2), torch.Size((shape[2], *shape[:2]))
    few = len(shape) > 1 and shape[0] <= COUNTED <= shape[1:].numel()
    return rows.reshape(len(rows), shape[0] if few else 1, -1)


class Difference(NamedTuple):
    """How the inputs that a loop feeds differ from those that are measured: in words that go on
    with "the loop feeds the model" (empty: not, or as chance changes them: augmentation, noise,
    mixtures, attacks), with `code` that does the same. `known`: whether some are among the measured
    ones as they are; `found`: whether they are measured ones that are changed in one way."""

    known: bool
    said: str = ""
    found: bool = False
    code: str = "normalize(x)"


def difference(rows: Tensor, shown: Tensor, *, expected: float) -> Difference:
    """That of the inputs `rows` (N, …) from those that are measured, of which `shown` (M, C, S) are
    the probes; `expected` is how many of them are among the others if nothing is changed. Of whole
    numbers in both, such as words, means are not compared, since augmentation may change some."""
    are_words = not (rows.is_floating_point() or shown.is_floating_point())
    rows, shown = rows.float(), shown.float()
    fed = probed(rows)
    measured = Known(shown)
    exactly = measured.equal(fed, rounding_of(fed))
    same = exactly if are_words else exactly | measured.near(fed)
    known, some = int(same.sum()), bool(exactly.any())
    if known > expected / 2:
        return Difference(True)
    finite, rest = _are_finite(fed), shown[_are_finite(shown)]
    if int(finite.sum()) < LEAST or len(rest) < LEAST:
        return Difference(some)
    rows, fed, same, shown = rows[finite], fed[finite], same[finite], rest
    others = rows[~same][:TRIED]
    least = 0.0 if are_words else LITTLE
    changed, found = _changed(probed(others), shown, known, least=least)
    if changed is None:
        changed = _turned(others, shown, known + found)
    if changed is None and not (known or are_words) and found <= MOST * len(others):
        changed = _shifted(fed, shown)
    return (changed or Difference(False))._replace(known=some)


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
        self._of_rounding: dict[str, set[bytes]] = {}

    def equal(self, fed: Tensor, rounding: str = "") -> Tensor:
        """Which (N,) bool of the probes `fed` (N, C, S) equal one of them in each number, where all
        are rounded by one of `ROUNDINGS`, if it is named."""
        if rounding:
            ours, theirs = self._rounded(rounding), ROUNDINGS[rounding](fed)
        else:
            ours, theirs = self._bits, fed
        if fed.dtype != self.probes.dtype:
            ours, theirs = {*_bits(self.probes.double())}, fed.double()
        return torch.tensor([each in ours for each in _bits(theirs)], dtype=torch.bool)

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

    def _rounded(self, rounding: str) -> set[bytes]:
        if rounding not in self._of_rounding:
            self._of_rounding[rounding] = {*_bits(ROUNDINGS[rounding](self.probes))}
        return self._of_rounding[rounding]

    @cached_property
    def _bits(self) -> set[bytes]:
        return {*_bits(self.probes)}

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


def _are_finite(probes: Tensor) -> Tensor:
    """Which of the probes (N, C, S) have finite numbers only: (N,) bool."""
    return probes.flatten(1).isfinite().all(dim=1)


def _turned(rows: Tensor, shown: Tensor, known: int) -> Difference | None:
    """Whether nearly all examples among `rows` (N, …) are mirrored or turned in the same way;
    `known` more are not."""
    tried = [
        _changed(probed(turn.undone(rows)), shown, known, turn) for turn in turns(rows.shape[1:])
    ]
    every = known + sum(found for _, found in tried)
    return next((each for each, found in tried if each and found >= MOST * every), None)


def _changed(
    fed: Tensor, shown: Tensor, known: int, turn: Turn | None = None, *, least: float = LITTLE
) -> tuple[Difference | None, int]:
    """How the examples among `fed` are changed, where it is the same way in nearly all; and how
    many of them show what one of `shown` does, however it is changed. `known` more are as they
    are; `turn`: of all of `fed` this was undone; `least`: as `LITTLE`."""
    if fed.shape[2] < COUNTED or not len(fed):
        return None, 0
    match, order, every = _matches(fed, shown)
    alike = order >= 0
    found = int(alike.sum())
    if found < LEAST:
        return None, found
    number = int(order[alike].mode().values)
    chosen = order == number
    given, made = shown[match[chosen]][:, list(every[number])].double(), fed[chosen].double()
    spread = made.std(dim=2)
    factor = _signs(given, made) * spread / given.std(dim=2)
    summand = made.mean(dim=2) - factor * given.mean(dim=2)
    by, added = factor.median(dim=0).values, summand.median(dim=0).values
    within = AGREE * spread.median(dim=0).values
    usual = ((factor - by).abs() <= AGREE * by.abs()) & ((summand - added).abs() <= within)
    enough = max(LEAST, MOST * (known + found))
    if usual.all(dim=1).sum() >= enough:
        little = least * spread.median(dim=0).values + (0.0 if least else ROUNDED)
        moved = (made.mean(dim=2) - given.mean(dim=2)).median(dim=0).values.abs()
        plain = bool(((by - 1).abs() <= LITTLE).all() & (moved <= little).all())
        if plain and not number and not turn:
            return None, found
        pairs = [] if plain else list(zip(by.tolist(), added.tolist(), strict=True))
        return _told(turn, every[number] if number else (), pairs), found
    if len(made) >= enough and _are_even(made, given):
        said = "each training example normalized by its own mean and spread"
        return Difference(False, f"{said}, and it is measured on them as they are", True), found
    return None, found


def _are_even(made: Tensor, given: Tensor) -> bool:
    """Whether the means and spreads of `made` (N, C, S) differ much less than those of `given`."""
    far = []
    for each in (made.flatten(1), given.flatten(1)):
        spread = each.std(dim=1)
        far.append((spread.log().std(), each.mean(dim=1).std() / spread.median()))
    return all(bool(mine < EVEN * others) for mine, others in zip(*far, strict=True))


def _matches(fed: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, list[tuple[int, ...]]]:
    """Which of `shown` each of `fed` (N,) shows, up to a factor and a summand of each channel and
    the order of the channels, the number of which in the list of all orders is given, too (N,), -1
    where it shows none. The first order is that in which they are."""
    channels = range(fed.shape[1])
    theirs, ours = _standardized(fed), _standardized(shown)
    every = sorted(permutations(channels)) if len(channels) <= 4 else [tuple(channels)]
    place = torch.zeros(len(fed), dtype=torch.long)
    order = torch.full_like(place, -1)
    for number, way in enumerate(every):
        least = (theirs[:, 0] @ ours[:, way[0]].T).abs()
        for c in channels[1:]:
            least = torch.minimum(least, (theirs[:, c] @ ours[:, way[c]].T).abs())
        value, nearest = least.max(dim=1)
        new = (value > ALIKE) & (order < 0)
        place[new], order[new] = nearest[new], number
    return place, order, every


def _standardized(numbers: Tensor) -> Tensor:
    """Numbers (N, C, S) with mean 0 and length 1 along the last axis; constant ones are 0."""
    away = numbers - numbers.mean(dim=2, keepdim=True)
    length = away.norm(dim=2, keepdim=True)
    constant = length <= 1e-5 * numbers.norm(dim=2, keepdim=True).clamp(min=1e-12)
    return torch.where(constant, 0.0, away / length.clamp(min=1e-30))


def _signs(one: Tensor, other: Tensor) -> Tensor:
    """The signs (N, C) of the correlations of two of (N, C, S)."""
    product = (one - one.mean(dim=2, keepdim=True)) * (other - other.mean(dim=2, keepdim=True))
    return product.sum(dim=2).sign()


def _told(
    turn: Turn | None, way: tuple[int, ...], changes: list[tuple[float, float]]
) -> Difference:
    """A change in words: how they are turned, the order of the channels, and a factor and a summand
    for each."""
    told, code = [], ""
    if turn:
        told.append(turn.said)
        code = turn.code
    if way:
        told.append(f"with their channels in the order {', '.join(map(str, way))}")
        code = f"{code or 'x'}[:, {list(way)}]"
    if changes:
        parts = list(dict.fromkeys(_formula(by, added) for by, added in changes))
        each = ", channel by channel" if len(parts) > 1 else ""
        told.append(f"as {'; '.join(parts)}{each}")
        code = f"normalize({code or 'x'})"
    said = f"its training examples {' and '.join(told)}, and it is measured on "
    return Difference(False, f"{said}{'x itself' if changes else 'them as they are'}", True, code)


def _formula(factor: float, summand: float) -> str:
    """factor * x + summand."""
    by = "" if abs(factor - 1) < 0.005 else f"{factor:.3g} "
    if abs(summand) < 0.001 * max(1.0, abs(factor)):
        return f"{by}x"
    return f"{by}x {'+' if summand > 0 else '-'} {abs(summand):.3g}"


def _shifted(fed: Tensor, shown: Tensor) -> Difference | None:
    """Whether the mean of a channel is another one: for most inputs beyond that of any measured
    input, and by more than `APART`. Of rows of one channel each number is asked, too: whether that
    holds for most of them, or for one of a few."""
    if (fed == 0).float().mean() > (shown == 0).float().mean() + BLANK:
        return None
    theirs, ours = fed.mean(dim=2), shown.mean(dim=2)
    away = _away(theirs, ours, fed, shown)
    if bool(away.any()):
        worst = int(away.argmax())
        where = f" in channel {worst}" if fed.shape[1] > 1 else ""
        return _means(theirs[:, worst], ours[:, worst], where)
    if fed.shape[1] == 1:
        theirs, ours = fed[:, 0], shown[:, 0]
        away = _away(theirs, ours, fed.transpose(1, 2), shown.transpose(1, 2))
        varied = int((ours.amax(dim=0) > ours.amin(dim=0)).sum())
        if (away > 0).sum() > (0 if fed.shape[2] < COUNTED else varied / 2):
            worst = int(away.argmax())
            return _means(theirs[:, worst], ours[:, worst], f" of their number {worst}")
    return None


def _away(theirs: Tensor, ours: Tensor, fed: Tensor, shown: Tensor) -> Tensor:
    """How far the means of channels (N, C) and (M, C) lie apart, in standard deviations of their
    numbers, (N, C, S) and (M, C, S); 0 where that is no other mean, as `_shifted` says."""
    low, high = ours.amin(dim=0), ours.amax(dim=0)
    usual = theirs.median(dim=0).values
    beyond = ((usual > high) | (usual < low)) & (high > low)
    spreads = [each.transpose(0, 1).flatten(1).std(dim=1) for each in (fed, shown)]
    apart = (theirs.mean(dim=0) - ours.mean(dim=0)).abs()
    apart = apart / torch.maximum(*spreads).clamp(min=1e-12)
    return torch.where(beyond & (apart > APART), apart, 0.0)


def _means(theirs: Tensor, ours: Tensor, where: str) -> Difference:
    return Difference(
        False,
        f"inputs with a mean of {theirs.mean().item():.3g}{where}, and it is measured on inputs"
        f" with a mean of {ours.mean().item():.3g}",
    )
