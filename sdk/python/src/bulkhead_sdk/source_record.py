"""What a source yields."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .schema import Schema



class Record:
    """A record for Kafka.

    Without a schema, bytes stay bytes, a str stays text, None is a tombstone and anything else is
    JSON data. `source_partition` and `source_offset` are JSON data of your own choice: what you
    read, and how far. `timestamp` is in milliseconds since the epoch, the time of sending unless
    given; the host chooses the `partition` unless it is given. `headers` are (name, value) or
    (name, value, schema).
    """

    __slots__ = (
        "topic",
        "value",
        "key",
        "source_partition",
        "source_offset",
        "timestamp",
        "headers",
        "partition",
        "value_schema",
        "key_schema",
    )

    def __init__(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        source_partition: Mapping[str, Any] | None = None,
        source_offset: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        headers: Sequence[tuple[Any, ...]] = (),
        partition: int | None = None,
        value_schema: Schema | None = None,
        key_schema: Schema | None = None,
    ) -> None:
        self.topic = topic
        self.value = value
        self.key = key
        self.source_partition = source_partition
        self.source_offset = source_offset
        self.timestamp = timestamp
        self.headers = headers
        self.partition = partition
        self.value_schema = value_schema
        self.key_schema = key_schema

    def __repr__(self) -> str:
        return f"Record(topic={self.topic!r}, value={self.value!r}, source_offset={self.source_offset!r})"


class Checkpoint:
    """Moves the offset of a source partition though there is no record, at this place of the stream."""

    __slots__ = ("source_partition", "source_offset")

    def __init__(
        self, source_partition: Mapping[str, Any], source_offset: Mapping[str, Any] | None
    ) -> None:
        self.source_partition = source_partition
        self.source_offset = source_offset
