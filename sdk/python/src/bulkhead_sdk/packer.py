"""Packs records into the columns of a batch."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from bulkhead.plugin.v1 import source_pb2

from .canonical_json import write_json
from .columns import deltas, zero_one_or_all, zero_or_all
from .definitions import BYTES, JSON, TEXT, OutDefinitions, SameValue
from .errors import DataError
from .record_run import record_run, run_length
from .schema import Schema
from .source_record import Record

RECORDS_MAX = 10_000
_BATCH_BYTES_TARGET = 512 * 1024
_HEADERS_MAX = 1_000
_OFFSET_BYTES_MAX = 64 * 1024
_FIXED_BYTES = 4_096
_ROW_BYTES = 64
_PLAIN_KINDS = (str, bytes, dict, list)


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
        self._offset_less = mode == "none"
        self._known_partition: dict[str, Any] | None = None
        self._known_place = (0, "")
        self._clear()

    def _clear(self) -> None:
        self.count = 0
        self._bytes = _FIXED_BYTES
        self._other_bytes = 0
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

    def add_bytes(self, count: int) -> None:
        """What goes with the records in the same message takes its part of the limit."""
        self._bytes += count
        self._other_bytes += count

    def add_alike(self, items: Sequence[Any], start: int) -> int:
        """Adds records from `start` on while they are plain and like the first; gives the next to add.

        Plain: a value of bytes, text or data without schema, an offset, and nothing else said. It is
        what `add` does, with the columns that are the same for all filled in one go.
        """
        while (at := self._add_run(items, start)) > start:
            start = at
            if at >= len(items):
                return at
        first = items[start]
        definitions = self._definitions
        kind = type(first) is Record and type(first.value)
        if kind not in _PLAIN_KINDS or self._last_mode or definitions.full:
            return start
        topic, source_partition = first.topic, first.source_partition
        encoding = TEXT if kind is str else BYTES if kind is bytes else JSON
        form = definitions.plain(encoding).id
        topic_id = definitions.topic(topic)
        partition_id, partition_text = self._partition(source_partition)
        size, target = self._bytes, self._target
        add_piece, add_size = self._arena.append, self._value_sizes.append
        add_offset, add_offset_size = self._offset_arena.append, self._offset_sizes.append
        last_offset = self._last_offset
        at, end = start, min(len(items), start + RECORDS_MAX - self.count)
        try:
            while at < end and size < target:
                record = items[at]
                value = record.value
                offset = record.source_offset
                if (
                    type(value) is not kind
                    or offset is None
                    or record.topic != topic
                    or record.source_partition is not source_partition
                    or record.key is not None
                    or record.key_schema is not None
                    or record.value_schema is not None
                    or record.headers
                    or record.timestamp is not None
                    or record.partition is not None
                ):
                    break
                if kind is str:
                    piece = value.encode()
                else:
                    piece = value if kind is bytes else write_json(value).encode()
                place = write_json(offset).encode()
                grown = size + len(piece) + len(place) + _ROW_BYTES
                # What is near a limit is for `add` to judge.
                if grown > self._message_bytes_max or len(place) > _OFFSET_BYTES_MAX:
                    break
                if place == last_offset:
                    grown -= len(place)
                    add_offset_size(1)
                else:
                    add_offset_size(len(place) + 2)
                    add_offset(place)
                    last_offset = place
                add_piece(piece)
                add_size(len(piece) + 1)
                size = grown
                at += 1
        except (AttributeError, UnicodeEncodeError, DataError):
            # No record, or one that cannot be packed like this: `add` says what is wrong with it.
            pass
        count = at - start
        if count > 0:
            self._fill(count, form, topic_id, partition_id)
            self._last_offset = last_offset
            self._last[partition_text] = None if last_offset is None else last_offset.decode()
            self._bytes = size
        return at

    def _add_run(self, items: Sequence[Any], start: int) -> int:
        """Adds a run of records where `add_alike` would add them all; else none."""
        definitions = self._definitions
        if definitions.full or self.full:
            return start
        length = run_length(items[start], _ROW_BYTES, self._target - self._bytes)
        length = min(length, RECORDS_MAX - self.count)
        try:
            run = record_run(items[start : start + length], self._last_mode)
        except DataError:
            # `add` says what is wrong, and with which record.
            return start
        if run is None:
            return start
        count = run.count
        size = self._bytes + len(run.arena) + len(run.offset_arena) + _ROW_BYTES * count
        if self._last_mode and run.last_offset is not None:
            if len(run.last_offset) > _OFFSET_BYTES_MAX:
                return start
            size += len(run.last_offset)
        # What is near a limit is for the others to judge; so is what repeats the offset before it.
        if size > self._message_bytes_max or (
            not self._last_mode and run.first_offset == self._last_offset
        ):
            return start
        form = definitions.plain(TEXT if run.is_text else BYTES).id
        topic_id = definitions.topic(run.topic)
        partition_id, partition_text = self._partition(run.source_partition)
        self._fill(count, form, topic_id, partition_id)
        self._value_sizes += run.value_sizes
        self._arena.append(run.arena)
        if not self._last_mode:
            self._offset_sizes += run.offset_sizes
            self._offset_arena.append(run.offset_arena)
            self._last_offset = run.last_offset
        elif run.last_offset is not None:
            before = self._last.get(partition_text)
            size -= len(before.encode()) if before is not None else 0
        if run.last_offset is not None:
            self._last[partition_text] = run.last_offset.decode()
        self._bytes = size
        return start + count

    def _fill(self, count: int, form: int, topic: int, partition: int) -> None:
        """The columns that are the same for records that are alike."""
        nothing = [0] * count
        self._key_sizes += nothing
        self._key_forms += nothing
        self._value_forms += [form] * count
        self._topics += [topic] * count
        self._partitions += nothing
        self._timestamps += [-1] * count
        self._header_counts += nothing
        if not self._last_mode:
            self._source_partitions += [partition] * count
        self.count += count

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
            self._known_partition = None
        # Everything that may raise comes before the first column is touched.
        key, key_form = self._piece(record.key, record.key_schema)
        value, value_form = self._piece(record.value, record.value_schema)
        topic = definitions.topic(record.topic)
        partition, partition_text = self._partition(record.source_partition)
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
            if self.count > 0 or self._other_bytes > 0:
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
        self._fill_columns(records.columns)
        batch = PackedBatch(message.SerializeToString(), self.count, self._bytes, self._last)
        self._clear()
        return batch

    def take_columns(self, columns: Any) -> None:
        """The batch as columns of another message; the packer is empty afterwards."""
        self._fill_columns(columns)
        self._clear()

    def _fill_columns(self, columns: Any) -> None:
        columns.count = self.count
        columns.arena = b"".join(self._arena)
        zero_or_all(columns.key_sizes, self._key_sizes)
        zero_or_all(columns.value_sizes, self._value_sizes)
        zero_one_or_all(columns.key_forms, self._key_forms)
        zero_one_or_all(columns.value_forms, self._value_forms)
        zero_one_or_all(columns.topics, self._topics)
        zero_one_or_all(columns.partitions, self._partitions)
        deltas(columns.timestamps, self._timestamps)
        if self._header_names:
            columns.header_counts.extend(self._header_counts)
            columns.header_names.extend(self._header_names)
            zero_or_all(columns.header_sizes, self._header_sizes)
            zero_one_or_all(columns.header_forms, self._header_forms)
        if self._last_mode:
            self._finish_last(columns)
        elif not self._offset_less:
            zero_one_or_all(columns.source_partitions, self._source_partitions)
            columns.offset_sizes.extend(self._offset_sizes)
            columns.offset_arena = b"".join(self._offset_arena)

    def _finish_last(self, columns: Any) -> None:
        texts = []
        for partition, text in self._last.items():
            columns.source_partitions.append(self._definitions._partitions[partition])
            texts.append((text or "").encode())
            columns.offset_sizes.append(0 if text is None else len(texts[-1]) + 2)
        columns.offset_arena = b"".join(texts)

    def _partition(self, partition: Mapping[str, Any] | None) -> tuple[int, str]:
        """Its id and text, remembered for the next record."""
        if self._offset_less:
            return 0, ""
        if self._known_partition is not None and partition == self._known_partition:
            return self._known_place
        place = self._definitions.partition(partition)
        # A copy: the user's object may change. Only of texts: 1 and True are equal too, and differ as JSON.
        simple = type(partition) is dict and all(type(one) is str for one in partition.values())
        self._known_partition = dict(partition) if partition and simple else None
        self._known_place = place
        return place

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
        elif kind is SameValue:
            return value.bytes, self._same_form(value)
        elif kind is bytes or isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value), self._definitions.plain(BYTES).id
        form = self._definitions.plain(JSON)
        return form.write(value).encode(), form.id

    def _same_form(self, value: SameValue) -> int:
        if value.bytes is None and value.form.schema is None:
            return 0
        return self._definitions.same(value.form)

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
