"""Many records that are alike, column by column: one call into C looks at each, not one for each record."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Sequence

from .canonical_json import write_json
from .source_record import Record

# Few enough for a batch's last part to be short, many enough for what each run costs.
RUN_RECORDS = 500
_RUN_RECORDS_MIN = 8
_NUMBER_MAX = (1 << 63) - 1
_HEAD_CHARS_MAX = 1_000
_columns_of = attrgetter(
    "topic",
    "value",
    "source_partition",
    "source_offset",
    "key",
    "key_schema",
    "value_schema",
    "timestamp",
    "partition",
    "headers",
)
# What the columns from `key` on have when nothing was said.
_NOTHING = (None, None, None, None, None, ())


class RecordRun:
    """Plain values of one topic and source partition, each with a different offset."""

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


def record_run(items: Sequence[Any]) -> RecordRun | None:
    """The columns of these, or None where they are not alike enough. Touches nothing."""
    count = len(items)
    if count < _RUN_RECORDS_MIN or list(map(type, items)).count(Record) != count:
        return None
    topics, values, partitions, offsets, *rest = zip(*map(_columns_of, items))
    if any(column.count(nothing) != count for column, nothing in zip(rest, _NOTHING)):
        return None
    first = items[0]
    same = list(map(id, partitions)).count(id(first.source_partition)) == count
    if type(first.topic) is not str or topics.count(first.topic) != count or not same:
        return None
    kind = type(first.value)
    if kind not in (str, bytes) or list(map(type, values)).count(kind) != count:
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
    if not _offsets(run, offsets, count):
        return None
    run.count = count
    run.topic = first.topic
    run.source_partition = first.source_partition
    run.value_sizes = [len(value) + 1 for value in values]
    return run


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
