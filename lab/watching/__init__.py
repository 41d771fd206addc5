"""`lab.watch`: the lab's measures in anybody's own training loop."""

from lab.watching.api import watch
from lab.watching.watcher import Watcher

__all__ = ["Watcher", "watch"]
