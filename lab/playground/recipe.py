"""Recipes: the settings of a run that can be chosen on the page, with the bounds of each.

Standard library only, so that a board can check one before PyTorch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.text import unknown
from lab.playground.errors import RequestError

NO_CUE = "none"

CUES = (
    NO_CUE, "eye_color", "background_color", "hair_color", "skin_color", "clothes_color",
    "glasses", "beard", "hair_length", "mouth_open", "smile", "position_x",
)  # fmt: skip
"""Nuisances that a recipe can tie to the label."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: a number from `low` to `high` in steps of `step` (whole if that is), a choice of
    `values`, or a switch. `words` is its label on the page, `meaning` what it does."""

    name: str
    words: str
    meaning: str
    kind: str
    default: Any
    low: float = 0
    high: float = 0
    step: float = 1
    values: tuple[str, ...] = ()

    def read(self, value: object) -> Any:
        """A value from a request; `RequestError` names the setting, the value and what is
        allowed."""
        if self.kind == "switch":
            if isinstance(value, bool):
                return value
            raise RequestError(f"{self.words}: true or false, not {str(value)[:40]!r}")
        if self.kind == "choice":
            if isinstance(value, str) and value in self.values:
                return value
            raise RequestError(unknown(self.words, str(value)[:40], self.values))
        whole = float(self.step).is_integer()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            fits = self.low <= value <= self.high and (not whole or int(value) == value)
            if fits:
                return int(value) if whole else float(value)
        what = "a whole number" if whole else "a number"
        raise RequestError(
            f"{self.words}: {what} from {self.low:g} to {self.high:g}, not {str(value)[:40]!r}"
        )


SETTINGS = (
    Setting(
        name="num_train", words="training faces", kind="number", default=60, low=2, high=3000,
        meaning="The fewer, the more is memorized",
    ),
    Setting(
        name="label_noise", words="share of wrong labels", kind="number", default=0.0, high=1,
        step=0.05,
        meaning="Share of the training labels that are made wrong: they can only be memorized",
    ),
    Setting(
        name="cue", words="cue", kind="choice", default=NO_CUE, values=CUES,
        meaning="A nuisance that tells the label in training: a shortcut",
    ),
    Setting(
        name="cue_strength", words="strength of the cue, 0.5 to 1", kind="number", default=1.0,
        low=0.5, high=1, step=0.05, meaning="How often the cue agrees with the label; 0.5: no link",
    ),
    Setting(
        name="width", words="width", kind="number", default=8, low=1, high=32,
        meaning="Channels of the network's first layer: the more, the larger the network",
    ),
    Setting(
        name="steps", words="steps", kind="number", default=300, low=1, high=3000,
        meaning="Optimizer steps",
    ),
    Setting(
        name="augment", words="augmentation", kind="switch", default=False,
        meaning="Shift, rotate, mirror and recolor training faces at random",
    ),
    Setting(
        name="online", words="new faces at every step", kind="switch", default=False,
        meaning="No face is seen twice, so none can be memorized",
    ),
    Setting(
        name="dropout", words="dropout", kind="number", default=0.0, high=0.9, step=0.1,
        meaning="Share of the last features that are dropped in training",
    ),
    Setting(
        name="weight_decay", words="weight decay", kind="number", default=0.0, high=1, step=0.1,
        meaning="Pulls all weights towards 0",
    ),
    Setting(
        name="seed", words="seed", kind="number", default=0, high=9999,
        meaning="Another seed draws other faces and other first weights",
    ),
)  # fmt: skip

NUM_TEST, COUNTERFACTUALS = 500, 24
"""Faces of these runs on which accuracy and reliance are measured: few, so that they end soon."""

CHECKPOINT_EVERY = 0.5
"""Seconds between checkpoints, and so between changes of the answers that the page shows."""


def trained_on_the_page(config: RunConfig) -> bool:
    """Whether a run's settings are those of a recipe: few faces to measure on, and checkpoints at
    short intervals."""
    found = (config.data.num_test, config.counterfactuals, config.checkpoint_every)
    return found == (NUM_TEST, COUNTERFACTUALS, CHECKPOINT_EVERY)


def settings_table() -> list[dict[str, Any]]:
    """The settings as JSON values."""
    return [asdict(setting) for setting in SETTINGS]


def config_of(recipe: Mapping[str, object], out: Path) -> RunConfig:
    """The run that a recipe describes (settings that it lacks have their defaults), in the folder
    `out`; `RequestError` in one line if a setting is unknown or out of bounds."""
    known = {setting.name: setting for setting in SETTINGS}
    for name in recipe:
        if name not in known:
            raise RequestError(unknown("setting", str(name)[:40], known))
    chosen = {
        name: setting.read(recipe[name]) if name in recipe else setting.default
        for name, setting in known.items()
    }
    cue = chosen["cue"]
    return RunConfig(
        data=DataConfig(
            num_train=chosen["num_train"],
            num_test=NUM_TEST,
            cues=() if cue == NO_CUE else (f"{cue}:{chosen['cue_strength']:g}",),
            label_noise=chosen["label_noise"],
            label_noise_kind="flip",
        ),
        model=ModelConfig(width=chosen["width"], dropout=chosen["dropout"]),
        train=TrainConfig(
            steps=chosen["steps"],
            augment=chosen["augment"],
            online=chosen["online"],
            weight_decay=chosen["weight_decay"],
        ),
        seed=chosen["seed"],
        device="cpu",
        counterfactuals=COUNTERFACTUALS,
        checkpoint_every=CHECKPOINT_EVERY,
        out=out,
    )
