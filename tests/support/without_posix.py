"""Takes away from modules of the lab what Windows lacks, and from no other module.

`test_other_systems.py` copies it to where Python imports it at its start, as `sitecustomize.py`.
The environment variable LAB_ROOT says where the lab is.
"""

import builtins
import errno
import os
import types
from typing import Any

ROOT = os.environ.get("LAB_ROOT", "")
OURS = (os.path.join(ROOT, "lab", ""), os.path.join(ROOT, "scripts", ""))

MODULES = (
    "_posixsubprocess", "crypt", "curses", "fcntl", "grp", "nis", "posix", "posixpath", "pty",
    "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty",
)  # fmt: skip

NAMES: dict[str, tuple[str, ...]] = {
    "os": (
        "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "chroot", "ctermid", "fork", "forkpty",
        "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp",
        "getpriority", "getresuid", "getsid", "getuid", "killpg", "lchown", "mkfifo", "mknod",
        "nice", "openpty", "pathconf", "pipe2", "posix_spawn", "pread", "pwrite",
        "sched_getaffinity", "sched_setaffinity", "sched_yield", "sendfile", "setgid", "setpgid",
        "setpriority", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp", "ttyname",
        "uname", "wait", "wait3", "wait4", "waitid",
    ),
    "signal": (
        "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP",
        "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXCPU", "SIGXFSZ", "alarm", "pause",
        "pthread_kill", "pthread_sigmask", "setitimer", "sigpending", "sigwait",
    ),
    "sys": (),
    "time": ("clock_gettime", "pthread_getcpuclockid"),
}  # fmt: skip


def _end(*args: Any) -> None:
    os.write(2, b"os.kill and os.execv end processes on Windows")
    os._exit(99)


def _open(path: Any, *args: Any, **kwargs: Any) -> int:
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return os.open(path, *args, **kwargs)


INSTEAD: dict[str, dict[str, Any]] = {
    "os": {"kill": _end, "execv": _end, "open": _open},
    "sys": {"platform": "win32"},
}


class Less(types.ModuleType):
    """A module that lacks some names, and has others of its own."""

    def __init__(self, module: types.ModuleType) -> None:
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        module = object.__getattribute__(self, "_module")
        if name in NAMES[module.__name__]:
            raise AttributeError(f"Windows has no {module.__name__}.{name}")
        instead = INSTEAD.get(module.__name__, {})
        return instead[name] if name in instead else getattr(module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_module"), name, value)


def _import(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    file = (globals or {}).get("__file__") or ""
    if level or not file.startswith(OURS):
        return _real(name, globals, locals, fromlist, level)
    if name in MODULES:
        raise ImportError(f"Windows has no {name}")
    found = _real(name, globals, locals, fromlist, level)
    return Less(found) if name in NAMES else found


if __name__ == "sitecustomize":
    _real = builtins.__import__
    builtins.__import__ = _import
