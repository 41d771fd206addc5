"""Texts for TensorBoard's Text tab, which reads Markdown."""

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

import torch


def literal(text: object) -> str:
    """`text` as Markdown that shows it letter by letter, on one line, whatever it holds.

    >>> literal("a*b <i>")
    'a&#42;b &#60;i&#62;'
    """
    sound = str(text).encode("utf-8", "backslashreplace").decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in sound).split())
    line = re.sub(r"[^\w\s.,;:%()'/+–—-]|_", _character, line)
    return re.sub(r"^[+-]|^\d+(?=\.)", _characters, line)  # where a list would begin


def _character(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _characters(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(c)};" for c in match[0])


def paragraphs(text: str) -> str:
    """Each line of `text` as a paragraph, shown letter by letter."""
    return "\n\n".join(map(literal, text.splitlines()))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the cells are shown letter by letter."""
    lines = [list(map(literal, header)), ["---"] * len(header)]
    lines += [list(map(literal, row)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings_table(config: Mapping[str, object]) -> str:
    """A run's settings, nested or not, as a Markdown table."""
    return table(("setting", "value"), _flat(config))


def environment(*, device: torch.device, threads: int) -> dict[str, str]:
    """What a run's exact metrics depend on beside its settings."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "torchvision", "tensorboard")},
        "system": f"{platform.system()} {platform.release()}",
        "device": f"{device} ({name})",
        "threads": str(threads),
    }


def _flat(config: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif isinstance(value, (list, tuple)):
            yield name, " ".join(map(str, value))
        else:
            yield name, value
