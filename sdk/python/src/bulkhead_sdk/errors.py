"""What user code raises to say what the host shall do. Any other exception fails the task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from .sink_record import SinkRecord

_PAUSE_SECONDS_MAX = 24 * 3600.0


class PluginError(Exception):
    """An error that says what to do about it; `hint` is one sentence for a person."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RetriableError(PluginError):
    """The same thing may be tried again.

    From a source: `read` is begun again after a pause and finds its way by `offset`. From a sink's
    `put`: the same records are put again after a pause. `retry_after` is in seconds; None leaves
    the pause to the SDK.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


def pause_of(error: RetriableError) -> float | None:
    """Its `retry_after`, if it is a number of seconds that can be waited for; None = not said."""
    # Absent where a class of the user's does not call its base's __init__.
    seconds = getattr(error, "retry_after", None)
    if isinstance(seconds, (int, float)) and 0 <= seconds < math.inf:
        return min(seconds, _PAUSE_SECONDS_MAX)
    return None


class RateLimitedError(RetriableError):
    """The external system asked for a slower pace: tried again, as RetriableError is."""


class ConfigError(PluginError):
    """A person has to change the config. `problems` has every (key, message) found."""

    def __init__(
        self, message: str, *, problems: Sequence[tuple[str, str]] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class DataError(PluginError):
    """A record's data cannot be used."""


class AuthError(PluginError):
    """The external system refused the credentials."""


class RecordErrors(PluginError):
    """Raised by `put`: these records are bad, all others of the batch are stored.

    `faults` are pairs of a record (or its place in the batch) and what is wrong with it. The
    connector's error policy decides whether they are skipped, written to a dead letter topic or
    fail the task.
    """

    def __init__(self, faults: Sequence[tuple[SinkRecord | int, BaseException]]) -> None:
        count = len(faults)
        super().__init__(f"{count} record{'' if count == 1 else 's'} could not be stored")
        self.faults = tuple(faults)
        first = faults[0][1:] if faults and isinstance(faults[0], tuple) else ()
        if first and isinstance(first[0], BaseException):
            self.__cause__ = first[0]


class UnsupportedError(Exception):
    """A request that this SDK does not know, or does not serve."""
