"""Grids say what is varied, for any setting, and are refused in one line if they cannot work."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.core.config import DataConfig, RunConfig, check
from lab.core.config import given as differing
from lab.experiments.runner.grid import (
    ELSEWHERE,
    fields,
    in_words,
    make_grid,
    parse_grid,
    setting,
    with_settings,
)


def test_values_have_the_type_of_their_setting() -> None:
    grid = parse_grid(
        [
            "num_train=32,100", "model=cnn,path/to/net.py:my_net", "label_noise=0,0.2",
            "augment=true,false", "early_stopping=none,5", "precision=float32,bfloat16",
            "cues=,eye_color=blue/brown:0.9+hair_length:0.8", "counterfactuals=0",
            "--weight-decay=1e-2",
        ]
    )  # fmt: skip
    assert grid == {
        "num_train": (32, 100),
        "model": ("cnn", "path/to/net.py:my_net"),
        "label_noise": (0.0, 0.2),
        "augment": (True, False),
        "early_stopping": (None, 5),
        "precision": ("float32", "bfloat16"),
        "cues": ((), ("eye_color=blue/brown:0.9", "hair_length:0.8")),
        "counterfactuals": (0,),
        "weight_decay": (0.01,),
    }
    for name, values in grid.items():
        for value in values:
            assert type(value) is type(setting(with_settings(RunConfig(), {name: value}), name))


def test_values_that_hold_commas_are_separated_by_semicolons() -> None:
    grid = parse_grid(["unseen_combinations=eye_color=blue,hair_length=long;"])
    assert grid == {"unseen_combinations": (("eye_color=blue,hair_length=long",), ())}


def test_texts_and_values_make_the_same_grid() -> None:
    assert make_grid({"num_train": ["32", 100], "cues": ["eye_color:0.9", ()]}) == make_grid(
        {"num_train": [32, "100"], "cues": [("eye_color:0.9",), "none"]}
    )
    assert make_grid({"label_noise": [0, 1]}) == {"label_noise": (0.0, 1.0)}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("num_trian=3", "did you mean 'num_train'"),
        ("num_train", "setting=value"),
        ("num_train=", "whole number, not ''"),
        ("num_train=1.5", "whole number, not '1.5'"),
        ("num_train=1", "2 to 1,000,000, not 1"),
        ("num_train=5,5", "names 5 twice"),
        ("label_noise=0,0.0", r"names 0\.0 twice"),
        ("label_noise=nan", "not nan"),
        ("label_noise=lots", "a number, not 'lots'"),
        ("augment=yes", "true or false, not 'yes'"),
        ("precision=float16", "did you mean 'bfloat16'"),
        ("model=", "empty value"),
        ("seed=1,2", "--seeds"),
        ("name=a", "set by the grid"),
        ("out=a", "--out"),
        ("train=a", "unknown setting 'train'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(spec: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse_grid([spec])
    assert "\n" not in str(caught.value)


def test_a_setting_is_given_once() -> None:
    with pytest.raises(ValueError, match="width is given twice"):
        parse_grid(["width=2", "width=4"])


@pytest.mark.parametrize("values", ["cnn", [], 3])
def test_a_grid_takes_lists(values: Any) -> None:
    with pytest.raises(ValueError, match="takes a list"):
        make_grid({"model": values})


def test_every_setting_of_a_run_is_known() -> None:
    assert set(differing(with_settings(RunConfig(), {"width": 3, "num_train": 9}))) == {
        "width", "num_train",
    }  # fmt: skip
    for name in fields():
        assert setting(RunConfig(), name) == setting(with_settings(RunConfig(), {}), name)
    assert set(ELSEWHERE) < set(fields())


_letters = st.characters(codec="utf-8", exclude_characters=",;+", exclude_categories=["C", "Z"])
_word = st.text(_letters, min_size=1).filter(lambda word: word.lower() != "none")
_values: dict[str, st.SearchStrategy[Any]] = {
    "num_train": st.integers(2, 1_000_000),
    "label_noise": st.floats(0, 1),
    "learning_rate": st.floats(0, 10, exclude_min=True),
    "augment": st.booleans(),
    "early_stopping": st.none() | st.integers(1, 1000),
    "cues": st.lists(_word, max_size=3).map(tuple),
    "model": _word,
}


@settings(deadline=None)
@given(st.data())
def test_words_are_read_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(_values)))
    values = data.draw(st.lists(_values[name], min_size=1, max_size=4, unique_by=in_words))
    if len({in_words(value) for value in values}) < len(values):
        return
    spec = f"{name}={','.join(map(in_words, values))}"
    assert parse_grid([spec]) == {name: tuple(values)}


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_grid_or_one_line(text: str) -> None:
    try:
        grid = parse_grid([text])
    except ValueError as error:
        assert "\n" not in str(error).replace(text, "")  # noqa: PT017
    else:
        for name, values in grid.items():
            for value in values:
                check(with_settings(RunConfig(data=DataConfig()), {name: value}))
