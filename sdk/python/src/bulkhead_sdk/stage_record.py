"""A record on its way between connector and Kafka, as a transform or predicate sees it."""

from __future__ import annotations

from typing import Any, Sequence

from .definitions import InForm, SameValue
from .put_batch import PutBatch, at
from .schema import Schema
from .sink_record import _UNREAD, Header, SinkRecord
from .source_record import Record


class _Word:
    """A value with no meaning but its name."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: What a transform returns to drop a record. (Not None: that is what a forgotten `return` gives.)
DROP = _Word("DROP")
_SAME: Any = _Word("SAME")


class StageRecord:
    """Key, value and headers are decoded when they are looked at, as a sink's; what is not replaced
    goes on as it came. Look, but change nothing in place: `replace` makes what goes on instead.
    """

    __slots__ = ("_batch", "_row", "_changes")

    def __init__(
        self, batch: PutBatch, row: SinkRecord, changes: "dict[str, Any] | None" = None
    ) -> None:
        self._batch = batch
        self._row = row
        self._changes = changes or {}

    def replace(
        self,
        *,
        topic: str = _SAME,
        partition: int | None = _SAME,
        timestamp: int | None = _SAME,
        key: Any = _SAME,
        key_schema: Schema | None = _SAME,
        value: Any = _SAME,
        value_schema: Schema | None = _SAME,
        headers: Sequence[tuple[Any, ...]] = _SAME,
    ) -> "StageRecord":
        """The same record with something different.

        `partition=None` has the host choose, `timestamp=None` is none. A key or value keeps its
        schema unless another, or None, is said. `headers` are (name, value) or (name, value, schema).
        """
        said = (
            ("topic", topic),
            ("partition", partition),
            ("timestamp", timestamp),
            ("key", key),
            ("key_schema", key_schema),
            ("value", value),
            ("value_schema", value_schema),
            ("headers", headers),
        )
        new = {name: one for name, one in said if one is not _SAME}
        return StageRecord(self._batch, self._row, {**self._changes, **new})

    @property
    def is_sink(self) -> bool:
        """From Kafka on its way to a sink; else from a source on its way to Kafka."""
        return len(self._batch.offsets) > 0

    @property
    def topic(self) -> str:
        return self._changes["topic"] if "topic" in self._changes else self._row.topic

    @property
    def partition(self) -> int | None:
        """Kafka's partition; None = the host chooses."""
        if "partition" in self._changes:
            return self._changes["partition"]
        return None if self._row.partition < 0 else self._row.partition

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch; None = none."""
        return self._changes["timestamp"] if "timestamp" in self._changes else self._row.timestamp

    @property
    def key(self) -> Any:
        return self._changes["key"] if "key" in self._changes else self._row.key

    @property
    def key_schema(self) -> Schema | None:
        return self._changes["key_schema"] if "key_schema" in self._changes else self._row.key_schema

    @property
    def value(self) -> Any:
        return self._changes["value"] if "value" in self._changes else self._row.value

    @property
    def value_schema(self) -> Schema | None:
        changes = self._changes
        return changes["value_schema"] if "value_schema" in changes else self._row.value_schema

    @property
    def headers(self) -> "Sequence[Header | tuple[Any, ...]]":
        return self._changes["headers"] if "headers" in self._changes else self._row.headers

    @property
    def offset(self) -> int | None:
        """Kafka's offset; None for a source's record."""
        return self._row.offset if self.is_sink else None

    @property
    def timestamp_type(self) -> str:
        """`none`, `create` or `append`."""
        return self._row.timestamp_type

    @property
    def original_topic(self) -> str:
        """Where a sink's record was read, before any transform."""
        return self._row.original_topic

    @property
    def original_partition(self) -> int | None:
        return None if self._row.original_partition < 0 else self._row.original_partition

    def _outgoing(self) -> Record:
        """What the packer is given: unchanged parts as the bytes that they came in."""
        changes, batch, row = self._changes, self._batch, self._row
        new_key = "key" in changes or "key_schema" in changes
        new_value = "value" in changes or "value_schema" in changes
        if not new_key:
            key = _raw(batch, batch.key_starts[row.index], batch.key_sizes, batch.key_forms, row.index)
            _untouched("key", row._key, batch, batch.key_starts[row.index], key)
        if not new_value:
            start = batch.value_starts[row.index]
            value = _raw(batch, start, batch.value_sizes, batch.value_forms, row.index)
            _untouched("value", row._value, batch, start, value)
        return Record(
            self.topic,
            self.value if new_value else value,
            self.key if new_key else key,
            timestamp=self.timestamp,
            headers=changes["headers"] if "headers" in changes else _raw_headers(batch, row.index),
            partition=self.partition,
            value_schema=self.value_schema if new_value else None,
            key_schema=self.key_schema if new_key else None,
        )

    def __repr__(self) -> str:
        return f"StageRecord(topic={self.topic!r}, offset={self.offset!r})"


def _untouched(what: str, seen: Any, batch: PutBatch, start: int, raw: SameValue) -> None:
    """What was changed in place would be lost without a word."""
    if seen is _UNREAD or type(seen) not in (dict, list):
        return
    fresh = batch.read(start, 0 if raw.bytes is None else len(raw.bytes) + 1, raw.form)
    # NaN is unlike itself.
    if fresh != seen and repr(fresh) != repr(seen):
        raise TypeError(
            f"the record's {what} was changed in place, which changes nothing: "
            f"return record.replace({what}=…)"
        )


def _raw(batch: PutBatch, start: int, sizes: list[int], forms: list[int], index: int) -> SameValue:
    return _same(batch, start, sizes[index] if sizes else 0, batch.form(forms, index))


def _same(batch: PutBatch, start: int, size: int, form: InForm) -> SameValue:
    return SameValue(None if size == 0 else batch.arena[start : start + size - 1], form)


def _raw_headers(batch: PutBatch, index: int) -> Sequence[tuple[str, SameValue]]:
    starts = batch.header_starts
    if not starts or starts[index] == starts[index + 1]:
        return ()
    size = batch.value_sizes[index] if batch.value_sizes else 0
    start = batch.value_starts[index] + max(0, size - 1)
    headers = []
    for row in range(starts[index], starts[index + 1]):
        size = batch.header_sizes[row] if batch.header_sizes else 0
        form = batch.definitions.forms[at(batch.header_forms, row)]
        name = batch.definitions.names[batch.header_names[row]]
        headers.append((name, _same(batch, start, size, form)))
        start += max(0, size - 1)
    return headers
