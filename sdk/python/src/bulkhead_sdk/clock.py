"""Time, so that the harness can make it pass."""

from __future__ import annotations

import queue
import threading
from typing import Any


class Clock:
    """The machine's time."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits for the event, at most so long; True = it has come."""
        return event.wait(seconds)

    def get(self, items: "queue.SimpleQueue[Any]", seconds: float | None) -> Any:
        """The next item. Raises queue.Empty when none comes in time."""
        return items.get(timeout=seconds)


class HarnessClock(Clock):
    """Stands still until `advance`."""

    # How often whoever waits looks whether time or an item has come.
    _LOOK_SECONDS = 0.001

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting = 0
        """How many wait for time to pass."""
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        due = self.now + seconds
        with self._waits():
            while self.now < due:
                if event.wait(self._LOOK_SECONDS):
                    return True
        return event.is_set()

    def get(self, items: "queue.SimpleQueue[Any]", seconds: float | None) -> Any:
        due = None if seconds is None else self.now + seconds
        with self._waits():
            while True:
                try:
                    return items.get(timeout=self._LOOK_SECONDS)
                except queue.Empty:
                    if due is not None and self.now >= due:
                        raise

    def _waits(self) -> "_Waits":
        return _Waits(self)


class _Waits:
    def __init__(self, clock: HarnessClock) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        with self._clock._lock:
            self._clock.waiting += 1

    def __exit__(self, *_: object) -> None:
        with self._clock._lock:
            self._clock.waiting -= 1


REAL_CLOCK = Clock()
