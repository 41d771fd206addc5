"""The playground in a real browser: Debian's chromium without a window, over a real TensorBoard.

Two networks are planted: `sky` calls a picture a person if its corner is blue, `calm` always does.
Both are in a file, so that they are opened only after somebody agreed to run it.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.pool import run_pool
from lab.runs.train import start
from support.configs import tiny
from support.executors import Here
from support.picture_folders import fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("chromium is not installed (Debian: apt-get install chromium)",
                allow_module_level=True)  # fmt: skip
sync_api = pytest.importorskip("playwright.sync_api", reason="the extra [dev] brings playwright")

ROOT = Path(__file__).parents[1]
PATIENCE = 30_000
"""Milliseconds to wait for what should take one: the machine may be busy."""

NETS = """
import torch
from torch import nn


class Planted(nn.Module):
    def __init__(self, blue):
        super().__init__()
        self.blue, self.unused = blue, nn.Parameter(torch.zeros(1))

    def forward(self, x):
        corner = x[:, :, :3, :3].mean(dim=(2, 3))
        person = (corner[:, 2] - corner[:, 0]) * 40 if self.blue else torch.full((len(x),), 3.0)
        return torch.stack([torch.zeros(len(x)), person], dim=1) + 0 * self.unused


def sky(spec):
    return Planted(True)


def calm(spec):
    return Planted(False)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two runs, one of the lab's own networks, and one on pictures from disk."""
    root = tmp_path_factory.mktemp("browser")
    (root / "nets.py").write_text(NETS)
    runs = root / "runs"
    for name, model in (("sky", f"{root}/nets.py:sky"), ("calm", f"{root}/nets.py:calm"),
                        ("trained", "linear")):  # fmt: skip
        start(settings(runs, name, model))
    for shade, pet in enumerate(("bird", "cat", "dog")):
        fill(root / "pets" / pet, 10, shade=60 * shade)
    pool(runs)
    start(tiny(runs, name="pets", data=str(root / "pets"), num_train=18, num_test=6, steps=12))
    return runs


def settings(out: Path, name: str, model: str) -> RunConfig:
    """Those of a run on faces."""
    return RunConfig(
        data=DataConfig(num_train=40, num_test=20, image_size=32),
        model=ModelConfig(model=model),
        train=TrainConfig(steps=0 if model != "linear" else 60, batch_size=20),
        counterfactuals=0, pictures=False, device="cpu", name=name, out=out,
    )  # fmt: skip


def pool(out: Path) -> None:
    """Ten networks like `trained`, each on a part of its training faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.pool.run.open_executor", lambda name, processes: Here())
        run_pool(settings(out, "pool", "linear"), networks=10)


@pytest.fixture(scope="module")
def board(runs: Path) -> Iterator[str]:
    """The address of a TensorBoard over these."""
    with serving(runs) as (address, _):
        yield address


@contextlib.contextmanager
def serving(runs: Path, *flags: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a TensorBoard over a folder, and what it said until it could be reached."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "scripts" / "board.py"), "--logdir", str(runs), *flags]
    served = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True,
    )  # fmt: skip
    assert served.stdout is not None
    try:
        said = [served.stdout.readline()]
        while said[-1] and "/overview" not in said[-1]:  # the first of the links
            said.append(served.stdout.readline())
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
                break
            time.sleep(0.1)
        yield address, said
    finally:
        served.terminate()
        served.wait()
        served.stdout.close()


class Window:
    """A page of the browser with the tab open, and what went wrong in it."""

    def __init__(
        self, browser: Any, board: str, link: str = "", *, run: str | None = "trained"
    ) -> None:
        self.errors: list[str] = []
        self.page = browser.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda r: self._ours(r.url, board))
        self.page.goto(f"{board}/#lab_faces{link}")
        self.tab = self.page.frame_locator("iframe")
        if run is not None:
            self.expect(self.run(run).locator(".bar")).to_be_visible()

    def open_anew(self, link: str, *, width: int = 1440, run: str | None = "trained") -> None:
        """Load the tab again, as another link would open it; TensorBoard around it stays."""
        if run is not None:
            self.page.unroute_all()
        self.page.set_viewport_size({"width": width, "height": 950})
        (tab,) = self.page.frames[1:]
        tab.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")  # it lets the address be
        self.page.evaluate("link => { location.hash = `#lab_faces${link}`; }", link)
        with tab.expect_navigation():
            tab.evaluate("location.reload()")
        if run is not None:
            self.expect(self.run(run).locator(".bar")).to_be_visible()

    def follow(self, link: str) -> None:
        """Open a link in the same tab, which changes the address alone."""
        self.page.evaluate("link => { location.hash = `#lab_faces${link}`; }", link)

    def _ours(self, url: str, board: str) -> None:
        if not url.startswith((board, "data:", "blob:")):
            self.errors.append(f"asks elsewhere: {url}")

    def expect(self, locator: Any) -> Any:
        return sync_api.expect(locator, "")

    def run(self, name: str) -> Any:
        return self.tab.locator(".run", has=self.tab.locator(f'h3[title="{name}"]'))

    def says(self, name: str, words: str) -> None:
        """Wait until a run's plain words hold `words`."""
        self.expect(self.run(name).locator(".words")).to_contain_text(words)

    def fool_sky(self) -> None:
        """Let the search find what makes `sky` err, and play it."""
        self.pick("background_color", "blue")
        self.says("sky", ": person")
        self.run("calm").locator(".pin").click()  # lets it go
        self.expect(self.tab.locator(".heads h4")).to_have_text(["sky"])
        self.tab.get_by_role("tab", name="Fool it").click()
        found = self.tab.locator(".why-body .wrong")
        for _ in range(3):  # a search ends without a word where the view was drawn anew meanwhile
            self.tab.get_by_role("button", name="Fool “sky”").click()
            with contextlib.suppress(AssertionError):
                sync_api.expect(found).to_contain_text("Fooled", timeout=PATIENCE / 3)
                return
            self.tab.get_by_role("tab", name="Fool it").click()
        raise AssertionError("the search does not say what it found")

    def width(self, name: str) -> str:
        return str(self.run(name).locator(".bar .part").first.get_attribute("style"))

    def picture(self) -> str:
        return str(self.tab.locator(".easel .picture").get_attribute("src"))

    def pick(self, attribute: str, value: str) -> None:
        chip = self.tab.locator(f'input[name="picker-{attribute}"][value="{value}"]')
        chip.check(force=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser's context: its pages share the cache, from which TensorBoard's code comes but once.

    The tab keeps nothing in the browser.
    """
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened.new_context(accept_downloads=True)
        opened.close()


@pytest.fixture(scope="module")
def kept(browser: Any, board: str) -> Window:
    """A window for one test after the other, because to load TensorBoard takes seconds. In it
    somebody has agreed to run the file of the planted networks."""
    window = Window(browser, board)
    window.expect(window.run("sky").locator(".words")).to_contain_text("agree only if you trust it")
    for name in ("sky", "calm"):
        if window.run(name).get_by_role("button", name="Run that code and open it").count():
            window.run(name).get_by_role("button", name="Run that code and open it").click()
        window.expect(window.run(name).locator(".bar")).to_be_visible()
    assert not window.errors
    return window


@pytest.fixture
def window(kept: Window) -> Iterator[Window]:
    """The window, in which nothing may go wrong that the test does not know of."""
    kept.errors.clear()
    yield kept
    assert not kept.errors


@pytest.fixture
def opened(window: Window) -> Window:
    """The window with both planted networks pinned."""
    window.open_anew("&p.lab_faces.pins=sky%2Ccalm")
    window.expect(window.run("sky").locator(".bar")).to_be_visible()
    return window


def test_picture_and_answers_follow_the_controls(opened: Window) -> None:
    opened.pick("background_color", "blue")
    opened.says("sky", ": person")
    before, bar = opened.picture(), opened.width("sky")
    opened.pick("background_color", "rust")
    opened.says("sky", ": not a person")
    assert opened.picture() != before
    assert opened.width("sky") != bar
    opened.says("calm", ": person")
    opened.expect(opened.run("sky").locator(".verdict")).to_contain_text("wrong")
    opened.expect(opened.run("calm").locator(".verdict")).to_contain_text("right")
    opened.page.keyboard.press("Control+z")
    opened.says("sky", ": person")


def test_a_slider_moves_by_keyboard_and_the_link_brings_others_here(
    opened: Window, browser: Any, board: str
) -> None:
    before = opened.picture()
    slider = opened.tab.locator("#slider-mouth_open")
    slider.focus()
    for _ in range(6):
        opened.page.keyboard.press("ArrowRight")
    opened.pick("eye_color", "green")
    opened.page.wait_for_url(re.compile("mouth_open.*eye_color|eye_color.*mouth_open"))
    opened.expect(opened.tab.locator(".easel .picture")).not_to_have_attribute("src", before)
    opened.says("calm", ": person")
    opened.page.wait_for_load_state("networkidle")
    shown = opened.picture()
    other = Window(browser, board, opened.page.url.partition("#lab_faces")[2])
    other.expect(other.tab.locator(".easel .picture")).to_have_attribute("src", shown)
    assert other.tab.locator('input[name="picker-eye_color"][value="green"]').is_checked()
    assert other.tab.locator(".run.pinned h3").all_text_contents() == ["calm", "sky"]
    assert not other.errors
    other.page.close()


def test_pinning_shows_why(opened: Window) -> None:
    opened.run("trained").locator(".pin").click()
    opened.expect(opened.run("trained")).to_have_class(re.compile("pinned"))
    opened.expect(opened.tab.locator(".why .strip svg").first).to_be_visible()
    opened.tab.get_by_role("tab", name="Subsets of the parts").click()
    opened.expect(opened.tab.locator(".sets li")).to_have_count(3 * 16)
    opened.tab.get_by_role("tab", name="Nearest training faces").click()
    opened.expect(opened.tab.locator(".near li").first).to_be_visible()
    measured = opened.tab.locator(".causes")  # of the one that a pool is there for
    opened.expect(measured.locator("h5")).to_have_text("Measured causes (a pool of 10 networks)")
    opened.expect(measured.locator(".hint")).to_contain_text("another random 70\u00a0% of the")


def test_fooling_finds_the_background_alone(opened: Window) -> None:
    opened.fool_sky()
    changed = opened.tab.locator(".why-body ul b").all_text_contents()
    assert len(changed) <= 2
    assert any("background" in words for words in changed)
    opened.says("sky", ": not a person")

    opened.run("calm").locator(".pin").click()
    opened.tab.get_by_role("button", name="Fool “calm”").click()
    opened.expect(opened.tab.locator(".why-body .fool .right")).to_contain_text("Not fooled")
    opened.says("sky", ": person")  # the second search began with the original face
    opened.expect(opened.tab.locator(".why-body .wrong")).to_contain_text("Fooled")


def test_one_round_of_the_game(opened: Window) -> None:
    opened.tab.get_by_role("button", name="Guessing game").click()
    opened.expect(opened.tab.locator(".game .picture")).to_be_visible()
    opened.tab.locator(".choice").first.click()
    opened.expect(opened.tab.locator(".score")).to_contain_text("of 1 guessed")
    opened.tab.get_by_role("button", name="Next").click()
    opened.expect(opened.tab.locator(".choice").first).to_be_enabled()
    opened.tab.locator(".choice").last.click()
    opened.expect(opened.tab.locator(".score")).to_contain_text("of 2 guessed")
    opened.tab.get_by_role("button", name="Load this face").click()
    opened.expect(opened.tab.locator(".game")).not_to_be_visible()


def test_a_picture_can_be_saved(opened: Window) -> None:
    opened.tab.locator(".share summary").click()
    with opened.page.expect_download() as told:
        opened.tab.get_by_role("button", name="Save picture").click()
    assert told.value.suggested_filename == "face.png"
    assert Path(told.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_narrow_window_keeps_face_and_answers_in_sight(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=sky%2Ccalm", width=420)
    slider = window.tab.locator("#slider-hair_length")
    slider.scroll_into_view_if_needed()
    slider.focus()
    window.page.keyboard.press("ArrowRight")
    window.expect(window.tab.locator(".easel .picture")).to_be_in_viewport()
    for name in ("sky", "calm"):
        glance = window.tab.locator(".glances > div", has_text=f"{name}: ")
        window.expect(glance.locator(".bar")).to_be_in_viewport()
    window.run("trained").locator(".pin").click()
    window.expect(window.tab.locator(".column .timeline")).to_be_visible()
    window.tab.get_by_role("tab", name="Over training").scroll_into_view_if_needed()
    picture = window.tab.locator(".easel .frame").bounding_box()
    assert (
        window.tab.locator(".column .timeline").bounding_box()["y"]
        >= picture["y"] + picture["height"]
    )


def test_the_tab_has_names_for_all_that_can_be_used(opened: Window) -> None:
    """What a screen reader would say: no control without a name."""
    nameless = opened.page.frames[-1].evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, [role=img]")]
        .filter((e) => !(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim()))
        .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []


def test_other_tabs_work_beside_it(opened: Window) -> None:
    for name in ("Time Series", "HParams", "Text"):
        opened.page.locator(".mdc-tab, mat-tab-header [role=tab], .plugin-name").filter(
            has_text=re.compile(f"^\\s*{name}\\s*$", re.IGNORECASE)
        ).first.click(force=True)
        opened.page.wait_for_load_state("networkidle")
    opened.page.goto(opened.page.url.partition("#")[0] + "#lab_faces")
    opened.expect(opened.tab.locator(".run .bar").first).to_be_visible()


def test_undo_brings_the_face_back_that_was_fooled_and_a_new_one_is_not_spoken_of(
    opened: Window,
) -> None:
    opened.fool_sky()
    opened.says("sky", ": not a person")
    opened.tab.get_by_role("button", name="Undo").click()
    opened.says("sky", ": person")
    assert opened.tab.locator('input[name="picker-background_color"][value="blue"]').is_checked()
    opened.expect(opened.tab.locator(".why-body .wrong")).to_contain_text("Fooled")
    opened.tab.get_by_role("button", name="Random face").click()
    opened.expect(opened.tab.locator(".why-body .fool")).to_be_empty()
    opened.expect(opened.tab.get_by_role("button", name="Fool “sky”")).to_be_enabled()


def test_a_strip_is_moved_by_keyboard_and_keeps_the_focus(opened: Window) -> None:
    strip = opened.tab.locator('[data-strip="sky background_color"]')
    opened.expect(strip).to_be_visible()
    strip.focus()
    before = opened.picture()
    opened.page.keyboard.press("ArrowRight")
    opened.expect(opened.tab.locator(".easel .picture")).not_to_have_attribute("src", before)
    opened.expect(strip).to_have_attribute("aria-valuenow", "1")
    opened.expect(strip).to_be_focused()


@pytest.mark.parametrize(
    "face", ["identity:9999999999999999999", "eye_color:purple", "smile:1e400"]
)
def test_a_link_that_makes_no_sense_opens_with_a_word_about_it(window: Window, face: str) -> None:
    window.open_anew(f"&p.lab_faces.face={face}&p.lab_faces.pins=sky%2Csky")
    window.expect(window.tab.locator(".banner")).to_contain_text("not understood")
    window.expect(window.run("sky").locator(".bar")).to_be_visible()
    assert window.tab.locator(".run.pinned h3").all_text_contents() == ["sky"]


def test_more_runs_than_one_question_may_name_are_all_asked(window: Window, runs: Path) -> None:
    copies = [runs / "many" / f"copy{number:02d}" for number in range(30)]
    for copy in copies:
        shutil.copytree(runs / "trained", copy)
    try:
        window.open_anew("&p.lab_faces.pins=sky%2Ctrained")
        window.tab.get_by_role("combobox", name="Sort the runs").select_option("wrong")
        for _ in range(2):
            window.tab.get_by_role("button", name=re.compile("^Show .* more$")).click()
        shown = window.tab.locator(".run .words")
        window.expect(shown).to_have_count(34)
        for color in ("blue", "rust"):
            window.pick("background_color", color)
            window.says("sky", ": not a person" if color == "rust" else ": person")
            words = window.run("trained").locator(".words").text_content()
            for copy in copies:
                window.says(f"many/{copy.name}", str(words))
    finally:
        shutil.rmtree(runs / "many")


def test_a_server_that_fails_for_a_moment_leaves_the_views_alive(opened: Window) -> None:
    opened.fool_sky()
    opened.says("sky", ": not a person")
    again = opened.tab.get_by_role("button", name="Play again")
    opened.expect(again).to_be_visible()
    opened.page.route("**/look?*", lambda route: route.fulfill(status=503, body="{}"))
    again.click()
    opened.expect(opened.tab.locator(".banner")).to_contain_text("503")
    opened.page.unroute("**/look?*")
    opened.pick("background_color", "blue")
    opened.pick("eye_color", "green")
    opened.tab.get_by_role("tab", name="Effect of each attribute").click()
    opened.expect(opened.tab.locator('[data-strip="sky background_color"]')).to_be_visible()
    opened.expect(opened.tab.locator(".banner")).to_be_empty()
    assert all("503" in error for error in opened.errors), opened.errors
    opened.errors.clear()


def test_who_wants_no_run_pinned_gets_none_after_a_reload(opened: Window) -> None:
    for name in ("sky", "calm"):
        opened.run(name).locator(".pin").click()
    opened.page.wait_for_url(re.compile(r"pins=(&|$)"))
    opened.page.reload()
    opened.expect(opened.run("sky").locator(".bar")).to_be_visible()
    opened.expect(opened.tab.locator(".why-body")).to_contain_text("Pin a run")
    assert opened.tab.locator(".run.pinned").count() == 0


def test_the_truth_and_controls_without_effect_say_why(opened: Window) -> None:
    truth = opened.tab.locator(".truth")
    opened.expect(truth).to_contain_text("person")
    opened.expect(truth.locator(".because")).to_have_count(0)
    opened.pick("nose", "0")
    opened.pick("ears", "1")
    opened.expect(truth.locator(".because")).to_contain_text(re.compile("no nose.*1 of 2 ears"))
    opened.pick("subject", "mug")
    opened.expect(truth.locator(".because")).to_contain_text("mug")
    opened.expect(truth.locator(".because")).not_to_contain_text("nose")

    opened.tab.get_by_role("button", name="Reset").click()
    gray = opened.tab.locator(".row.idle")
    smile = opened.tab.locator(".row", has=opened.tab.locator("#slider-smile"))
    opened.expect(smile).to_be_visible()
    opened.expect(gray).to_have_count(0)
    opened.pick("mouth", "0")
    opened.expect(smile).to_have_class(re.compile("idle"))
    opened.expect(smile).to_have_attribute("title", re.compile("mouth.* 0"))
    opened.pick("subject", "house")
    opened.expect(smile).to_have_attribute("title", re.compile("subject.* house"))
    opened.pick("subject", "head")
    opened.pick("mouth", "1")
    opened.expect(gray).to_have_count(0)
    opened.expect(smile).to_have_attribute("title", "")


def test_a_pin_of_a_run_that_is_not_here_is_shown_and_can_be_let_go(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=nobody%2Csky")
    window.expect(window.run("nobody")).to_have_class(re.compile("pinned"))
    window.expect(window.run("nobody").locator(".words")).to_contain_text("no run 'nobody'")
    window.run("nobody").locator(".pin").click()
    window.expect(window.run("nobody")).to_have_count(0)


def changed(window: Window, **changes: Any) -> None:
    """Let the server's list of runs say something else, and the page open anew."""

    def answer(route: Any) -> None:
        told = route.fetch().json()
        for run in told["runs"]:
            run |= changes.get(run["name"], {})
        route.fulfill(json=told | {key: changes[key] for key in changes if key in told})

    window.page.route("**/runs?*", answer)
    window.page.reload()


def test_a_list_that_ends_and_a_consent_that_is_not_ours_are_explained(opened: Window) -> None:
    wanted = {"kind": "consent", "file": "/nets.py"}
    opened.page.goto(opened.page.url.replace("pins=", "pins=nobody%2C"))
    changed(opened, more=1234, stranger="agree somewhere else", trained=wanted)
    opened.expect(opened.tab.locator(".unlisted")).to_contain_text(
        re.compile("first 4 runs.* 1,234 more")
    )
    opened.expect(opened.run("trained")).to_contain_text("agree somewhere else")
    opened.expect(opened.run("trained").get_by_role("button")).to_have_count(0)


def test_a_server_that_has_much_to_do_is_waited_for(opened: Window) -> None:
    """An answer is held back: the newer question is asked all the same, and its answer stays when
    the older one comes. A refusal is followed by another try."""
    opened.pick("background_color", "blue")
    opened.says("sky", ": person")
    opened.page.wait_for_load_state("networkidle")
    held: list[Any] = []

    def hold_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    opened.page.route("**/look?*", hold_first)
    opened.pick("eye_color", "green")
    opened.pick("background_color", "rust")
    opened.says("sky", ": not a person")
    assert held, "the older question has no answer yet"
    shown = opened.picture()
    with opened.page.expect_response("**/look?*"):
        held[0].continue_()
    opened.page.wait_for_load_state("networkidle")
    assert opened.picture() == shown
    opened.page.unroute("**/look?*")

    refused: list[str] = []

    def refuse_first(route: Any) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=429, json={"error": "too many questions at once"})

    opened.page.route("**/look?*", refuse_first)
    opened.pick("background_color", "blue")
    opened.says("sky", ": person")
    assert refused
    opened.expect(opened.tab.locator(".banner")).to_be_empty()
    opened.page.unroute("**/look?*")
    assert all("429" in error for error in opened.errors), opened.errors
    opened.errors.clear()


def test_the_timeline_shows_the_network_at_any_step(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=trained")
    slider = window.tab.get_by_label("Step of training")
    window.expect(window.tab.locator(".column .timeline-words")).to_have_text("trained (60 steps)")
    trained = window.width("trained")
    slider.focus()
    window.page.keyboard.press("Home")
    window.says("trained", "after 0 steps")
    window.expect(window.tab.locator(".column .timeline-words")).to_have_text("after 0 steps")
    assert window.width("trained") != trained
    window.page.wait_for_url("**p.lab_faces.step=0**")
    window.page.reload()
    window.says("trained", "after 0 steps")
    window.tab.get_by_role("button", name="Play the training").click()
    window.expect(window.tab.get_by_role("button", name="Pause")).to_be_visible()
    window.expect(window.tab.locator(".column .timeline-words")).to_have_text("trained (60 steps)")
    window.expect(window.tab.get_by_role("button", name="Play the training")).to_be_visible()
    assert window.width("trained") == trained


def test_a_link_opens_a_view_and_the_address_names_it(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=trained&p.lab_faces.view=over_training", run=None)
    tab = window.tab.get_by_role("tab", name="Over training")
    window.expect(tab).to_have_attribute("aria-selected", "true")
    window.expect(tab).to_be_in_viewport()
    window.tab.get_by_role("tab", name="Fool it").click()
    window.page.wait_for_url("**p.lab_faces.view=fool**")
    window.follow("&p.lab_faces.pins=trained&p.lab_faces.view=parts")
    window.expect(window.tab.locator(".sets li")).to_have_count(16)
    window.follow("&p.lab_faces.pins=trained&p.lab_faces.view=nose")
    window.expect(window.tab.locator(".banner")).to_contain_text("view nose")


def test_a_link_is_not_written_over_where_its_event_comes_late(window: Window) -> None:
    """The state is written a moment after a change: meanwhile a link may have been opened."""
    window.open_anew("&p.lab_faces.pins=trained")
    window.expect(window.tab.locator(".why-body .section").first).to_be_visible()  # it has begun
    window.page.evaluate(
        """async link => {
            const tab = document.querySelector("iframe").contentWindow;
            tab.document.querySelector(".tabs [role=tab]:last-child").click();
            history.replaceState(history.state, "", `#lab_faces${link}`); // tells nobody
            await new Promise(done => tab.setTimeout(done, 300));
            dispatchEvent(new HashChangeEvent("hashchange"));
        }""",
        "&p.lab_faces.pins=trained&p.lab_faces.view=nose",
    )
    window.expect(window.tab.locator(".banner")).to_contain_text("view nose")


def test_one_sentence_says_what_a_pinned_network_is(window: Window) -> None:
    """On its card and over its training; green for a useful one alone."""
    sentences = {
        "memorizer": "Memorizer: gets all 40 training faces right.",
        "useful": "Useful: gets 99 % of unseen faces right.",
    }
    for kind, words in sentences.items():
        window.open_anew("&p.lab_faces.pins=trained&p.lab_faces.view=over_training")
        changed(window, trained={"short": {"kind": kind, "words": words}})
        for place in (window.run("trained"), window.tab.locator(".why-body")):
            window.expect(place.locator(".short")).to_have_text(words)
            color = "right" if kind == "useful" else "wrong"
            window.expect(place.locator(".short")).to_have_class(re.compile(color))
        praise = window.tab.locator(".findings .right", has_text="What should matter")
        if kind == "memorizer":
            window.expect(praise).to_have_count(0)
    window.expect(window.run("sky").locator(".short")).to_have_count(0)


def test_an_untrained_network_is_neither_praised_nor_blamed(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=trained&p.lab_faces.step=0")
    window.expect(window.run("trained").locator(".verdict")).to_have_text("not trained yet")
    window.expect(window.run("trained").locator(".short")).to_have_count(0)
    why = window.tab.locator(".why-body")
    window.expect(why).to_contain_text("Not trained yet")
    assert why.locator(".findings .right").count() == 0
    window.tab.get_by_label("Step of training").focus()
    window.page.keyboard.press("End")
    window.expect(window.run("trained").locator(".verdict")).to_contain_text(
        re.compile("right|wrong")
    )


def test_nuisances_are_listed_as_the_sentences_name_them(opened: Window) -> None:
    """By one rule: the predicted class changes for at least one of the networks."""
    body = opened.tab.locator(".why-body")
    opened.expect(body.locator(".section").first).to_contain_text("at least one network")
    told = body.locator(".findings li", has_text="change the prediction").first
    names = str(told.text_content()).partition("prediction: ")[2].strip(".")
    wanted = set(re.split(", | and ", names))
    listed = body.locator("div:has(> .section)").first.locator(".strip-name").all_text_contents()
    assert set(listed) == wanted, "calm always answers the same"


def test_a_training_face_is_followed_over_the_training(window: Window) -> None:
    window.open_anew("&p.lab_faces.pins=trained")
    window.tab.get_by_role("tab", name="Over training").click()
    chart = window.tab.locator(".over-chart").first
    window.expect(chart).to_be_visible()
    window.expect(window.tab.locator(".findings")).to_contain_text("none of its training faces")
    window.tab.locator(".near.small .near-label").first.click()
    window.expect(window.tab.locator(".findings")).to_contain_text("This is training face 0")
    loaded = window.tab.locator('.near.small [aria-pressed="true"]')
    window.expect(loaded).to_contain_text("0: ")
    chart.focus()
    window.page.keyboard.press("ArrowLeft")
    window.expect(window.tab.locator(".column .timeline-words")).to_contain_text("after")
    window.expect(chart).to_be_focused()


def test_a_network_is_trained_on_the_page_and_followed(browser: Any, tmp_path: Path) -> None:
    runs = tmp_path / "none yet"
    with serving(runs, "--train") as (address, said):
        link = next(line.strip() for line in said if "token=" in line)
        assert link.startswith(address), "it has a line of its own"
        window = Window(browser, address, link.partition("#lab_faces")[2], run=None)
        panel = window.tab.get_by_role("group").filter(has_text="Train a network")
        window.tab.get_by_role("spinbutton", name="training faces").fill("20")
        window.tab.get_by_role("spinbutton", name="steps").fill("40")
        window.tab.get_by_role("combobox", name="cue", exact=True).select_option("eye_color")
        window.page.wait_for_url("**cue%3Aeye_color**")
        assert "token" not in window.page.url, "a link that is shared would hold it"
        window.tab.get_by_role("button", name="▶ Train").click()
        window.expect(panel.locator(".job.finished")).to_be_visible()
        window.expect(window.tab.locator(".run.pinned .bar")).to_be_visible()
        window.expect(window.tab.locator(".column .timeline-words")).to_have_text(
            "trained (40 steps)"
        )
        assert [each.name for each in runs.iterdir()] == ["person-20-eye_color_1-cnn8-s0"]

        window.follow("&p.lab_faces.level=heart")
        window.expect(window.tab.get_by_role("button", name="Train on these")).to_be_visible()
        window.follow("&p.lab_faces.train=num_train%3A30")
        window.expect(window.tab.locator(".levels")).not_to_be_visible()
        window.expect(window.tab.get_by_role("button", name="▶ Train")).to_be_in_viewport()
        window.expect(window.tab.get_by_role("spinbutton", name="training faces")).to_have_value(
            "30"
        )
        window.follow("&p.lab_faces.level=mystery")
        window.expect(window.tab.locator(".riddle")).to_be_in_viewport()
        window.expect(window.tab.locator(".riddle")).to_contain_text("no useful network")
        window.follow("&p.lab_faces.face=eye_color%3Agreen")
        window.expect(window.tab.locator(".riddle")).not_to_be_visible()
        window.expect(panel).not_to_have_attribute("open", "")

        away = "train on the machine that runs the board, not from 192.168.0.9"
        window.page.route(
            "**/training",
            lambda route: route.fulfill(json=route.fetch().json() | {"stranger": away}),
        )
        window.open_anew("&p.lab_faces.train=", run=None)
        window.expect(panel).to_contain_text("the teacher's screen has it")
        window.expect(window.tab.get_by_role("button", name="▶ Train")).to_be_disabled()
        assert not window.errors
        window.page.close()


def test_pictures_from_disk_are_picked_and_perturbed(window: Window) -> None:
    """In a wide and in a narrow window, and once more by the link."""
    window.open_anew("", width=1366)
    window.tab.get_by_role("button", name="Look at the pictures of pets").click()
    detail = window.tab.locator(".detail")
    window.expect(window.tab.locator(".album li")).to_have_count(6)
    window.expect(window.tab.locator(".gallery")).to_contain_text("not redrawn")
    window.expect(window.tab.locator(".controls")).not_to_be_visible()
    third = window.tab.locator(".album button").nth(2)
    name = str(third.get_attribute("title")).partition(":")[0]
    third.click()
    window.expect(detail.locator(".file")).to_have_text(name)
    window.expect(detail.locator(".class-row")).to_have_count(3)
    window.expect(detail.locator(".changes li")).to_have_count(7)
    window.expect(detail.locator(".map rect")).to_have_count(16)
    window.expect(detail.locator(".near li")).to_have_count(12)
    trained = detail.locator(".chances").inner_text()
    detail.get_by_label("Training step").focus()
    window.page.keyboard.press("Home")
    window.expect(detail.locator(".chances")).to_contain_text("Here: after 0 steps")
    window.page.keyboard.press("End")
    window.expect(detail.locator(".timeline-words")).to_have_text("trained (12 steps)")
    window.expect(detail.locator(".chances")).to_have_text(trained, use_inner_text=True)
    plain = str(detail.locator(".large").get_attribute("src"))
    detail.get_by_title("mirrored").click()
    window.expect(detail.locator(".large")).not_to_have_attribute("src", plain)
    window.expect(detail.get_by_title("mirrored")).to_be_focused()
    window.page.wait_for_url(re.compile("pictures=run%3Apets.*number%3A2.*change%3Amirror"))
    shown = str(detail.locator(".large").get_attribute("src"))
    for width in (1366, 420):
        window.page.set_viewport_size({"width": width, "height": 950})
        detail.locator(".near li").last.scroll_into_view_if_needed()
        room = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        window.page.frames[-1].wait_for_function(room)
        nameless = window.page.frames[-1].evaluate(
            """() => [...document.querySelectorAll(".pictures :is(button, select)")]
            .filter((e) => !(e.getAttribute("aria-label") || e.querySelector("img[alt]")?.alt ||
                             e.textContent.trim()))
            .map((e) => e.outerHTML.slice(0, 200))"""
        )
        assert nameless == []
    (tab,) = window.page.frames[1:]
    with tab.expect_navigation():
        tab.evaluate("location.reload()")
    window.expect(detail.locator(".file")).to_have_text(name)
    window.expect(detail.locator(".large")).to_have_attribute("src", shown)
    window.tab.get_by_role("button", name="Drawn faces").click()
    window.expect(window.tab.locator(".easel .picture")).to_be_visible()
    window.page.wait_for_url(re.compile("#lab_faces(?!.*pictures=)"))


KINDS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "walnut": ((), {"train": 1.0, "test": 0.6}),
    "hazel": ((), {"train": 1.0, "test": 0.99}),
    "maple": (("eye_color:1",), {"train": 1.0, "test": 0.9, "conflicting": 0.0}),
}
"""The cues and accuracies of a memorizer, a useful network and one that takes a shortcut."""


@pytest.fixture(scope="module")
def class_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard over these three, which may train networks."""
    folder = tmp_path_factory.mktemp("class")
    for name, (cues, accuracies) in KINDS.items():
        start(tiny(folder, name=name, cues=cues, model="linear"))
        path = folder / name / "summary.json"
        summary = json.loads(path.read_text())
        summary["accuracy"] = {tag: {"value": value} for tag, value in accuracies.items()}
        path.write_text(json.dumps(summary))
    with serving(folder, "--train") as (address, _):
        yield address


def test_a_link_to_the_levels_shows_nothing_of_the_runs(browser: Any, class_board: str) -> None:
    """Neither before the levels are there nor behind them, also to a screen reader; only who closes
    them sees the runs."""
    page, expect = browser.new_page(), sync_api.expect
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": 390, "height": 844})
    held: list[Any] = []
    page.route("**/lab_faces/levels", lambda route: held.append(route))
    page.goto(f"{class_board}/levels")
    page.wait_for_function("document.querySelector('.run .bar .part')")
    expect(page.get_by_text("Loading the levels …").last).to_be_visible()
    page.wait_for_timeout(1000)  # what is said to screen readers comes late

    def nothing() -> None:
        shown = page.locator("body").inner_text()
        assert not any(word in shown for word in (*KINDS, "agrees", "Train a network")), shown
        said = str(page.locator("main > .unseen").text_content())
        assert not any(name in said for name in KINDS)

    nothing()
    held[0].continue_()
    expect(page.locator(".tray .card").first).to_be_visible()
    nothing()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="hazel").first).to_be_visible()
    page.close()


def test_a_level_is_played(opened: Window) -> None:
    opened.tab.get_by_role("button", name="Choose what it sees").click()
    opened.tab.get_by_role("button", name="2. ").click()
    opened.page.wait_for_url("**p.lab_faces.level=eyes**")
    go = opened.tab.get_by_role("button", name="Train on these")
    opened.expect(go).to_be_disabled()
    for group in ("not a person, brown eyes", "person, blue eyes"):
        opened.tab.get_by_role("slider", name=group, exact=True).fill("12")
    opened.expect(opened.tab.locator(".card.chosen")).to_have_count(24)
    opened.tab.locator(".card.chosen").first.click()
    opened.expect(opened.tab.locator(".levels")).to_contain_text("23 chosen")
    opened.expect(opened.tab.locator(".levels")).to_contain_text("any face with a mouth")
    cards = opened.tab.locator(".tray .card")
    opened.expect(cards.nth(14).locator(".number")).to_have_text("14")
    opened.expect(cards.nth(14).locator(".number")).to_be_visible()
    places = [cards.nth(i).bounding_box() for i in (7, 14, 30)]
    opened.page.route("**/place?*", lambda route: route.fulfill(json={"before": 3}))
    held: list[Any] = []
    opened.page.route("**/play?*", lambda route: held.append(route))
    go.click()
    opened.expect(opened.tab.locator(".outcome")).to_contain_text("3 are before yours")
    held[0].continue_()
    opened.expect(opened.tab.locator(".outcome")).to_contain_text("Unseen faces: ")
    opened.expect(opened.tab.locator(".outcome")).to_contain_text("answered: ")
    assert [cards.nth(i).bounding_box() for i in (7, 14, 30)] == places, "the faces stay in place"
    opened.tab.get_by_role("button", name="Close").click()
    opened.page.wait_for_function("!location.hash.includes('level')")


def test_three_networks_without_names_are_told_apart(browser: Any, class_board: str) -> None:
    page, expect = browser.new_page(), sync_api.expect
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    held: list[Any] = []
    page.route("**/look?*", lambda route: held.append(route))
    page.goto(f"{class_board}/mystery")
    page.wait_for_function("document.querySelectorAll('.run').length === 3")
    shown = page.locator("main").inner_text()
    assert not any(word in shown for word in (*KINDS, "training faces")), "before it begins"
    for route in held:
        route.continue_()
    page.unroute("**/look?*")
    names, riddle = page.locator(".run h3"), page.locator(".riddle")
    expect(names).to_have_text(["A", "B", "C"])
    expect(riddle).to_contain_text("1 face asked")
    expect(page.get_by_role("heading", name="Predictions of A, B, C")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    shown = page.locator("main").inner_text()
    assert not any(name in shown for name in KINDS), "it gives itself away"
    expect(page.locator(".truth")).to_contain_text("True label: person")
    expect(page.locator(".all-runs")).to_contain_text("← not a person | person →")
    random = page.get_by_role("button", name="Random face")
    place = random.bounding_box()
    random.click()
    expect(riddle).to_contain_text("2 faces asked")
    page.evaluate("document.querySelector('.truth').append(' – no nose, 1 of 2 ears'.repeat(20))")
    assert random.bounding_box() == place, "it stays when the words below grow"
    page.set_viewport_size({"width": 390, "height": 844})
    said = dict(zip("ABC", ("useful network", "memorizer", "cheat"), strict=True))
    for alias, guess in said.items():
        page.get_by_label(f"Network {alias} is").select_option(label=guess)
    page.get_by_role("button", name="Reveal").click()
    expect(riddle).to_contain_text("with 2 faces")
    expect(riddle).to_contain_text("“maple”")
    for alias, guess in said.items():
        row = riddle.locator("li", has_text=f"{alias} = ")
        right = f"the {guess} " in row.inner_text()
        expect(row).to_contain_text("You said so" if right else f"You said: {guess}")
    expect(names.filter(has_text="walnut")).to_have_text(re.compile("^[ABC] = walnut$"))
    expect(page.locator(".glance-name")).to_have_count(3)
    expect(riddle).to_be_in_viewport()
    assert riddle.bounding_box()["y"] < page.locator(".easel .frame").bounding_box()["y"]
    expect(page.get_by_text("Train a network")).not_to_be_visible()
    page.get_by_role("button", name="Pin all three").click()
    expect(names.filter(has_text="walnut")).to_have_text(re.compile("^[ABC] = walnut$"))
    assert not errors
    page.close()
