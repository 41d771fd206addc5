"""Make a script run on a bare machine: `import _bootstrap` before all that is not Python's own.

If what the lab needs can be imported, importing this takes milliseconds. Otherwise it installs the
lab into `.venv` beside `pyproject.toml`, once, and starts the script again with the Python there.
Standard library only.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

BEGAN = time.perf_counter()
"""When the script was started, or nearly: what it imports later counts as its start."""

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MARK = VENV / "lab-setup.txt"
"""Says for which `pyproject.toml` and which extras `.venv` is complete; written last."""

NEEDED = ("torch", "torchvision", "PIL", "numpy", "tensorboard", "tyro", "tqdm", "matplotlib")
NEEDED_DEV = (
    "pytest", "xdist", "hypothesis", "ruff", "mypy", "sklearn", "scipy", "distributed",
    "playwright",
)  # fmt: skip
"""What `pyproject.toml` asks for, as it is imported; tests need the second row too."""

_AGAIN = "LAB_BOOTSTRAPPED"


def ready(extra: str = "") -> None:
    """Return if all that is needed is there; else install it and start the script again."""
    sys.path.insert(0, str(ROOT))
    needed = NEEDED + (NEEDED_DEV if extra else ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if os.environ.get(_AGAIN):
        sys.exit(f"error: {VENV} lacks {', '.join(missing)}; delete it and try again")
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
    python = str(VENV / "bin" / "python")
    os.environ[_AGAIN] = "1"
    os.execv(python, [python, *sys.argv])


def install(extra: str = "") -> None:
    """Bring `.venv` up to date: nothing to do, or minutes. One process does it at a time.

    An unfinished one of our own is thrown away; one that somebody else made is only added to.
    """
    project = (ROOT / "pyproject.toml").read_bytes()
    digest = hashlib.sha256(project).hexdigest()
    with (ROOT / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        words = MARK.read_text().split() if MARK.exists() else []
        if words[:1] == [digest] and (not extra or extra in words):
            return
        extras = sorted({*words[1:], *([extra] if extra else [])})
        print(
            f"Installing the lab into {VENV}, once: up to 6 GB (torch with CUDA), some minutes …",
            file=sys.stderr,
            flush=True,
        )
        if words == ["unfinished"]:
            shutil.rmtree(VENV)
            extras = [extra] if extra else []
        if not (VENV / "bin" / "python").exists():
            VENV.mkdir(exist_ok=True)
            MARK.write_text("unfinished")
            venv.create(VENV, with_pip=True)
        else:
            MARK.write_text("unfinished" if words else "")
        target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--editable", target], check=True)
        MARK.write_text(" ".join([digest, *extras]))


ready("dev" if Path(sys.argv[0]).name == "test.py" else "")
