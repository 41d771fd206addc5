"""The version of the drawn pictures changes with what decides them, and with nothing else.

After a change that is meant to show, write the new versions:

    python tests/test_world_version.py
"""

import json
import os
from pathlib import Path

import pytest

from lab.core.config import DataConfig
from lab.worlds import list_tasks, world_version
from support.killing import answer_of

GOLDEN = Path(__file__).parent / "golden" / "world.json"


def versions() -> dict[str, str]:
    """The version of every task."""
    return {task: world_version(DataConfig(task=task)) for task in list_tasks()}


def test_the_world_is_the_one_of_yesterday() -> None:
    assert versions() == json.loads(GOLDEN.read_text()), (
        "runs that were trained before will be refused; if that is meant:"
        f" python tests/{Path(__file__).name}"
    )


def test_tasks_have_versions_of_their_own() -> None:
    found = versions()
    assert len(set(found.values())) == len(found)
    with pytest.raises(ValueError, match="did you mean 'person'"):
        world_version(DataConfig(task="persons"))


CHANGES = {
    "": "",
    "where an eye is": "from lab.worlds.faces import geometry; geometry.EYE_X = 0.21",
    "a line of the drawing": "from lab.worlds.faces import drawing; old = drawing.DRAWING.shade;"
    "vars(drawing.DRAWING)['shade'] = lambda *given: old(*given) * 0.999",
    "a prior": "from dataclasses import replace; from lab.worlds.faces import ATTRIBUTES as A;"
    "A['glasses'] = replace(A['glasses'], prior=(0.61, 0.2, 0.19))",
    "a range": "from dataclasses import replace; from lab.worlds.faces import ATTRIBUTES as A;"
    "A['smile'] = replace(A['smile'], high=A['smile'].high + 1e-9)",
    "how parts are balanced": "from lab.worlds.faces import strays as p; p.TURNS_UP = 0.7",
    "a color": "from lab.worlds.faces import palette; import torch;"
    "palette.PALETTES['skin_color'] = palette.PALETTES['skin_color'] * 0.99",
    "what is said of an attribute": "from dataclasses import replace; from lab.worlds.faces import"
    " ATTRIBUTES as A; A['smile'] = replace(A['smile'], meaning='another')",
    "the backend": "from lab.draw import c_backend; c_backend.is_built = lambda _: False",
}


def versions_after(changes: dict[str, str]) -> dict[str, str]:
    """The version after each of the changes, made in a process of its own."""
    found = {}
    for name, change in changes.items():
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                exec(change, {})
                os.write(writer, world_version(DataConfig(task="person")).encode())
            finally:
                os._exit(0)
        os.close(writer)
        found[name] = os.read(reader, 100).decode()
        os.close(reader)
        os.wait()
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """The version after each of the changes."""
    return answer_of(versions_after, CHANGES)


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_decides_the_pixels_decides_the_version(change: str, found: dict[str, str]) -> None:
    same = change in ("", "what is said of an attribute", "the backend")
    assert found[change], "the change could be made"
    assert (found[change] == found[""]) is same


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(versions(), indent=2) + "\n")
    print(f"wrote {GOLDEN}")
