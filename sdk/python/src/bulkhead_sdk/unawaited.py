"""Coroutines that user code made and dropped: Python only warns, here the work that did it fails.

What they should have done has not been done, so a `put` that forgot an `await` must not count as stored.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

from .errors import PluginError

_MESSAGE = r"coroutine .* was never awaited"
_dropped = threading.local()
#: How many were dropped so far, in all threads: one comparison tells that there is nothing to look for.
seen = 0


class NotAwaited(PluginError):
    """An `await` is missing."""


def watch() -> None:
    """Hears of dropped coroutines from now on; may be called again, for what resets warnings."""
    if getattr(warnings.showwarning, "__module__", None) == __name__:
        return
    # Each time, not once per line: the next attempt fails too.
    warnings.filterwarnings("always", message=_MESSAGE, category=RuntimeWarning)
    show = warnings.showwarning

    def heard(message: Any, category: Any, filename: str, lineno: int, *rest: Any) -> None:
        global seen
        # In asyncio's debug mode more lines follow.
        text = str(message).partition("\n")[0]
        if text.startswith("coroutine ") and text.endswith(" was never awaited"):
            seen += 1
            found = getattr(_dropped, "found", None)
            _dropped.found = (text, filename, lineno) if found is None else found
        show(message, category, filename, lineno, *rest)

    warnings.showwarning = heard


def forget() -> None:
    """What was dropped before in this thread is not this call's."""
    _dropped.found = None


def check() -> None:
    """Raises NotAwaited for what this thread has dropped since `forget`."""
    found = getattr(_dropped, "found", None)
    if found is None:
        return
    _dropped.found = None
    text, filename, line = found
    raise NotAwaited(
        f"{text} ({filename}:{line}): what it should have done was not done",
        hint="write `await` before the call; only an `async def` may await, so make it one",
    )
