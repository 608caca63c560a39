"""The `logging` module's lines, on their way to the host with the connector and task they are about."""

from __future__ import annotations

import collections
import contextvars
import logging
import threading
from typing import Any, Callable

from bulkhead.plugin.v1 import session_pb2 as pb

from .failure import clean

_ENTRIES_MAX = 1_000
_ENTRIES_PER_BATCH = 100
_TEXT_CHARS_MAX = 16 * 1024
_TRACE = 5

#: The connector and task that the code which runs belongs to.
subject: contextvars.ContextVar[tuple[str, int | None]] = contextvars.ContextVar(
    "bulkhead-subject", default=("", None)
)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {
    pb.LOG_LEVEL_TRACE: _TRACE,
    pb.LOG_LEVEL_DEBUG: logging.DEBUG,
    pb.LOG_LEVEL_INFO: logging.INFO,
    pb.LOG_LEVEL_WARN: logging.WARNING,
    pb.LOG_LEVEL_ERROR: logging.ERROR,
    pb.LOG_LEVEL_FATAL: logging.CRITICAL,
    pb.LOG_LEVEL_OFF: logging.CRITICAL + 1,
}


class LogForwarder(logging.Handler):
    """A handler of the root logger: bounded; what does not fit is dropped and counted."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: collections.deque[pb.LogEntry] = collections.deque()
        self._dropped = 0
        self._ready = threading.Event()
        self._send: Callable[[pb.LogBatch], bool] | None = None

    def install(self) -> None:
        """Takes over what the root logger gets, from INFO on."""
        root = logging.getLogger()
        logging.addLevelName(_TRACE, "TRACE")
        root.addHandler(self)
        root.setLevel(logging.INFO)

    def connect(self, send: Callable[[pb.LogBatch], bool]) -> None:
        """Lines go out from now on; `send` says False when it has no room now."""
        self._send = send
        threading.Thread(target=self._forward, daemon=True, name="log").start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = self._entry(record)
        except Exception:
            # As the module's own handlers do: told on stderr, which the host captures.
            self.handleError(record)
            return
        if len(self._entries) >= _ENTRIES_MAX:
            self._dropped += 1
        else:
            self._entries.append(entry)
        self._ready.set()

    def flush(self) -> None:
        """Sends what there is, as far as there is room."""
        while self._send is not None and (self._entries or self._dropped):
            batch = pb.LogBatch(dropped=self._dropped)
            self._dropped = 0
            while self._entries and len(batch.entries) < _ENTRIES_PER_BATCH:
                try:
                    batch.entries.append(self._entries.popleft())
                except IndexError:
                    break
            if not self._send(batch):
                self._dropped += batch.dropped + len(batch.entries)
                return

    def _forward(self) -> None:
        while True:
            self._ready.wait()
            self._ready.clear()
            with self.lock:  # type: ignore[union-attr]
                self.flush()

    def _entry(self, record: logging.LogRecord) -> pb.LogEntry:
        connector, task = subject.get()
        exception = ""
        if record.exc_info:
            exception = logging.Formatter().formatException(record.exc_info)
        elif record.exc_text:
            exception = record.exc_text
        return pb.LogEntry(
            time_ms=int(record.created * 1000),
            level=_level_of(record.levelno),
            logger=clean(record.name),
            text=clean(record.getMessage(), _TEXT_CHARS_MAX),
            fields={
                clean(name): clean(value, _TEXT_CHARS_MAX)
                for name, value in record.__dict__.items()
                if name not in _PLAIN
            },
            connector=connector,
            task=task,
            exception=clean(exception, _TEXT_CHARS_MAX),
        )


def set_level(wanted: pb.SetLogLevel) -> None:
    """The logger's name is a prefix up to a dot; empty or `root` = all."""
    name = "" if wanted.logger == "root" else wanted.logger
    logging.getLogger(name or None).setLevel(_LEVELS.get(wanted.level, logging.INFO))


def _level_of(level: int) -> Any:
    for limit, name in (
        (logging.CRITICAL, pb.LOG_LEVEL_FATAL),
        (logging.ERROR, pb.LOG_LEVEL_ERROR),
        (logging.WARNING, pb.LOG_LEVEL_WARN),
        (logging.INFO, pb.LOG_LEVEL_INFO),
        (logging.DEBUG, pb.LOG_LEVEL_DEBUG),
    ):
        if level >= limit:
            return name
    return pb.LOG_LEVEL_TRACE
