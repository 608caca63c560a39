"""Sources: `Source` to derive from, and `source` for a single generator."""

from __future__ import annotations

from typing import Any, Callable, ClassVar, Mapping, Sequence

from .connector import Connector, OffsetsReader
from .source_record import Record


class Source(Connector):
    """Reads a system: derive, name it by `class_name`, and write `read`."""

    kind = "source"
    offset_mode: ClassVar[str] = "per-record"
    """`last` sends one offset for each source partition and batch: less work, a little more is
    repeated after a crash. Records may then leave `source_offset` out."""
    exactly_once: ClassVar[bool | None] = None
    """The offsets that come back are enough to read exactly the records that follow."""

    _read_offsets: OffsetsReader

    def offset(self, source_partition: Mapping[str, Any]) -> dict[str, Any] | None:
        """Where to go on: what was sent or stored last for a source partition; None = nothing."""
        return self._read_offsets([source_partition])[0]

    def offsets(self, source_partitions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
        """The same for many at once, in the order asked."""
        return self._read_offsets(source_partitions)

    def read(self) -> Any:
        """A generator of records, checkpoints or lists of them, plain or async: lists are fast.

        What one `yield` gives is a poll. To return is to have nothing more. Without `yield` it is
        a function that returns a list, and is called again and again. After a RetriableError it
        begins anew, and `offset` then knows what was yielded before.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read()")

    def acked(self, records: Sequence[Record]) -> Any:
        """These are in Kafka, or were dropped by a transform or the error policy; in order.

        A plain one runs in a thread of its own, beside `read`.
        """

    def committed(self, offsets: Sequence[tuple[Any, Any]]) -> Any:
        """These (source partition, offset) are durable: free what lies before them. As `acked`."""


def source(
    class_name: str, config: type | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], type[Source]]:
    """Makes a source of a generator: `@source("example.Counter", Config)` above `def counter(task)`."""

    if not isinstance(class_name, str):
        raise TypeError('@source is given the name that configs use: @source("example.Read")')

    def make(read: Callable[..., Any]) -> type[Source]:
        members = {
            "__doc__": read.__doc__,
            "__module__": read.__module__,
            "class_name": class_name,
            "config_class": config,
            "read": lambda task: read(task),
            **attributes,
        }
        return type(read.__name__, (Source,), members)

    return make
