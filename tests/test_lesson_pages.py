"""The pages of lessons: self-contained, true to the results, and with links that lead somewhere."""

import dataclasses
import importlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import numpy as np
import pytest

from lab.core.cli import parse
from lab.experiments import make_grid, make_jobs
from lab.experiments.lessons import (
    Claim,
    at_least,
    bin_of,
    falls,
    find_lesson,
    greater,
    if_confirmed,
    in_book_order,
    list_lessons,
    near,
    write_book,
)
from lab.experiments.lessons.claims import every, leads, some_exceed
from lab.experiments.lessons.lesson import Chapter
from lab.experiments.lessons.page import FOLDER, INDEX, PAGE, lesson_page
from lab.experiments.lessons.teach import FIGURE, RESULT
from lab.experiments.lessons.tries import Pinned, Try
from lab.playground.recipe import config_of
from lab.worlds import get_task
from support.scripts import run_here

HOSTILE = '<script>alert("x")</script> & <b>'
VALUES = np.array([0.62, 0.70, 0.66])


def result(name: str, **changes: object) -> dict[str, object]:
    made = {
        "lesson": name, "published": "somebody said so", "seeds": 3, "date": "2026-01-01",
        "verdict": "confirmed", "answer": 1,
        "claims": [dataclasses.asdict(at_least("test accuracy is 0.5 or more", VALUES, 0.5))],
    }  # fmt: skip
    return made | changes


def keep(out: Path, name: str, **changes: object) -> Path:
    """A lesson's result, as if it had been run."""
    (out / name).mkdir(parents=True)
    (out / name / FIGURE).write_bytes(b"\x89PNG picture")
    (out / name / RESULT).write_text(json.dumps(result(name, **changes)), encoding="utf-8")
    return out / name


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", list_lessons())
def test_each_page_needs_nothing_else_and_hides_the_answer(name: str, tmp_path: Path) -> None:
    lesson = find_lesson(name)
    page = Page(lesson_page(name, lesson, result(name), out=keep(tmp_path, name)))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    pictures = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 1
    assert pictures[0].startswith("data:image/png;base64,")
    (details,) = (attributes for tag, attributes in page.tags if tag == "details")
    assert "open" not in details
    assert sum(tag == "input" for tag, _ in page.tags) == len(lesson.guess.choices)
    assert lesson.meaning in page.text
    for each in (*lesson.tries, *lesson.guess.choices):
        assert (each.text if isinstance(each, Try) else each) in page.text
    assert "in 3 of 3 runs" in page.text.lower()
    assert lesson.guess.choices[1] in page.text.partition("what do the runs say?")[2]


def test_what_is_not_decided_is_not_answered_and_what_is_not_confirmed_is_said(
    tmp_path: Path,
) -> None:
    lesson, out = find_lesson("eye_color"), keep(tmp_path, "eye_color")
    sure, open_ = (
        Page(lesson_page("eye_color", lesson, result("eye_color", **changes), out=out)).text
        for changes in ({}, {"answer": None, "verdict": "refuted"})
    )
    assert "do not decide" in open_
    assert "do not decide" not in sure
    assert "do not confirm" in open_
    assert "do not confirm" not in sure
    for wrong in (-1, 3):
        told = lesson_page("eye_color", lesson, result("eye_color", answer=wrong), out=out)
        assert "do not decide" in told


def test_texts_are_escaped(tmp_path: Path) -> None:
    lesson = dataclasses.replace(find_lesson("eye_color"), title=HOSTILE, meaning=HOSTILE)
    claim = dataclasses.asdict(Claim(HOSTILE, "confirmed", HOSTILE))
    told = result("eye_color", claims=[claim], published=HOSTILE)
    page = Page(lesson_page("eye_color", lesson, told, out=keep(tmp_path, "eye_color")))
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) == 6  # title and heading, claim and evidence, meaning, source


def test_the_index_leads_to_what_was_run_and_says_how_to_run_the_rest(tmp_path: Path) -> None:
    for name in ("eye_color", "scarce_data"):
        keep(tmp_path, name)
    assert write_book(tmp_path) == tmp_path / INDEX
    page = Page((tmp_path / INDEX).read_text(encoding="utf-8"))
    hrefs = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert sorted(map(str, hrefs)) == [f"eye_color/{PAGE}", f"scarce_data/{PAGE}"]
    for href in hrefs:
        assert (tmp_path / str(href)).is_file()
    for name, lesson in list_lessons().items():
        assert lesson.title in page.text
        assert (f"lesson.py {name}" in page.text) == (name not in ("eye_color", "scarce_data"))
    back = Page((tmp_path / "eye_color" / PAGE).read_text(encoding="utf-8"))
    assert f"../{INDEX}" in [attributes.get("href") for tag, attributes in back.tags if tag == "a"]


def test_the_command_writes_the_book_from_stored_results(tmp_path: Path) -> None:
    keep(tmp_path, "eye_color")
    done = run_here("lesson", "--book", "--out", str(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "eye_color" / PAGE).is_file()
    assert done.out.strip() == str(tmp_path / INDEX)
    (tmp_path / "eye_color" / RESULT).write_text("[")
    broken = run_here("lesson", "--book", "--out", str(tmp_path))
    assert broken.code == 2
    assert broken.err.count("\n") == 1


def test_commands_go_to_the_folder_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out, flag in ((FOLDER, ""), (Path("my lessons"), " --out 'my lessons'")):
        keep(out, "eye_color")
        write_book(out)
        page, index = (
            Page((out / each).read_text(encoding="utf-8")).text
            for each in (f"eye_color/{PAGE}", INDEX)
        )
        assert f"lesson.py eye_color --seeds 3{flag}" in page
        assert f"lesson.py --book{flag}" in index
        assert ("--out" in index) is bool(flag)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"claims": 3}', "\x00"])
def test_a_broken_result_is_named(tmp_path: Path, text: str) -> None:
    (keep(tmp_path, "eye_color") / RESULT).write_text(text)
    with pytest.raises(ValueError, match=r"lesson\.json is not a lesson's result") as caught:
        write_book(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / INDEX).exists()


def test_results_of_earlier_versions_still_have_a_page(tmp_path: Path) -> None:
    claim = {"text": "so", "verdict": "confirmed", "evidence": "0.660 (0.561–0.759)"}
    old = result("eye_color", claims=[claim])
    del old["answer"]
    text = lesson_page("eye_color", find_lesson("eye_color"), old, out=keep(tmp_path, "eye_color"))
    assert "0.660 (0.561–0.759)" in text


def test_the_book_has_every_lesson_once() -> None:
    book = in_book_order()
    assert list(book) == list(get_args(Chapter))
    assert sorted(name for lessons in book.values() for name in lessons) == list(list_lessons())
    for lessons in book.values():
        assert [lesson.place for lesson in lessons.values()] == list(range(1, len(lessons) + 1))


@pytest.mark.parametrize("name", list_lessons())
def test_what_there_is_to_try_can_be_tried(name: str, tmp_path: Path) -> None:
    """Runs are the lesson's, settings and faces are known to the tab, flags to the commands."""
    lesson = find_lesson(name)
    assert len(lesson.tries) == 3
    schema = get_task("person").domain.schema
    for each in lesson.tries:
        assert (each.command != "") != (
            bool(each.pins) or bool(each.face) or each.train is not None
        )
        if each.command:
            program, script, *words = each.command.split()
            assert program == "python3"
            command = importlib.import_module(f"lab.commands.{Path(script).stem}")
            parse(command.Flags, words)  # an error names a flag that is unknown or not taken here
        if each.train is not None:
            settings = dict(entry.split(":") for entry in each.train.split(","))
            known = {"true": True, "false": False}
            config_of(
                {
                    key: known[value] if value in known
                    else float(value) if re.fullmatch(r"[\d.]+", value)
                    else value
                    for key, value in settings.items()
                },
                tmp_path,
            )  # fmt: skip
        for entry in filter(None, each.face.split(",")):
            attribute, value = entry.split(":")
            assert value in schema[attribute].values
        assert each.address(lesson.plans, tmp_path / name) == "" or not each.pins, "no runs yet"


def test_a_link_pins_the_runs_that_are_there(tmp_path: Path) -> None:
    lesson = find_lesson("eye_color")
    pins = (Pinned("cue", {"cues": ()}),)
    out = tmp_path / "lessons" / "eye_color"
    shown = Try(text="look", pins=pins, face="eye_color:blue")
    assert shown.address(lesson.plans, out) == ""
    (out / "cues_none-s0-00000000").mkdir(parents=True)
    assert shown.address(lesson.plans, out) == "", "another run"
    plan = lesson.plans["cue"]
    (job,) = (
        job for job in make_jobs(plan.base, make_grid(plan.grid), seeds=1, out=out)
        if not job.settings["cues"]
    )  # fmt: skip
    job.folder.mkdir()
    address = shown.address(lesson.plans, out)
    assert unquote(unquote(address)).endswith(
        f"#lab_faces&p.lab_faces.face=eye_color:blue&p.lab_faces.pins=eye_color/{job.config.name}"
    )
    with pytest.raises(ValueError, match="no cell"):
        Try(text="", pins=(Pinned("cue", {"cues": ("gaze:1",)}),)).address(lesson.plans, out)


# Claims and guesses in plain words


def test_claims_count_the_runs_for_which_they_hold() -> None:
    noise = np.array([0.05, -0.30, 0.40])
    for claim, told in (
        (greater("", VALUES, VALUES - noise), "in 2 of 3 runs"),
        (greater("", VALUES, VALUES - 0.2, by=0.3), "in 0 of 3 runs"),
        (at_least("", VALUES, 0.66), "in 2 of 3 runs"),
        (near("", VALUES, 0.62, within=0.05), "in 2 of 3 runs"),
        (falls("", [0, 1], [VALUES, VALUES - noise]), "in 2 of 3 runs"),
        (some_exceed("", {"one": VALUES}, VALUES - noise), "in 2 of 3 runs"),
        (leads("", {"one": VALUES, "two": VALUES - 0.1}), "one is first in 3 of 3 runs"),
        (every("", {"one": at_least("", VALUES, 0.66)}), "one: in 2 of 3 runs"),
    ):
        assert claim.plain.startswith(told), claim.plain
        assert "between" in claim.plain or "(in all 3 runs)" in claim.plain


def test_a_guess_is_decided_by_whole_intervals() -> None:
    assert bin_of(VALUES, (0.2, 0.9)) == 1
    assert bin_of(VALUES, (0.1, 0.2)) == 2
    assert bin_of(VALUES, (0.66,)) is None
    yes, no = Claim("", "confirmed", ""), Claim("", "not enough evidence", "")
    assert if_confirmed(2)({}, [yes, yes]) == 2
    assert if_confirmed(2)({}, [yes, no]) is None
    assert if_confirmed(2, 0)({}, [yes, no]) == 2
    assert if_confirmed(2, 1)({}, [yes, no]) is None


# In a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_narrow_window_and_ask_for_nothing(tmp_path: Path, scheme: str) -> None:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="the extra [dev] brings playwright"
    )
    keep(tmp_path, "random_labels")
    write_book(tmp_path)
    said: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 420, "height": 800}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / INDEX).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.click("a")
        page.wait_for_selector("summary")
        answer = page.locator(".answer")
        assert not answer.is_visible()
        page.keyboard.press("Tab")
        page.locator("summary").focus()
        page.keyboard.press("Enter")
        answer.wait_for(state="visible")
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.locator("summary").click()
        answer.wait_for(state="hidden")
        page.emulate_media(media="print")
        answer.wait_for(state="visible")  # on paper nothing can be opened
        browser.close()
    assert not said
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
