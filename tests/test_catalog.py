"""The tables of networks and tasks: complete, and put where they belong."""

import pytest

from lab.catalog import embed, models_table, own_models, speeds_in, tasks_table
from lab.data import list_tasks
from lab.models import list_models


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
