"""Imports point down: the rooms of the house, read from the files themselves."""

import ast
import re
from functools import cache
from pathlib import Path

LAB = Path(__file__).parent.parent / "lab"

README = LAB.parent / "README.md"


def levels() -> dict[str, int]:
    """Each package's level, from the list of packages in the README; a package may import packages
    of lower levels. Level 0 is imported by all."""
    text = README.read_text(encoding="utf-8")
    listed = text.partition("<!-- packages: begin -->")[2].partition("<!-- packages: end -->")[0]
    found = re.findall(r"^ +(\d+) (\w+)/", listed, flags=re.MULTILINE)
    return {name: int(level) for level, name in found}


LEVELS = levels()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything that is written in a file, at any depth of its code."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> set[str]:
    """The modules of the lab that a file imports, at any depth of its code."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            module = str(node.module)
            inner = [f"{module}.{alias.name}" for alias in node.names]
            found |= {name for name in inner if is_module(name)} or {module}
    return {name for name in found if name == "lab" or name.startswith("lab.")}


def is_module(name: str) -> bool:
    """Whether a dotted name is a file or folder of the lab."""
    place = LAB.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def room(path: Path) -> str:
    """The package or single module that a file belongs to."""
    return path.relative_to(LAB).parts[0].removesuffix(".py")


FILES = [path for path in sorted(LAB.rglob("*.py")) if path != LAB / "__init__.py"]


def test_the_readme_lists_every_package_from_the_highest_level_down() -> None:
    assert {room(path) for path in FILES} == set(LEVELS)
    assert list(LEVELS.values()) == sorted(LEVELS.values(), reverse=True)


def test_no_import_points_up_or_sideways() -> None:
    wrong = []
    for path in FILES:
        here = room(path)
        for name in imports(path):
            there = name.split(".")[1] if "." in name else ""
            if there == here or (LEVELS[here] == LEVELS[there] == 0):
                continue
            if LEVELS[there] >= LEVELS[here]:
                wrong.append(f"{path.relative_to(LAB.parent)} imports {name}")
    assert not wrong


def test_no_import_runs_in_a_circle() -> None:
    graph = {module_name(path): imports(path) for path in FILES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_lowest_level_needs_no_torch() -> None:
    for path in FILES:
        if LEVELS[room(path)] == 0 and path.name != "pictures.py":
            text = path.read_text(encoding="utf-8")
            assert "import torch" not in text, f"{path}: --help must be instant"


def test_the_drawing_engine_knows_no_face() -> None:
    """It draws what a description tells it to: nothing in it is about one world."""
    words = re.compile(r"\b(face|head|eye|nose|mouth|ear|hair|skin|beard|glasses|stray)s?\b", re.I)
    for path in sorted((LAB / "draw").iterdir()):
        if path.is_file():
            found = words.findall(path.read_text(encoding="utf-8"))
            assert not found, f"{path.name}: {found}"


def module_name(path: Path) -> str:
    """The dotted name of a file of the lab."""
    parts = path.relative_to(LAB.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FACES = LAB / "worlds" / "faces"
ABOUT_FACES = {"lab/commands/gallery.py", "lab/worlds/registry.py"}
"""The one list of worlds; beside it lessons and the playground may be about faces."""
NAMES_OF_FACES = re.compile(
    r"ATTRIBUTES|STRAYS|SUBSETS|Faces|(.*_)?(eyes?|noses?|mouths?|ears)(_.*)?"
)


def may_be_about_faces(path: Path) -> bool:
    """Whether a file of the lab belongs to faces, or to what is about them."""
    parts = path.relative_to(LAB).parts
    told = path.relative_to(LAB.parent).as_posix()
    return (
        path.is_relative_to(FACES)
        or "lessons" in parts
        or parts[0] == "playground"
        or (told in ABOUT_FACES)
    )


def names(path: Path) -> set[str]:
    """The identifiers of a file: what it defines, reads and passes, no texts and no comments."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg | ast.keyword):
            found.add(str(node.arg))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def test_nobody_else_knows_what_a_face_is_made_of() -> None:
    wrong = {}
    for path in FILES:
        if not may_be_about_faces(path):
            told = {name for name in imports(path) if name.startswith("lab.worlds.faces")}
            told |= {name for name in names(path) if NAMES_OF_FACES.fullmatch(name)}
            if told:
                wrong[path.relative_to(LAB).as_posix()] = told
    assert not wrong


def test_one_module_knows_what_a_tilde_is() -> None:
    """Others would take `./~x` for `~x`, or end in an error where there is no such user."""
    told = {path.name for path in FILES if names(path) & {"expanduser"}}
    assert told == {"paths.py"}


TESTS = Path(__file__).parent


def test_no_test_module_needs_another_one() -> None:
    """What two of them share lies in `support/`."""
    modules = {path.stem for path in TESTS.glob("*.py")}
    for path in TESTS.rglob("*.py"):
        for node in nodes(path):
            told = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                told = {str(node.module)}
            assert not told & modules, f"{path.name} imports {told & modules}"


def test_tests_know_public_names_only() -> None:
    """What a module of the lab keeps to itself may change without a word."""
    found = {path.name: private_names(path) for path in TESTS.rglob("*.py")}
    assert not {name: used for name, used in found.items() if used}


PRIVATE = re.compile("_[a-z][a-z_]*")
NOT_OF_THE_LAB = {"self", "os", "sys", "parts"}
"""Objects of tests and of Python."""


def private_names(path: Path) -> set[str]:
    """The names of the lab with an underscore that a test imports, reads or replaces."""
    used: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("lab"):
            used |= {alias.name for alias in node.names if PRIVATE.fullmatch(alias.name)}
        elif isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr):
            used |= {node.attr} - {"_bootstrap"} if of_the_lab(node) else set()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            used |= set(re.findall(r"^lab[.\w]*\.(_[a-z]\w*)$", node.value))
    return used


def of_the_lab(node: ast.Attribute) -> bool:
    """Whether an attribute is of something that the lab may have made."""
    return ast.unparse(node.value) not in NOT_OF_THE_LAB
