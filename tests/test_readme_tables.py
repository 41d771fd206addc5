"""The tables of networks and tasks: complete, and put where they belong."""

import re
from pathlib import Path

import pytest

from lab.experiments.lessons import list_lessons
from lab.experiments.readme_tables import embed, models_table, own_models, speeds_in, tasks_table
from lab.models import list_models
from lab.worlds import list_tasks


def test_every_model_has_a_row_with_an_idea_and_its_speed() -> None:
    speeds = dict.fromkeys(own_models(), 1.5)
    table = models_table(speeds)
    assert own_models() == list_models()  # as long as no package adds its own
    assert speeds_in(table) == speeds
    for row in table.splitlines()[2:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4
        assert all(cells)


def test_every_task_has_a_row() -> None:
    for name, row in zip(list_tasks(), tasks_table().splitlines()[2:], strict=True):
        assert row.startswith(f"| `{name}` |")


def test_a_table_is_put_between_its_markers() -> None:
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb"
    new = embed(text, "x", "| new |")
    assert new == "a\n<!-- x: begin -->\n| new |\n<!-- x: end -->\nb"
    assert embed(new, "x", "| new |") == new
    for broken in ("", "<!-- x: begin -->", "<!-- x: end --><!-- x: begin -->"):
        with pytest.raises(ValueError, match="no place for the table"):
            embed(broken, "x", "| new |")


def test_the_readme_has_the_tables_as_they_are() -> None:
    """All but the speeds, which only a clock can tell: those are kept."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    speeds = speeds_in(readme)
    assert set(speeds) == set(own_models())
    for place, table in (("models", models_table(speeds)), ("tasks", tasks_table())):
        assert embed(readme, place, table) == readme, "python3 scripts/models.py --into README.md"


def test_the_readme_has_every_lesson() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- lessons: begin -->")[2].partition("<!-- lessons: end -->")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == list(list_lessons())
