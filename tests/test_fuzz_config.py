"""`config.json`, whatever it holds: a config, or one line that says what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st

from lab.core.cli import one_line
from lab.core.config import RunConfig, check, parse_settings, to_json
from support.hostile import TEXTS, TIMES, anything, search, some_config
from support.scripts import is_a_good_line

GOOD = to_json(RunConfig())

values = (
    anything
    | st.sampled_from(TEXTS)
    | st.sampled_from([10**30, -(10**400), 1e308, float("nan"), float("inf"), -0.0, True])
    | st.lists(st.sampled_from(TEXTS), max_size=3)
)

# Where: a path through the object, by numbers; how: what becomes of what is found there.
changes = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), min_size=1, max_size=3),
        st.sampled_from(["set", "delete", "add"]),
        values,
        st.text(max_size=9) | st.sampled_from(["__class__", "format", "data", "seed", ""]),
    ),
    min_size=1,
    max_size=3,
)

byte_changes = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=6)),
    min_size=1,
    max_size=4,
)


def is_config_or_line(text: str) -> None:
    """Assert that a text is read as a config that is sound, or refused in one line."""
    try:
        config = parse_settings(text)[0]
    except ValueError as error:
        is_a_good_line(one_line(str(error)))
        return
    check(config)
    assert parse_settings(to_json(config))[0] == config


def changed(place: Any, path: list[int], how: str, value: object, key: str) -> None:
    """Change something in a nested object."""
    for number in path:
        if not (isinstance(place, dict) and place):
            return
        name = list(place)[number % len(place)]
        if isinstance(place[name], dict) and number is not path[-1]:
            place = place[name]
            continue
        if how == "delete":
            del place[name]
        else:
            place[name if how == "set" else key] = value
        return


@TIMES
def test_any_object_is_a_config_or_one_line(times: int) -> None:
    def holds(steps: list) -> None:
        content = json.loads(GOOD)
        for step in steps:
            changed(content, *step)
        is_config_or_line(json.dumps(content))

    search(holds, changes, examples=400, times=times)


@TIMES
def test_any_damage_to_the_text_is_a_config_or_one_line(times: int) -> None:
    def holds(steps: list) -> None:
        content = GOOD.encode()
        for start, gone, new in steps:
            content = content[:start] + new + content[start + gone :]
        is_config_or_line(content.decode(errors="replace"))

    search(holds, byte_changes, examples=400, times=times)


@TIMES
def test_every_valid_config_survives_its_file(times: int) -> None:
    def holds(config: RunConfig) -> None:
        assert parse_settings(to_json(config))[0] == config

    search(holds, some_config, examples=200, times=times)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "1", "[]", '"x"', "{}", '{"format": 1, "data": []}', "[" * 200_000,
        '{"format": 1, "seed": ' + "9" * 6000 + "}", '{"format": 1, "seed": NaN}', "\ufeff" + GOOD,
        '{"a":' * 100_000, GOOD[:-3], GOOD + GOOD, '{"format": 1, "name": "\\ud800"}', "\0" * 99,
        '{"format": 1, "out": "\\u0000"}', '{"format": 1, "data": {"cues": "gaze:1"}}',
    ],
)  # fmt: skip
def test_odd_files_are_a_config_or_one_line(text: str) -> None:
    is_config_or_line(text)
