"""Texts on the board: whatever they hold is shown letter by letter, and nothing of it acts."""

import html
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lab.tracking import texts
from lab.tracking.writer import Tracker
from support.hostile import TEXTS, TIMES, hostile_texts, search

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorBoard's own, about what it is made of
    from tensorboard.plugin_util import markdowns_to_safe_html

MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
    "![x](http://127.0.0.1/x.png)", "**bold**", "_under_ __score__", "`code`", "# title", "> quote",
    "- item", "+ item", "* item", "1. item", "12) item", "---", "===", "***", "| a | b |", "~~x~~",
    "<http://127.0.0.1/>", "&lt;b&gt;", "&#60;b&#62;", "a\\*b", "[x]: http://127.0.0.1/", "a  \nb",
    "```\nx\n```", "    four spaces", "\\", "http://127.0.0.1/", "term\n: meaning", "[^1]",
    "\x02\x03", "STX0STX", "klzzwxh:0000", "\x02klzzwxh:0000\x03", "\x02amp\x03",
    "1.", "-", "+1", "-0.5",
)  # fmt: skip

anything = st.sampled_from([*MARKUP, *(text for text in TEXTS if len(text) < 999)]) | hostile_texts
mixtures = st.lists(anything, min_size=1, max_size=4).map(" ".join)


def shown(markdown: str) -> str:
    """What a browser shows of a text that TensorBoard serves, on one line."""
    page = markdowns_to_safe_html([markdown], lambda parts: "".join(parts))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def tags(markdown: str) -> set[str]:
    """The elements of the page that TensorBoard makes of a text."""
    return set(re.findall(r"<(\w+)", markdowns_to_safe_html([markdown], lambda p: "".join(p))))


def plain(text: str) -> str:
    """The text as it should be seen: its characters, with spaces for those that show nothing."""
    sound = text.encode("utf-8", "backslashreplace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in sound).split())


@TIMES
def test_any_text_is_shown_letter_by_letter(times: int) -> None:
    def holds(text: str) -> None:
        assert shown(texts.literal(text)) == plain(text)
        assert tags(texts.literal(text)) <= {"p"}

    search(holds, mixtures, examples=400, times=times)
    for text in MARKUP:
        holds(text)


@TIMES
def test_any_cell_of_a_table_is_shown_letter_by_letter(times: int) -> None:
    def holds(name: str, value: str) -> None:
        page = texts.table(("setting", "value"), [(name, value)])
        expected = ["setting", "value", plain(name), plain(value)]
        assert shown(page) == " ".join(word for word in expected if word)
        assert tags(page) <= {"table", "thead", "tbody", "tr", "th", "td"}

    search(holds, anything, mixtures, examples=300, times=times)


def test_markup_reaches_the_event_file_as_text(tmp_path: Path) -> None:
    """A folder, a model's path and an error with markup, as a run writes them."""
    folder = tmp_path / "<b>[x](javascript:alert(1))"
    folder.mkdir()
    settings = {"model": {"model": "<script>alert(1)</script>.py:net"}, "out": "\udcff<i>"}
    with Tracker(folder) as tracker:
        tracker.text("config", texts.settings_table(settings))
        tracker.text("verdict", texts.paragraphs(f"It failed: {folder}: <img src=x>\n# [y](z)"))
    events = EventAccumulator(str(folder))
    events.Reload()
    found = {
        tag: event.tensor_proto.string_val[0].decode()
        for tag in events.Tags()["tensors"]
        if tag.endswith("text_summary")
        for event in events.Tensors(tag)
    }
    assert len(found) == 2
    for text in found.values():
        assert not set("<>[]`*#_") & set(text.replace("&#", ""))
        assert tags(text) <= {"p", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_no_text_is_no_text(text: str) -> None:
    assert texts.literal(text) == ""
