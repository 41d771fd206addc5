"""The attribute table: every variable that controls the drawing, declared once.

A new nuisance is one row here and its use in the drawing. Ranges are what a drawing accepts, and
what a prior covers at `variation=1`; `typical` is the value that everybody has at `variation=0`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.core.text import unknown

Kind = Literal["categorical", "count", "continuous"]
Group = Literal["structure", "stray", "face", "scene", "camera"]


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One row of the table.

    `values` (categorical: names; count: whole numbers) come with `prior`, their probabilities.
    Continuous attributes have `low` and `high` and a uniform prior, or with `peak` a triangular one
    (density 0 at both ends, highest at `typical`), so that extremes are rare.
    """

    name: str
    kind: Kind
    group: Group
    meaning: str
    values: tuple[str | int, ...] = ()
    prior: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    peak: bool = False
    unit: str = ""
    typical: str | int | float = 0.0
    halves: tuple[str, str] = ("low", "high")
    """What numbers below and above the median of a continuous prior are called."""

    @property
    def options(self) -> tuple[str, ...]:
        """What a cue or a hold-out can choose from, in words: the values, or the two halves."""
        return self.halves if self.kind == "continuous" else tuple(map(str, self.values))

    def option(self, word: str) -> int:
        """The position of `word` in `options`; `ValueError` with the nearest match otherwise."""
        if word not in self.options:
            raise ValueError(unknown(f"value for {self.name}", word, self.options))
        return self.options.index(word)

    def option_of(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
        """The option (N,) that each value of a batch (N,) belongs to."""
        if self.kind != "continuous":
            return values.astype(np.int64)
        median = self.quantile(np.array([0.5])).astype(np.float32)
        above: npt.NDArray[np.bool_] = np.greater(values, median)
        return above.astype(np.int64)

    def within(
        self,
        option: npt.NDArray[np.int64],
        u: npt.NDArray[np.float64],
        *,
        variation: float = 1.0,
    ) -> npt.NDArray[np.float64]:
        """Values (N,) of the given options: the value itself, or at level `u` (N,) of its half."""
        if self.kind != "continuous":
            return option.astype(np.float64)
        return self.quantile(0.5 * (u + option), variation=variation)

    def mass(self, variation: float = 1.0) -> npt.NDArray[np.float64]:
        """The prior's probability of each option."""
        if self.kind == "continuous":
            return np.array([0.5, 0.5])
        pull = self._pull(variation)
        mass = np.asarray(self.prior) * pull
        mass[int(self.code(self.typical))] += 1.0 - pull
        return mass

    def _pull(self, variation: float) -> float:
        return 1.0 if self.group == "structure" else variation

    def quantile(
        self, u: npt.NDArray[np.float64], *, variation: float = 1.0
    ) -> npt.NDArray[np.float64]:
        """Values at the levels `u` (N,) in [0, 1) of the prior's distribution: codes or numbers.

        `variation` in [0, 1] pulls a nuisance towards its typical value; structure is not pulled.
        Continuous attributes are scaled towards it, others are given it more often.
        """
        pull = self._pull(variation)
        if self.kind == "continuous":
            center = float(self.typical)
            raw = (
                _triangular(u, self.low, center, self.high)
                if self.peak
                else (self.low + u * (self.high - self.low))
            )
            return center + pull * (raw - center)
        ends = np.cumsum(self.mass(variation))
        ends /= ends[-1]  # to exactly 1, also for the last value that has any mass
        return np.searchsorted(ends, u, side="right").astype(np.float64)

    def code(self, value: object) -> float:
        """The number that stands for `value` in a batch: a name's index, or the number itself.

        Raises `ValueError` saying what is allowed.
        """
        if self.kind == "categorical":
            if isinstance(value, str) and value in self.values:
                return self.values.index(value)
            raise ValueError(unknown(f"value for {self.name}", value, map(str, self.values)))
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        if self.kind == "count":
            if number is not None and number in self.values:
                return int(number)
            allowed = ", ".join(map(str, self.values))
            raise ValueError(f"{self.name} must be one of {allowed}, not {value!r}")
        # a batch's own numbers are welcome: float32 may put the ends a little further out
        low, high = np.array([self.low, self.high], dtype=np.float32).tolist()
        if number is None or not min(low, self.low) <= number <= max(high, self.high):
            raise ValueError(
                f"{self.name} must be a number from {self.low:g} to {self.high:g}"
                f"{' ' + self.unit if self.unit else ''}, not {value!r}"
            )
        return float(number)


def _triangular(
    u: npt.NDArray[np.float64], low: float, mode: float, high: float
) -> npt.NDArray[np.float64]:
    split = (mode - low) / (high - low)
    rising = low + np.sqrt(u * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - u) * (high - low) * (high - mode))
    return np.where(u < split, rising, falling)


def _names(
    name: str,
    group: Group,
    values: Sequence[str],
    meaning: str,
    prior: Sequence[float] | None = None,
) -> Attribute:
    weights = prior or [1 / len(values)] * len(values)
    return Attribute(
        name=name, kind="categorical", group=group, meaning=meaning,
        values=tuple(values), prior=tuple(weights), typical=values[0],
    )  # fmt: skip


def _count(
    name: str, group: Group, typical: int, prior: Sequence[float], meaning: str
) -> Attribute:
    return Attribute(
        name=name, kind="count", group=group, meaning=meaning,
        values=tuple(range(len(prior))), prior=tuple(prior), typical=typical,
    )  # fmt: skip


def _range(
    name: str, group: Group, low: float, typical: float, high: float, unit: str, meaning: str,
    *, halves: tuple[str, str], peak: bool = False,
) -> Attribute:  # fmt: skip
    return Attribute(
        name=name, kind="continuous", group=group, meaning=meaning,
        low=low, high=high, typical=typical, unit=unit, halves=halves, peak=peak,
    )  # fmt: skip


OBJECTS = ("clock", "house", "mug", "flower", "car")
SHUFFLES = ("flipped", "ears_inside", "rotated", "column", "traded")

# Structure priors: every kind of picture (all parts, some missing, scrambled, object) has at least
# 5 % under independent draws, so that conditioning on a kind stays cheap.
_TABLE = (
    _names("subject", "structure", ("head", *OBJECTS), "what the picture shows",
           [0.7, 0.06, 0.06, 0.06, 0.06, 0.06]),
    _names("arrangement", "structure", ("natural", *SHUFFLES), "where the parts of a head sit",
           [0.6, 0.08, 0.08, 0.08, 0.08, 0.08]),
    _count("eyes", "structure", 2, [0.25, 0.13, 0.62], "eyes in the face"),
    _count("nose", "structure", 1, [0.4, 0.6], "noses in the face"),
    _count("mouth", "structure", 1, [0.4, 0.6], "mouths in the face"),
    _count("ears", "structure", 2, [0.3, 0.08, 0.62], "ears on the head"),
    _count("stray_eyes", "stray", 0, [0.8, 0.2, 0, 0], "eyes beside the head"),
    _count("stray_noses", "stray", 0, [0.8, 0.2, 0], "noses beside the head"),
    _count("stray_mouths", "stray", 0, [0.8, 0.2, 0], "mouths beside the head"),
    _count("stray_ears", "stray", 0, [0.8, 0.2, 0, 0], "ears beside the head"),
    _names("eye_color", "face", ("brown", "blue", "green", "gray", "amber"), "color of the irises"),
    _range("eye_size", "face", 0.8, 1.0, 1.25, "times", "size of the eyes",
           halves=("small", "large"), peak=True),
    _range("eye_spacing", "face", 0.88, 1.0, 1.14, "times", "distance of eyes, brows, lenses",
           halves=("close", "wide"), peak=True),
    _range("gaze", "face", -1, 0, 1, "", "where the eyes look: -1 left, 1 right",
           halves=("left", "right"), peak=True),
    _range("eyebrows", "face", 0, 0.5, 1, "", "thickness of the eyebrows",
           halves=("thin", "thick")),
    _range("nose_size", "face", 0.75, 1.0, 1.3, "times", "size of the nose",
           halves=("small", "large"), peak=True),
    _range("mouth_open", "face", 0, 0.25, 1, "", "how far the mouth is open",
           halves=("closed", "open")),
    _range("smile", "face", -0.7, 0.4, 1, "", "corners of the mouth: -0.7 down, 1 up",
           halves=("down", "up"), peak=True),
    _names("lip_color", "face", ("rose", "red", "brown", "plum"), "color of the lips"),
    _range("ear_size", "face", 0.8, 1.0, 1.3, "times", "size of the ears",
           halves=("small", "large"), peak=True),
    _names("skin_color", "face", ("light", "fair", "tan", "olive", "brown", "dark"),
           "color of the skin"),
    _range("blush", "face", 0, 0.3, 1, "", "redness of the cheeks", halves=("pale", "rosy")),
    _range("head_width", "face", 0.86, 1.0, 1.14, "times", "width of the head",
           halves=("narrow", "wide"), peak=True),
    _range("head_height", "face", 0.9, 1.0, 1.1, "times", "height of the head",
           halves=("short", "tall"), peak=True),
    _range("hair_length", "face", 0, 0.4, 1, "", "length of the hair: 0 cropped, 1 below the chin",
           halves=("short", "long")),
    _names("hair_color", "face", ("brown", "black", "blond", "red", "gray", "chestnut"),
           "color of hair, eyebrows and beard"),
    _names("hair_style", "face", ("straight", "parted", "curly", "fringe"), "shape of the hair"),
    _names("beard", "face", ("none", "stubble", "mustache", "full"), "facial hair",
           [0.55, 0.15, 0.15, 0.15]),
    _names("glasses", "face", ("none", "round", "square"), "glasses", [0.6, 0.2, 0.2]),
    _names("clothes_color", "scene", ("navy", "red", "green", "white", "mustard", "black"),
           "color of the clothes"),
    _names("background_color", "scene",
           ("blue", "sand", "green", "pink", "gray", "lilac", "rust", "brown"),
           "color of the background"),
    _names("background_pattern", "scene", ("plain", "stripes", "dots", "checks", "waves"),
           "pattern of the background"),
    _range("light_direction", "scene", -120, 30, 120, "degrees", "where light comes from: 0 above, "
           "90 right", halves=("left", "right")),
    _range("light_strength", "scene", 0, 0.5, 1, "", "contrast of light and shade",
           halves=("soft", "hard")),
    _range("position_x", "camera", -0.21, 0, 0.21, "picture halves", "shift to the right",
           halves=("left", "right")),
    _range("position_y", "camera", -0.16, 0, 0.16, "picture halves", "shift downwards",
           halves=("up", "down")),
    _range("scale", "camera", 0.84, 1.0, 1.18, "times", "size in the picture",
           halves=("small", "large")),
    _range("rotation", "camera", -15, 0, 15, "degrees", "tilt, clockwise",
           halves=("left", "right"), peak=True),
    _range("blur", "camera", 0, 0, 0.02, "picture halves", "radius of the blur",
           halves=("sharp", "blurred")),
    _range("pixel_noise", "camera", 0, 0.01, 0.04, "of full range", "deviation of the pixel noise",
           halves=("clean", "noisy")),
)  # fmt: skip

ATTRIBUTES: dict[str, Attribute] = {row.name: row for row in _TABLE}
"""The table, by name, in the order in which it is printed."""

PARTS = ("eyes", "nose", "mouth", "ears")
"""What makes a face, in the order of the tables."""

STRAYS = {
    "eyes": "stray_eyes",
    "nose": "stray_noses",
    "mouth": "stray_mouths",
    "ears": "stray_ears",
}
"""Part -> the attribute that counts its likes beside the head."""


def attribute(name: str) -> Attribute:
    """The row called `name`; `ValueError` with the nearest match if there is none."""
    if name not in ATTRIBUTES:
        raise ValueError(unknown("attribute", name, ATTRIBUTES))
    return ATTRIBUTES[name]
