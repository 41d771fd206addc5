"""What the tests of bad input share: how many cases, hostile values, any settings."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig

TIMES = pytest.mark.parametrize(
    "times",
    [1, pytest.param(int(os.environ.get("FUZZ", "50")), marks=pytest.mark.slow, id="many")],
)
"""The default suite tries the same few hundred cases every time; `FUZZ=1000 python3 scripts/test.py
-m slow -k many` a thousand times as many, others each time."""


def search(
    holds: Callable[..., None], *strategies: st.SearchStrategy, examples: int, times: int
) -> None:
    """Look for a case in which `holds` does not: `examples` * `times` of them."""
    chosen = settings(
        max_examples=examples * times,
        derandomize=times == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    chosen(for_all(*strategies)(holds))()


TEXTS = (
    *("", " ", "nan", "inf", "-inf", "1e999", "1e-400", "-1", "0", "0.5", "1", "2", "1e3", "1_000"),
    *("9" * 30, "-" + "9" * 400, "9" * 5000, "0x10", "１２", "²", "True", "None", "none", "[1]"),
    *("{}", "'", '"', "\\", "%s", "{0}", "=", "==", "--", "-", "-x", "é日本", "\x00", "a\nb", "\r"),
    *("\x1b[31mred", "\u2028", "\udcff", "│", "╭─╮", "Error parsing", "a" * 100_000, "a b" * 30),
    *("..", "../..", "/", "/etc/passwd", "/dev/zero", "~", "~nobody-knows/x.py:f", "x.py:f", "/:f"),
    *(":", ":f", "f:", "<script>alert(1)</script>", "[x](javascript:alert(1))", "person", "object"),
    *("missing", "nose", "eyes", "cuda", "cpu", "cnn", "flip", "bfloat16", "512", "513"),
    *("eye_color:0.95", "eye_colour:1", "eye_color=blue/blue:1", "hair_length=long/short:nan"),
    *("eye_color:inf", "nose:1", "glasses:", ":0.9", "gaze=left,smile=up", "gaze=left,gaze=left"),
    *("eye_color=blue,", "=,=", "a=b", "nose=1", "eye_color:0.9:0.9"),
)
"""Values that somebody's program has stumbled over, and good ones in the wrong place."""

PIECES = (
    *("eye_color", "hair_length", "skin_color", "gaze", "glasses", "nose", "stray_eyes", "beard"),
    *("=", "/", ":", ",", "blue", "brown", "long", "short", "left", "0.9", "1", "0", "nan", "none"),
)
"""What cues and hold-outs are made of."""

hostile_texts = (
    st.sampled_from(TEXTS)
    | st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
    | st.text(max_size=12)
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)

some_config = st.builds(
    RunConfig,
    data=st.builds(
        DataConfig,
        num_train=st.integers(2, 1_000_000),
        variation=st.floats(0, 1),
        label_noise=st.floats(0, 1),
        cues=st.lists(st.text(), max_size=3).map(tuple),
        missing=st.lists(st.text(), max_size=3).map(tuple),
        cue_visibility=st.floats(0, 1, exclude_min=True),
        label_noise_kind=st.sampled_from(["random", "flip"]),
    ),
    model=st.builds(ModelConfig, model=st.text(), dropout=st.floats(0, 1, exclude_max=True)),
    train=st.builds(
        TrainConfig,
        learning_rate=st.floats(0, 10, exclude_min=True),
        early_stopping=st.none() | st.integers(1, 1000),
        augment=st.booleans(),
    ),
    seed=st.integers(0, 2**63 - 1),
    name=st.none() | st.text(),
)
