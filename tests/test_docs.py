"""The documentation is true: generated parts, links, names of files, commands, Python examples."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from lab.core.cli import main
from lab.core.config import RunConfig
from lab.core.flags import flags_of
from lab.docs import (
    PARTS,
    Part,
    embed,
    models_table,
    outdated,
    own_models,
    part_of,
    refresh,
    speeds_in,
    with_results,
)
from lab.experiments.lessons import list_lessons
from lab.models import list_models
from lab.training import list_objectives
from lab.worlds import get_task
from lab.worlds.faces import tasks
from lab.worlds.tasks import Task
from support.scripts import flags_in, load_script, run_here

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "assets" / "README.md"]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
INDENTED = re.compile(r"^ +```text\n(.*?)^ +```", flags=re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    """A page without its fenced blocks, whose lines may look like headings or links."""
    return FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in found]
    return {heading.replace(" ", "-") for heading in plain}


def blocks(kind: str) -> list[tuple[str, str]]:
    """The fenced blocks of a kind: page, content."""
    return [
        (page, content)
        for page, text in TEXTS.items()
        for found, content in FENCED.findall(text)
        if found == kind
    ]


def test_generated_parts_are_what_the_code_gives() -> None:
    assert outdated(ROOT) == []


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """One of the few generated parts that pages in `tmp_path` have: their making takes no time."""
    few = [part for part in PARTS if part.name in ("attributes", "lessons", "run")]
    assert len({part.page for part in few}) == 3
    monkeypatch.setattr("lab.docs.pages.PARTS", few)
    for part in few:
        (tmp_path / part.page).parent.mkdir(exist_ok=True)
        (tmp_path / part.page).write_text(TEXTS[part.page], encoding="utf-8")
    return few[-1]


def test_a_part_that_was_edited_or_removed_is_noticed(part: Part, tmp_path: Path) -> None:
    edited = tmp_path / part.page
    edited.write_text(embed(TEXTS[part.page], part.name, "nothing"), encoding="utf-8")
    assert outdated(tmp_path) == [f"{part.page}: {part.name}"]
    assert refresh(tmp_path)[edited] == TEXTS[part.page]
    edited.write_text("# Nothing here\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"{part.page}: no place for the part"):
        refresh(tmp_path)


def test_the_command_names_what_is_out_of_date_and_renews_it(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load_script("docs")
    monkeypatch.setattr(script._bootstrap, "ROOT", tmp_path)
    edited = tmp_path / part.page
    edited.write_text(embed(TEXTS[part.page], part.name, "nothing"), encoding="utf-8")
    assert main(script.docs, ["--check"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(script.docs, ["--write"]) == 0
    assert capsys.readouterr().out.split() == [part.page]
    assert main(script.docs, []) == 0
    assert edited.read_text(encoding="utf-8") == TEXTS[part.page]
    for words in (["--check", "--write"], ["--time-models"], ["--lessons", "runs"]):
        assert main(script.docs, words) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("broken", ["", "<!-- x: begin -->", "<!-- x: end --><!-- x: begin -->"])
def test_a_part_needs_both_of_its_markers(broken: str) -> None:
    with pytest.raises(ValueError, match="no place for the part 'x'"):
        embed(broken, "x", "new")


def test_a_part_is_put_between_its_markers() -> None:
    new = embed("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb", "x", "| new |")
    assert new == "a\n<!-- x: begin -->\n| new |\n<!-- x: end -->\nb"
    assert part_of(new, "x") == "| new |"


def test_the_table_of_models_keeps_the_speeds_that_only_a_clock_can_tell() -> None:
    speeds = dict.fromkeys(own_models(), 1.5)
    table = models_table(speeds)
    assert own_models() == list_models()  # as long as no package adds its own
    assert speeds_in(table) == speeds
    for row in table.splitlines()[2:]:
        assert all(cell.strip() for cell in row.strip("|").split("|"))
    assert set(speeds_in(TEXTS["docs/models.md"])) == set(own_models())


def test_a_model_without_a_speed_does_not_keep_the_other_parts_from_being_renewed() -> None:
    first, *others = own_models()
    table = models_table(dict.fromkeys(others, 1.5))
    assert table.count("not measured") == 1
    assert set(speeds_in(table)) == set(others)
    assert models_table(speeds_in(table)) == table
    assert first in table


def test_every_flag_of_a_run_has_a_row_with_its_default() -> None:
    rows = re.findall(r"^\| `(--[\w-]+)` \| (\S.*?) \| \S.* \|$", TEXTS["docs/flags.md"], re.M)
    assert sorted(name for name, _ in rows) == sorted(each.name for each in flags_of(RunConfig))


def test_every_module_has_a_row_with_what_it_contains() -> None:
    text = TEXTS["docs/code.md"]
    for path in (ROOT / "lab").glob("*/**/*.py"):
        room, *rest = path.relative_to(ROOT / "lab").parts
        name = "/".join(rest).removesuffix("__init__.py") or "./"
        assert re.search(rf"^\| `{re.escape(name)}` \| \S", part_of(text, room), re.MULTILINE), path


def test_every_objective_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TEXTS["docs/models.md"], flags=re.MULTILINE)
    assert set(list_objectives()) <= set(rows)


def test_every_lesson_has_its_results() -> None:
    results = part_of(TEXTS["docs/results.md"], "results")
    names = re.findall(r"^### `(\w+)`: ", results, flags=re.MULTILINE)
    assert names == list(list_lessons())


def test_new_results_of_a_lesson_replace_its_old_ones(tmp_path: Path) -> None:
    (tmp_path / "eye_color").mkdir()
    (tmp_path / "eye_color" / "lesson.json").write_text(
        '{"lesson": "eye_color", "published": "p", "seeds": 7, "date": "2030-01-01",'
        ' "verdict": "refuted", "claims": [{"text": "t", "verdict": "refuted", "evidence": "e"}]}',
        encoding="utf-8",
    )
    old = TEXTS["docs/results.md"]
    new = with_results(old, tmp_path)
    assert "### `eye_color`: refuted\n\nPublished: p. Ours: 2030-01-01, 7 seeds.\n\n- ✗ t: e" in new
    headings = re.compile(r"^### `(\w+)`", flags=re.MULTILINE)
    assert headings.findall(part_of(new, "results")) == headings.findall(part_of(old, "results"))
    assert with_results(new, tmp_path) == new


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(TEXTS[page])):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    for page in TEXTS:
        if page.startswith("docs/"):
            assert f"({page}" in TEXTS["README.md"], page


def test_each_question_of_the_sheet_for_pupils_has_an_answer() -> None:
    sheet = (ROOT / "docs" / "class_sheet.html").read_text(encoding="utf-8")
    asked = re.findall(r"<b>(\d+)\. ", sheet)
    answers = TEXTS["docs/class.md"].partition("\n## Answers to the sheet\n")[2]
    assert asked == re.findall(r"^(\d+)\. ", answers, flags=re.MULTILINE)
    assert len(asked) > 5
    assert not re.search(r"https?:|src=|<script", sheet), "it prints without a network"


def test_every_picture_is_shown_and_said_how_it_was_made() -> None:
    pictures = {path.name for path in (ROOT / "assets").glob("*.png")}
    shown = {
        name
        for page, text in TEXTS.items()
        if page != "assets/README.md"
        for name in re.findall(r"assets/([\w.-]+\.png)", text)
    }
    assert shown == pictures
    assert pictures == set(re.findall(r"`([\w-]+\.png)`", TEXTS["assets/README.md"])) & pictures
    assert sum(path.stat().st_size for path in (ROOT / "assets").iterdir()) < 1_000_000


@pytest.mark.parametrize("page", TEXTS)
def test_files_that_are_named_exist(page: str) -> None:
    text = TEXTS[page]
    for name in re.findall(r"`((?:lab|scripts|tests)/[\w/.]+)`", text):
        assert (ROOT / name).exists() or "NAME" in name, name
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert (ROOT / "tests" / name).exists(), name


def test_every_script_has_its_place() -> None:
    for path in (ROOT / "scripts").glob("[a-z]*.py"):
        assert f"scripts/{path.name}" in TEXTS["docs/commands.md"], path.name


COMMAND = re.compile(r"(?:python3|torchrun[^`\n]*?) (scripts/[\w/]+\.py)((?:[^`#\n\\]|\\\n)*)")
MADE_UP = {"NAME"}


def commands() -> set[tuple[str, str]]:
    """The commands that pages show: script, words."""
    return {
        (script, " ".join(words.replace("\\\n", " ").split()))
        for page, text in TEXTS.items()
        for script, words in COMMAND.findall(text)
        if Path(script).stem not in MADE_UP
    }


@pytest.mark.parametrize("script", sorted({script for script, _ in commands()}))
def test_commands_exist_and_know_their_flags(script: str) -> None:
    assert (ROOT / script).is_file()
    if script in ("scripts/test.py", "scripts/benches/playground.py"):
        return  # flags of pytest; no flags
    for name, words in commands():
        if name == script:
            for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", words):
                assert flag in flags_in(script), words


def test_flags_that_pages_name_exist() -> None:
    known = {each.name for each in flags_of(RunConfig)} | {"--help", "--platform", "--debug"}
    for script, _ in commands():
        if script not in ("scripts/test.py", "scripts/benches/playground.py"):
            known |= flags_in(script)
    known |= {"--nproc-per-node", "--reweight-groups"}
    for page, text in TEXTS.items():
        for flag in re.findall(r"`(--[a-z-]+)[ `]", text):
            assert flag in known, f"{page}: {flag}"


PYTHON = [(page, text) for page, text in blocks("python") if not text.startswith("# my_")]
FILES = {text.split()[1]: text for _, text in blocks("python") if text.startswith("# my_")}


@pytest.mark.usefixtures("runs_here")
@pytest.mark.parametrize("page", sorted({page for page, _ in PYTHON}))
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of a page run one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for there, text in PYTHON:
        if there == page:
            exec(compile(text, page, "exec"), names)


TRIED = {
    "--model my_net.py:my_net --objective my_focal.py:focal": False,
    "--model my_experts.py:experts --objective my_experts.py:balanced": False,
    "--objective my_votes.py:Votes --data mine.npz --image-size 16": True,
    "--metric my_metrics.py:brier": False,
}
"""Flags that name what the files of the pages define, and whether warnings are expected: of so few
pictures something is always said."""


@pytest.mark.parametrize("flags", TRIED)
def test_what_the_files_of_the_pages_define_trains(
    flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez("mine.npz", x=pixels, y=np.arange(40) % 2)
    small = ["--num-test", "20", "--num-train", "8", "--counterfactuals", "0", "--no-pictures"]
    run = run_here("train", "--name", "mine", "--steps", "2", *flags.split(), *small)
    assert run.code == 0, run.err
    assert TRIED[flags] or "warning" not in run.out + run.err
    summary = (tmp_path / "runs" / "mine" / "summary.json").read_text(encoding="utf-8")
    assert ('"brier"' in summary) == ("brier" in flags)


def test_the_task_of_the_page_is_the_labs() -> None:
    (text,) = (text for text in INDENTED.findall(TEXTS["docs/extending.md"]) if "_task(" in text)
    made: list[Task] = []
    exec(textwrap.dedent(text), {**vars(tasks), "register": made.append})
    (task,) = made
    known = get_task(task.name)
    assert (task.classes, task.relevant) == (known.classes, known.relevant)
    assert task.subpopulations == known.subpopulations


def test_every_file_of_the_pages_is_tried() -> None:
    assert set(FILES) == set(re.findall(r"\w+\.py", " ".join(TRIED)))


def test_files_of_one_name_are_the_same_on_all_pages() -> None:
    for _, text in blocks("python"):
        if text.startswith("# my_"):
            assert text == FILES[text.split()[1]]
