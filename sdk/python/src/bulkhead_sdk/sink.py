"""Sinks: `Sink` to derive from, and `sink` for a single function."""

from __future__ import annotations

import inspect
from typing import Any, Callable, NamedTuple, Protocol, Sequence

from .connector import Connector
from .sink_record import SinkRecord


class SinkPartition(NamedTuple):
    topic: str
    partition: int


class SinkOffset(NamedTuple):
    """The next offset to read; None = none committed."""

    topic: str
    partition: int
    offset: int | None


class SinkHost(Protocol):
    """What a sink asks of the host."""

    def rewind(self, offsets: Sequence[SinkOffset]) -> None: ...
    def pause(self, partitions: Sequence[SinkPartition]) -> None: ...
    def resume(self, partitions: Sequence[SinkPartition]) -> None: ...
    def request_commit(self) -> None: ...
    def report(self, record: SinkRecord, error: BaseException) -> None: ...
    def timeout(self, seconds: float) -> None: ...


class Sink(Connector):
    """Stores records: derive, name it by `class_name`, and write `put`.

    All functions of a task run one after the other.
    """

    kind = "sink"
    _host: SinkHost

    def rewind(self, offsets: Sequence[SinkOffset]) -> None:
        """Has these partitions delivered again from here. What is on its way is dropped."""
        self._host.rewind(offsets)

    def pause(self, partitions: Sequence[SinkPartition]) -> None:
        """Delivers nothing from these partitions until `resume`."""
        self._host.pause(partitions)

    def resume(self, partitions: Sequence[SinkPartition]) -> None:
        self._host.resume(partitions)

    def request_commit(self) -> None:
        """Asks for `flush` soon."""
        self._host.request_commit()

    def report(self, record: SinkRecord, error: BaseException) -> None:
        """Gives a record up as bad: the connector's error policy decides what becomes of it.

        Returns when that is durable; raises when the policy is to fail.
        """
        self._host.report(record, error)

    def timeout(self, seconds: float) -> None:
        """`put` is called, perhaps with nothing, once this has passed."""
        self._host.timeout(seconds)

    def open(self, partitions: Sequence[SinkOffset]) -> Any:
        """These partitions are now this task's, in addition."""

    def put(self, records: Sequence[SinkRecord]) -> Any:
        """Stores records, or takes them over until `flush`. With no records now and then.

        Raise RetriableError to get the same records again, RecordErrors where only some are bad.
        """
        raise NotImplementedError(f"{type(self).__name__} has no put()")

    def flush(self, offsets: Sequence[SinkOffset]) -> Any:
        """Makes everything before these offsets durable: they are committed when it returns.

        It may return lower offsets, or leave partitions out, to commit only those.
        """

    def close(self, partitions: Sequence[SinkPartition]) -> Any:
        """These partitions are this task's no more."""


def sink(
    class_name: str, config: type | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], type[Sink]]:
    """Makes a sink of a function of a batch: `@sink("example.Print")` above `def show(records)`.

    With a second parameter it is given the task too.
    """

    if not isinstance(class_name, str):
        raise TypeError('@sink is given the name that configs use: @sink("example.Put")')

    def make(put: Callable[..., Any]) -> type[Sink]:
        wants_task = len(inspect.signature(put).parameters) > 1
        members = {
            "__doc__": put.__doc__,
            "__module__": put.__module__,
            "class_name": class_name,
            "config_class": config,
            "put": (lambda task, records: put(records, task))
            if wants_task
            else (lambda task, records: put(records)),
            **attributes,
        }
        return type(put.__name__, (Sink,), members)

    return make
