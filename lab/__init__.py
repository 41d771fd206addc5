"""Memorization Lab: watch a network memorize instead of learn, and measure it.

`from lab import watch` measures any classifier in anybody's own training loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.watching import watch

__all__ = ["watch"]


def __getattr__(name: str) -> Any:
    if name == "watch":  # imported only when it is asked for: torch takes seconds
        from lab.watching import watch

        return watch
    raise AttributeError(f"module 'lab' has no attribute {name!r}")
