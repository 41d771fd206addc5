"""Memory and processors that this process may use under containers and limits.

Standard library only.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WINDOWS: bool = sys.platform == "win32"

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""The environment variables by which torchrun tells each process of a run about the others."""

ROOT = Path("/")
"""Where Linux shows its control groups (cgroups): the files below /proc/self and those mounted."""


def memory(root: Path | None = None) -> int | None:
    """Bytes of memory that this process may use: the least of what the machine has, what its
    control group and those above it are given, and `ulimit -v`. None where it cannot be
    determined."""
    known = [_physical(), _address_space()]
    for folder in _groups(root or ROOT, "memory"):
        known += [
            _number(folder / name)
            for name in ("memory.max", "memory.high", "memory.limit_in_bytes")
        ]
    return min((number for number in known if number is not None), default=None)


def processors(root: Path | None = None) -> int:
    """Processes that can compute at a time, 1 or more: the least of the processors that this
    process may run on and the quotas of its control group and those above it, rounded up."""
    have = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        have = len(os.sched_getaffinity(0))
    quotas = [
        quota for folder in _groups(root or ROOT, "cpu") if (quota := _quota(folder)) is not None
    ]
    return max(1, min([have, *map(math.ceil, quotas)]))


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor is known to have instructions for bfloat16, without which this is
    several times slower than float32; False where the system does not tell (other than Linux)."""
    try:
        told = cpuinfo.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(told)


def _physical() -> int | None:
    if not hasattr(os, "sysconf"):  # as on Windows
        return None
    try:
        size: int = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    return size


def _address_space() -> int | None:
    if sys.platform == "win32":
        return None
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, each with those above it that can be seen: of
    version 2, and of version 1 for the `controller`."""
    paths: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, names, path = line.split(":", 2)
        paths |= dict.fromkeys(names.split(","), path)  # version 2 names no controller: ""
    for line in _lines(root / "proc/self/mountinfo"):
        mounted, _, system = line.partition(" - ")
        kind, _, options = system.split(" ", 2)
        name = {"cgroup2": "", "cgroup": controller}.get(kind)
        if name not in paths or (name and name not in options.split(",")):
            continue
        top, place = mounted.split(" ")[3:5]
        mount, group = root / place.lstrip("/"), PurePosixPath(paths[name])
        inner = group.relative_to(top) if group.is_relative_to(top) else PurePosixPath()
        if ".." in inner.parts:  # a group outside of what this container sees
            inner = PurePosixPath()
        yield from (mount / above for above in (inner, *inner.parents))


def _quota(folder: Path) -> float | None:
    """Processors that a control group may use at a time; None: no limit, or none that is known."""
    share = " ".join(_lines(folder / "cpu.max")).split()
    if not share:
        share = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
    if len(share) != 2 or not all(word.isdecimal() for word in share):  # "max", -1
        return None
    quota, period = map(int, share)
    return quota / period if period else None


def _number(path: Path) -> int | None:
    words = _lines(path)
    return int(words[0]) if words and words[0].isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
