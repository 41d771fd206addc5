"""Make a script run on a bare machine: `import _bootstrap` before all that is not Python's own.

If what the lab needs can be imported, importing this takes milliseconds. Otherwise it installs the
lab into `.venv` beside `pyproject.toml`, once, and starts the script again with the Python there.
Standard library only.
"""

from __future__ import annotations  # an old Python must come as far as to say so

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

BEGAN = time.perf_counter()
"""When the script was started, or nearly: what it imports later counts as its start."""

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MARK = VENV / "lab-setup.txt"
"""Says for which `pyproject.toml` and which extras `.venv` is complete; written last."""

OLDEST = (3, 10)
"""The oldest Python that will do; macOS brings an older one."""

NEEDED = ("torch", "torchvision", "PIL", "numpy", "tensorboard", "tyro", "tqdm", "matplotlib",
          "filelock")  # fmt: skip
NEEDED_DEV = (
    "pytest", "xdist", "hypothesis", "ruff", "mypy", "sklearn", "scipy", "distributed",
    "playwright",
)  # fmt: skip
"""What `pyproject.toml` asks for, as it is imported; tests need the second row too."""

_AGAIN = "LAB_BOOTSTRAPPED"


def ready(extra: str = "") -> None:
    """Return if all that is needed is there; else install it and start the script again."""
    if sys.version_info < OLDEST:
        have, need = (".".join(map(str, v[:2])) for v in (sys.version_info, OLDEST))
        sys.exit(f"error: this is Python {have}, and {need} or newer is needed: python{need} ...")
    sys.path.insert(0, str(ROOT))
    needed = NEEDED + (NEEDED_DEV if extra else ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if os.environ.get(_AGAIN):
        sys.exit(f"error: {VENV} lacks {', '.join(missing)}; delete it and try again")
    if importlib.util.find_spec("ensurepip") is None:  # as Debian and Ubuntu have it
        sys.exit("error: this Python cannot make an environment: apt install python3-venv")
    try:
        install(extra)
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, subprocess.CalledProcessError) as error:
        free = shutil.disk_usage(ROOT).free / 1e9
        sys.exit(
            f"error: could not install the lab into {VENV} ({free:.1f} GB free there, up to 6 are"
            f" needed): {error}"
        )
    os.environ[_AGAIN] = "1"
    _start_again()


def install(extra: str = "") -> None:
    """Bring `.venv` up to date: nothing to do, or minutes. One process does it at a time.

    An unfinished one of our own is thrown away; one that somebody else made is only added to.
    """
    if _complete(extra):  # a checkout that others prepared need not be writable
        return
    with _locked():
        if _complete(extra):
            return
        words = _mark()
        extras = sorted({*words[1:], *([extra] if extra else [])})
        print(
            f"Installing the lab into {VENV}, once: up to 6 GB (torch with CUDA), some minutes ...",
            file=sys.stderr,
            flush=True,
        )
        if words == ["unfinished"]:
            shutil.rmtree(VENV)
            extras = [extra] if extra else []
        if not python().exists():
            VENV.mkdir(exist_ok=True)
            MARK.write_text("unfinished", encoding="utf-8")
            venv.create(VENV, with_pip=True)
        else:
            MARK.write_text("unfinished" if words else "", encoding="utf-8")
        target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
        pip = [str(python()), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--editable", target], check=True)
        MARK.write_text(" ".join([_digest(), *extras]), encoding="utf-8")


def python() -> Path:
    """The Python of `.venv`."""
    return VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _start_again() -> None:
    """Do the same with the Python of `.venv`: the same flags of Python, script and arguments."""
    command = [str(python()), *sys.orig_argv[1:]]
    if sys.platform != "win32":
        os.execv(command[0], command)
    # There execv would end this process, and the shell would not wait for the other one.
    with suppress(KeyboardInterrupt):  # the other one hears it, too
        sys.exit(subprocess.run(command, check=False).returncode)
    sys.exit(130)


def _digest() -> str:
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _mark() -> list[str]:
    return MARK.read_text(encoding="utf-8").split() if MARK.exists() else []


def _complete(extra: str) -> bool:
    """Whether `.venv` has what `pyproject.toml` asks for."""
    words = _mark()
    return words[:1] == [_digest()] and (not extra or extra in words) and python().exists()


@contextmanager
def _locked() -> Iterator[None]:
    """Hold `pyproject.toml` for this process, or wait for another one; not where the file system
    has no locks, which a line says.

    It is open for writing, which NFS asks for, and never written.
    """
    with (ROOT / "pyproject.toml").open("r+", encoding="utf-8") as file:
        try:
            if not _lock(file):
                print("waiting for another process that installs the lab ...", file=sys.stderr)
                while not _lock(file):
                    time.sleep(0.5)
        except (OSError, ImportError) as error:
            print(
                f"warning: the file system of {ROOT} has no locks ({error}): start nothing else"
                " there until this is done",
                file=sys.stderr,
                flush=True,
            )
        yield


def _lock(file: TextIO) -> bool:
    """Lock a file until it is closed; False if another process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**30)  # far behind the end: what is locked there nobody else can read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


ready("dev" if Path(sys.argv[0]).name == "test.py" else "")
