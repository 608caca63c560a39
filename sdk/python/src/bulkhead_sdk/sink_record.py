"""What a sink is given."""

from __future__ import annotations

from typing import Any, NamedTuple

from .put_batch import PutBatch, at
from .schema import Schema

_UNREAD = object()


class Header(NamedTuple):
    """A header of a record from Kafka."""

    name: str
    value: Any
    schema: Schema | None


class SinkRecord:
    """A record from Kafka. Key, value and headers are decoded when they are looked at.

    bytes as bytes, text as str, anything else by its schema (structs and maps as dict, Date, Time
    and Timestamp as datetime's, Decimal as Decimal) or, without one, as JSON data.
    """

    __slots__ = ("_batch", "index", "_key", "_value")

    def __init__(self, batch: PutBatch, index: int) -> None:
        self._batch = batch
        self.index = index
        """Its place in the batch."""
        self._key: Any = _UNREAD
        self._value: Any = _UNREAD

    @property
    def topic(self) -> str:
        return self._batch.definitions.topics[at(self._batch.topics, self.index)]

    @property
    def partition(self) -> int:
        """Kafka's partition."""
        return at(self._batch.partitions, self.index) - 1

    @property
    def offset(self) -> int:
        """Kafka's offset."""
        return self._batch.offsets[self.index]

    @property
    def original_topic(self) -> str:
        """Where the record was read, before a transform changed its topic."""
        batch = self._batch
        if not batch.original_topics:
            return self.topic
        return batch.definitions.topics[at(batch.original_topics, self.index)]

    @property
    def original_partition(self) -> int:
        originals = self._batch.original_partitions
        return at(originals, self.index) - 1 if originals else self.partition

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch; None = none."""
        stamps = self._batch.timestamps
        stamp = at(stamps, self.index) if stamps else -1
        return None if stamp == -1 else stamp

    @property
    def timestamp_type(self) -> str:
        """`none`, `create` or `append`."""
        kinds = self._batch.timestamp_types
        return ("none", "create", "append")[at(kinds, self.index) if kinds else 1]

    @property
    def key(self) -> Any:
        if self._key is _UNREAD:
            batch, index = self._batch, self.index
            size = batch.key_sizes[index] if batch.key_sizes else 0
            form = batch.form(batch.key_forms, index)
            self._key = batch.read(batch.key_starts[index], size, form)
        return self._key

    @property
    def key_schema(self) -> Schema | None:
        return self._batch.form(self._batch.key_forms, self.index).schema

    @property
    def value(self) -> Any:
        if self._value is _UNREAD:
            batch, index = self._batch, self.index
            size = batch.value_sizes[index] if batch.value_sizes else 0
            form = batch.form(batch.value_forms, index)
            self._value = batch.read(batch.value_starts[index], size, form)
        return self._value

    @property
    def value_schema(self) -> Schema | None:
        return self._batch.form(self._batch.value_forms, self.index).schema

    @property
    def value_bytes(self) -> bytes | None:
        """The bytes, text or JSON text of the value as it was sent; None = null."""
        batch, index = self._batch, self.index
        size = batch.value_sizes[index] if batch.value_sizes else 0
        start = batch.value_starts[index]
        return None if size == 0 else batch.arena[start : start + size - 1]

    @property
    def headers(self) -> list[Header]:
        batch, index = self._batch, self.index
        if not batch.header_starts:
            return []
        size = batch.value_sizes[index] if batch.value_sizes else 0
        start = batch.value_starts[index] + max(0, size - 1)
        headers = []
        for row in range(batch.header_starts[index], batch.header_starts[index + 1]):
            size = batch.header_sizes[row] if batch.header_sizes else 0
            form = batch.form(batch.header_forms, row)
            name = batch.definitions.names[batch.header_names[row]]
            headers.append(Header(name, batch.read(start, size, form), form.schema))
            start += max(0, size - 1)
        return headers

    def __repr__(self) -> str:
        return f"SinkRecord({self.topic}-{self.partition}@{self.offset})"
