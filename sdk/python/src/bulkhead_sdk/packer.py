"""Packs records into the columns of a batch."""

from __future__ import annotations

from typing import Any, Sequence

from bulkhead.plugin.v1 import source_pb2

from .canonical_json import write_json
from .definitions import BYTES, JSON, TEXT, OutDefinitions
from .errors import DataError
from .schema import Schema
from .source_record import Record

RECORDS_MAX = 10_000
_BATCH_BYTES_TARGET = 512 * 1024
_HEADERS_MAX = 1_000
_OFFSET_BYTES_MAX = 64 * 1024
_FIXED_BYTES = 4_096
_ROW_BYTES = 64


class PackedBatch:
    """A whole SourceTaskMessage, and what it costs."""

    __slots__ = ("message", "count", "cost_bytes", "last_offsets")

    def __init__(self, message: bytes, count: int, cost_bytes: int, last: dict[str, str | None]):
        self.message = message
        self.count = count
        self.cost_bytes = cost_bytes
        self.last_offsets = last
        """The last offset text of each source partition in it."""


class Packer:
    """Builds one batch after the other. Nothing is kept of a record once `add` has returned."""

    def __init__(self, definitions: OutDefinitions, message_bytes_max: int, mode: str) -> None:
        self._definitions = definitions
        self._message_bytes_max = message_bytes_max
        self._target = min(_BATCH_BYTES_TARGET, message_bytes_max)
        self._last_mode = mode == "last"
        self._clear()

    def _clear(self) -> None:
        self.count = 0
        self._bytes = _FIXED_BYTES
        self._arena: list[bytes] = []
        self._key_sizes: list[int] = []
        self._value_sizes: list[int] = []
        self._key_forms: list[int] = []
        self._value_forms: list[int] = []
        self._topics: list[int] = []
        self._partitions: list[int] = []
        self._timestamps: list[int] = []
        self._header_counts: list[int] = []
        self._header_names: list[int] = []
        self._header_sizes: list[int] = []
        self._header_forms: list[int] = []
        self._source_partitions: list[int] = []
        self._offset_sizes: list[int] = []
        self._offset_arena: list[bytes] = []
        self._last_offset: bytes | None = None
        self._last: dict[str, str | None] = {}

    @property
    def cost_bytes(self) -> int:
        """What the batch costs in bytes of credit: the contract's size formula."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Time to send."""
        return self.count >= RECORDS_MAX or self._bytes >= self._target

    def add(self, record: Record) -> bool:
        """False = it does not fit into this batch any more: send the batch, then add it again.

        Raises DataError; the batch is then as it was before.
        """
        if self.count >= RECORDS_MAX:
            return False
        definitions = self._definitions
        if definitions.full:
            if self.count > 0:
                return False
            definitions.forget()
        # Everything that may raise comes before the first column is touched.
        key, key_form = self._piece(record.key, record.key_schema)
        value, value_form = self._piece(record.value, record.value_schema)
        topic = definitions.topic(record.topic)
        partition, partition_text = definitions.partition(record.source_partition)
        timestamp = _checked_timestamp(record.timestamp)
        kafka_partition = _checked_partition(record.partition)
        headers = self._headers(record.headers) if record.headers else ()
        offset_text = None if record.source_offset is None else write_json(record.source_offset)
        offset = None if offset_text is None else _offset_bytes(offset_text)
        arena_bytes = (len(key) if key else 0) + (len(value) if value else 0)
        if headers:
            arena_bytes += sum(len(piece) for _, piece, _ in headers if piece)
        same = offset is not None and offset == self._last_offset and not self._last_mode
        offset_bytes = 0 if same or offset is None else len(offset)
        if self._last_mode and offset is not None:
            before = self._last.get(partition_text)
            offset_bytes -= len(before.encode()) if before is not None else 0
        size = self._bytes + arena_bytes + offset_bytes + _ROW_BYTES * (1 + len(headers))
        if size > self._message_bytes_max:
            if self.count > 0:
                return False
            raise DataError(
                f"a record has {size} bytes as a message; the limit is {self._message_bytes_max}",
                hint="raise the host's limit for plugin messages or make smaller records",
            )
        self._key_forms.append(key_form)
        self._value_forms.append(value_form)
        self._key_sizes.append(self._append(key))
        self._value_sizes.append(self._append(value))
        self._topics.append(topic)
        self._partitions.append(kafka_partition)
        self._timestamps.append(timestamp)
        self._header_counts.append(len(headers))
        for name, piece, form in headers:
            self._header_names.append(name)
            self._header_forms.append(form)
            self._header_sizes.append(self._append(piece))
        if not self._last_mode:
            self._source_partitions.append(partition)
            self._offset_sizes.append(0 if offset is None else 1 if same else len(offset) + 2)
            if offset is not None and not same:
                self._offset_arena.append(offset)
            self._last_offset = offset
            self._last[partition_text] = offset_text
        elif offset_text is not None:
            self._last[partition_text] = offset_text
        self._bytes = size
        self.count += 1
        return True

    def finish(self, batch_seq: int, poll_end: bool) -> PackedBatch:
        """The batch as a message; the packer is empty afterwards."""
        message = source_pb2.SourceTaskMessage()
        records = message.records
        records.batch_seq = batch_seq
        records.poll_end = poll_end
        columns = records.columns
        columns.count = self.count
        columns.arena = b"".join(self._arena)
        _zero_or_all(columns.key_sizes, self._key_sizes)
        _zero_or_all(columns.value_sizes, self._value_sizes)
        _zero_one_or_all(columns.key_forms, self._key_forms)
        _zero_one_or_all(columns.value_forms, self._value_forms)
        _zero_one_or_all(columns.topics, self._topics)
        _zero_one_or_all(columns.partitions, self._partitions)
        _deltas(columns.timestamps, self._timestamps)
        if self._header_names:
            columns.header_counts.extend(self._header_counts)
            columns.header_names.extend(self._header_names)
            _zero_or_all(columns.header_sizes, self._header_sizes)
            _zero_one_or_all(columns.header_forms, self._header_forms)
        if self._last_mode:
            self._finish_last(columns)
        else:
            _zero_one_or_all(columns.source_partitions, self._source_partitions)
            columns.offset_sizes.extend(self._offset_sizes)
            columns.offset_arena = b"".join(self._offset_arena)
        batch = PackedBatch(message.SerializeToString(), self.count, self._bytes, self._last)
        self._clear()
        return batch

    def _finish_last(self, columns: Any) -> None:
        texts = []
        for partition, text in self._last.items():
            columns.source_partitions.append(self._definitions._partitions[partition])
            texts.append((text or "").encode())
            columns.offset_sizes.append(0 if text is None else len(texts[-1]) + 2)
        columns.offset_arena = b"".join(texts)

    def _append(self, piece: bytes | None) -> int:
        if piece is None:
            return 0
        self._arena.append(piece)
        return len(piece) + 1

    def _piece(self, value: Any, schema: Schema | None) -> tuple[bytes | None, int]:
        """What goes into the arena for a value, and its form."""
        if schema is not None:
            return self._typed_piece(value, schema)
        kind = type(value)
        if kind is str:
            try:
                return value.encode(), self._definitions.plain(TEXT).id
            except UnicodeEncodeError:
                pass
        elif value is None:
            return None, 0
        elif kind is bytes or isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value), self._definitions.plain(BYTES).id
        form = self._definitions.plain(JSON)
        return form.write(value).encode(), form.id

    def _typed_piece(self, value: Any, schema: Schema) -> tuple[bytes | None, int]:
        form = self._definitions.typed(schema)
        if value is None:
            form.write(None)
            return None, form.id
        if form.encoding == TEXT and isinstance(value, str):
            try:
                return value.encode(), form.id
            except UnicodeEncodeError:
                form = self._definitions.typed_json(schema)
        if form.encoding == BYTES and isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value), form.id
        if form.encoding == JSON:
            return form.write(value).encode(), form.id
        raise DataError(f"a {type(value).__name__} is not of the schema's type {schema.type}")

    def _headers(self, headers: Sequence[tuple[Any, ...]]) -> list[tuple[int, bytes | None, int]]:
        if len(headers) > _HEADERS_MAX:
            raise DataError(f"a record has {len(headers)} headers; the limit is {_HEADERS_MAX}")
        prepared = []
        for name, value, *schema in headers:
            piece, form = self._piece(value, schema[0] if schema else None)
            prepared.append((self._definitions.name(name), piece, form))
        return prepared


def _offset_bytes(text: str) -> bytes:
    offset = text.encode()
    if len(offset) > _OFFSET_BYTES_MAX:
        raise DataError(f"a source offset is longer than {_OFFSET_BYTES_MAX} bytes")
    return offset


def _checked_timestamp(timestamp: int | None) -> int:
    if timestamp is None:
        return -1
    if not isinstance(timestamp, int) or not -(1 << 63) <= timestamp < 1 << 63:
        raise DataError(f"not a timestamp in whole milliseconds: {timestamp!r}")
    return timestamp


def _checked_partition(partition: int | None) -> int:
    if partition is None:
        return 0
    if not isinstance(partition, int) or not 0 <= partition <= 0x7FFF_FFFE:
        raise DataError(f"not a partition: {partition!r}")
    return partition + 1


def _zero_or_all(column: Any, values: list[int]) -> None:
    if values.count(0) < len(values):
        column.extend(values)


def _zero_one_or_all(column: Any, values: list[int]) -> None:
    if not values:
        return
    first = values[0]
    if values.count(first) == len(values):
        if first != 0:
            column.append(first)
    else:
        column.extend(values)


def _deltas(column: Any, values: list[int]) -> None:
    if not values:
        return
    first = values[0]
    if values.count(first) == len(values):
        if first != -1:
            column.append(first)
        return
    column.append(first)
    column.extend([_wrapped(b - a) for a, b in zip(values, values[1:])])


def _wrapped(delta: int) -> int:
    """Modulo 2^64."""
    return (delta + (1 << 63)) % (1 << 64) - (1 << 63)
