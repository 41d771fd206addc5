"""What a container gives to a process is what counts, not what the machine has."""

import os
import resource
import sys
from pathlib import Path

import pytest

from lab.core import machine
from lab.core.machine import memory, processors
from lab.worlds import check_memory, check_memory_of_runs

HAVE = memory(Path("/nowhere"))
"""Bytes of memory without any control group."""

ONE = "0::/user.slice/lab.scope\n"
MOUNT_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
MOUNT_1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)
GROUPS_1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def version_2(root: Path, group: str = ONE, **limits: str) -> Path:
    """A machine whose groups have limits: file below the mount -> its content."""
    files = {"proc/self/cgroup": group, "proc/self/mountinfo": MOUNT_2}
    files |= {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}
    return write(root, files)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, HAVE),
        ({"user.slice/lab.scope/memory.max": "max\n"}, HAVE),
        ({"user.slice/lab.scope/memory.max": "1000000\n"}, 1_000_000),
        ({"user.slice/memory.max": "900000\n", "user.slice/lab.scope/memory.max": "max"}, 900_000),
        ({"user.slice/memory.max": "9000\n", "user.slice/lab.scope/memory.max": "100"}, 100),
        ({"memory.max": "70000\n"}, 70_000),
        ({"user.slice/lab.scope/memory.high": "5000", "memory.max": "max"}, 5000),
        ({"user.slice/lab.scope/memory.max": str(2**60)}, HAVE),
        ({"user.slice/lab.scope/memory.max": "rubbish"}, HAVE),
        ({"user.slice/other.scope/memory.max": "7"}, HAVE),
    ],
)
def test_memory_is_the_least_that_any_group_of_version_2_gives(
    limits: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert memory(version_2(tmp_path, **limits)) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"user.slice/lab.scope/cpu.max": "max 100000\n"}, None),
        ({"user.slice/lab.scope/cpu.max": "100000 100000\n"}, 1),
        ({"user.slice/lab.scope/cpu.max": "5000 100000\n"}, 1),
        ({"user.slice/cpu.max": "150000 100000\n", "cpu.max": "9000000 100000"}, 2),
        ({"user.slice/lab.scope/cpu.max": "100000 0\n"}, None),
    ],
)
def test_processors_are_those_of_the_quota(
    limits: dict[str, str], expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(7)), raising=False)
    assert processors(version_2(tmp_path, **limits)) == (expected or 7)


@pytest.mark.parametrize("top", ["/", "/docker/abc"])
def test_version_1_and_containers_that_see_their_own_group_alone(
    top: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker shows the machine's path of the group, and mounts the group itself."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(7)), raising=False)
    inner = "docker/abc/" if top == "/" else ""
    limits = {
        f"memory/{inner}memory.limit_in_bytes": "3000000\n",
        f"cpu,cpuacct/{inner}cpu.cfs_quota_us": "200000\n",
        f"cpu,cpuacct/{inner}cpu.cfs_period_us": "100000\n",
    }
    root = write(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in limits.items()})
    write(root, {"proc/self/cgroup": GROUPS_1, "proc/self/mountinfo": MOUNT_1.format(top=top)})
    assert (memory(root), processors(root)) == (3_000_000, 2)
    write(root, {f"sys/fs/cgroup/cpu,cpuacct/{inner}cpu.cfs_quota_us": "-1\n"})
    write(root, {f"sys/fs/cgroup/memory/{inner}memory.limit_in_bytes": "9223372036854771712\n"})
    assert (memory(root), processors(root)) == (HAVE, 7)


def test_a_group_outside_of_what_the_container_sees(tmp_path: Path) -> None:
    root = version_2(tmp_path, "0::/../../elsewhere\n", **{"memory.max": "4000"})
    assert memory(root) == 4000


def test_other_systems_have_no_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither affinity nor sysconf nor `resource` either."""
    for name in ("sched_getaffinity", "sysconf"):
        monkeypatch.delattr(os, name)
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert processors(tmp_path) == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors(tmp_path) == 1
    assert memory(tmp_path) is None


def test_a_limit_of_the_shell_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (12_345, resource.RLIM_INFINITY))
    assert memory(tmp_path) == 12_345


def test_pictures_are_held_against_what_the_container_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = version_2(tmp_path, **{"memory.max": "10000000"})
    monkeypatch.setattr(machine, "ROOT", root)
    check_memory(2900, size=32)
    with pytest.raises(ValueError, match=r"3,000 pictures of 32 px .* has 0\.0 GB"):
        check_memory(3000, size=32)
    check_memory_of_runs([(1000, 32)] * 2)
    with pytest.raises(ValueError, match=r"3 runs .* lower --processes"):
        check_memory_of_runs([(1000, 32)] * 3)
