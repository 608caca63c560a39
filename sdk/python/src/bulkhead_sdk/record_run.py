"""Many records that are alike, column by column: the least that can be done for each of them by itself."""

from __future__ import annotations

from typing import Any, Sequence

from .canonical_json import write_json
from .source_record import Record

# Few enough for a batch's last part to be short, many enough for what each run costs.
RUN_RECORDS = 500
_RUN_RECORDS_MIN = 8
_NUMBER_MAX = (1 << 63) - 1
_HEAD_CHARS_MAX = 1_000


class RecordRun:
    """Plain values of one topic and source partition.

    Each with a different offset; or, where only the last one is sent, with any and without.
    """

    __slots__ = (
        "count",
        "topic",
        "source_partition",
        "is_text",
        "arena",
        "value_sizes",
        "offset_arena",
        "offset_sizes",
        "first_offset",
        "last_offset",
    )


def run_length(first: Any, row_bytes: int, room: int) -> int:
    """How many records like this one fill the room: no more are looked at, as large ones cost much to join."""
    value = first.value if type(first) is Record else None
    size = len(value) if type(value) in (str, bytes) else 0
    return min(RUN_RECORDS, room // (size + row_bytes) + 1)


def record_run(items: Sequence[Any], last_only: bool = False) -> RecordRun | None:
    """The columns of these, or None where they are not alike enough. Touches nothing.

    `last_only` = of the offsets only the last one counts; there may be none.
    """
    count = len(items)
    if count < _RUN_RECORDS_MIN or list(map(type, items)).count(Record) != count:
        return None
    first = items[0]
    topic, partition, kind = first.topic, first.source_partition, type(first.value)
    if type(topic) is not str or kind not in (str, bytes):
        return None
    # The one look at each record by itself, so no more than has to be is done in it.
    for one in items:
        if (
            one.source_partition is not partition
            or one.key is not None
            or one.key_schema is not None
            or one.value_schema is not None
            or one.timestamp is not None
            or one.partition is not None
            or one.headers
        ):
            return None
    values = [one.value for one in items]
    same_kind = list(map(type, values)).count(kind) == count
    if not same_kind or [one.topic for one in items].count(topic) != count:
        return None
    run = RecordRun()
    run.is_text = kind is str
    if run.is_text:
        text = "".join(values)
        if not text.isascii():
            return None
        run.arena = text.encode()
    else:
        run.arena = b"".join(values)
    offsets = [one.source_offset for one in items]
    if last_only:
        _last_offset(run, offsets)
    elif not _offsets(run, offsets, count):
        return None
    run.count = count
    run.topic = topic
    run.source_partition = partition
    run.value_sizes = [len(value) + 1 for value in values]
    return run


def _last_offset(run: RecordRun, offsets: Sequence[Any]) -> None:
    last = next((one for one in reversed(offsets) if one is not None), None)
    run.offset_arena, run.offset_sizes = b"", []
    run.first_offset = run.last_offset = None if last is None else write_json(last).encode()


def _offsets(run: RecordRun, offsets: Sequence[Any], count: int) -> bool:
    """One name with a number that differs from record to record, as most offsets are."""
    if list(map(type, offsets)).count(dict) != count or list(map(len, offsets)).count(1) != count:
        return False
    (name,) = offsets[0]
    numbers = [offset.get(name) for offset in offsets]
    if type(name) is not str or list(map(type, numbers)).count(int) != count:
        return False
    if min(numbers) < -_NUMBER_MAX or max(numbers) > _NUMBER_MAX or len(set(numbers)) != count:
        return False
    head = write_json({name: 0})[:-2]
    if len(head) > _HEAD_CHARS_MAX:
        return False
    texts = [f"{head}{number}}}" for number in numbers]
    run.offset_arena = "".join(texts).encode()
    run.first_offset = texts[0].encode()
    run.last_offset = texts[-1].encode()
    # The contract adds 2 to a size; only the head may have characters of several bytes.
    extra = 2 + len(head.encode()) - len(head)
    run.offset_sizes = [len(text) + extra for text in texts]
    return True
