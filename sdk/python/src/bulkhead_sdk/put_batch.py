"""A Put's columns, checked and laid out; records look into it."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from .definitions import BYTES, TEXT, InDefinitions, InForm
from .errors import DataError
from .value_reader import read_value

_RECORDS_MAX = 10_000


class PutBatch:
    """One batch of a sink. Raises ValueError where the message breaks the contract."""

    _has_offsets = True

    def __init__(self, definitions: InDefinitions, put: Any) -> None:
        self.put_seq: int = put.put_seq
        self.epoch: int = put.epoch
        self._read_columns(definitions, put.columns)

    def _read_columns(self, definitions: InDefinitions, columns: Any) -> None:
        self.definitions = definitions
        self.count: int = columns.count
        self.arena: bytes = columns.arena
        self.key_sizes = list(columns.key_sizes)
        self.value_sizes = list(columns.value_sizes)
        self.key_forms = list(columns.key_forms)
        self.value_forms = list(columns.value_forms)
        self.topics = list(columns.topics)
        self.partitions = list(columns.partitions)
        self.timestamps = _sums(columns.timestamps)
        self.header_counts = list(columns.header_counts)
        self.header_names = list(columns.header_names)
        self.header_sizes = list(columns.header_sizes)
        self.header_forms = list(columns.header_forms)
        self.offsets = _sums(columns.offsets)
        self.timestamp_types = list(columns.timestamp_types)
        self.original_topics = list(columns.original_topics)
        self.original_partitions = list(columns.original_partitions)
        self._check()
        self._lay_out()

    @property
    def cost_bytes(self) -> int:
        """What the batch cost in bytes of credit."""
        return len(self.arena) + 64 * (self.count + len(self.header_names)) + 4_096

    def _check(self) -> None:
        count, headers = self.count, len(self.header_names)
        if count > _RECORDS_MAX:
            raise ValueError(f"a batch of {count} records")
        all_or_none, any_length = {0, count}, {0, 1, count}
        lengths = (
            ("key_sizes", all_or_none),
            ("value_sizes", all_or_none),
            ("key_forms", any_length),
            ("value_forms", any_length),
            ("topics", {1, count} if count else {0}),
            ("partitions", any_length),
            ("timestamps", any_length),
            ("header_counts", all_or_none),
            ("header_sizes", {0, headers}),
            ("header_forms", {0, 1, headers}),
            ("offsets", {count} if self._has_offsets else all_or_none),
            ("timestamp_types", any_length),
            ("original_topics", any_length),
            ("original_partitions", any_length),
        )
        for name, allowed in lengths:
            length = len(getattr(self, name))
            if length not in allowed:
                raise ValueError(f"column {name} has {length} entries in a batch of {count}")
        known = self.definitions
        for what, ids, defined in (
            ("topic", self.topics, known.topics),
            ("topic", self.original_topics, known.topics),
            ("form", self.key_forms, known.forms),
            ("form", self.value_forms, known.forms),
            ("form", self.header_forms, known.forms),
            ("name", self.header_names, known.names),
        ):
            for one in set(ids):
                if one not in defined:
                    raise ValueError(f"no {what} has id {one}")

    def _lay_out(self) -> None:
        count = self.count
        key_lengths = [size - 1 if size else 0 for size in self.key_sizes] or [0] * count
        value_lengths = [size - 1 if size else 0 for size in self.value_sizes] or [0] * count
        self.header_starts: list[int] = []
        if self.header_counts:
            lengths = [size - 1 if size else 0 for size in self.header_sizes]
            lengths = lengths or [0] * len(self.header_names)
            self.header_starts = [0, *accumulate(self.header_counts)]
            bounds = [0, *accumulate(lengths)]
            if self.header_starts[-1] != len(self.header_names):
                raise ValueError("the header counts of a batch do not add up to its names")
            extra = [
                bounds[end] - bounds[start]
                for start, end in zip(self.header_starts, self.header_starts[1:])
            ]
            total = [k + v + h for k, v, h in zip(key_lengths, value_lengths, extra)]
        else:
            if self.header_names:
                raise ValueError("a batch has header names without header counts")
            total = [k + v for k, v in zip(key_lengths, value_lengths)]
        # Where each record's key begins in the arena, and where its value does.
        self.key_starts = [0, *accumulate(total)]
        self.value_starts = [start + k for start, k in zip(self.key_starts, key_lengths)]
        if self.key_starts[-1] != len(self.arena):
            raise ValueError("the sizes of a batch do not add up to its arena")

    def form(self, forms: list[int], index: int) -> InForm:
        return self.definitions.forms[at(forms, index)]

    def read(self, start: int, size: int, form: InForm) -> Any:
        """A value; `size` is as the column has it. Raises DataError."""
        if size == 0:
            return None
        part = self.arena[start : start + size - 1]
        if form.encoding == BYTES:
            return part
        try:
            text = part.decode()
        except UnicodeDecodeError as error:
            raise DataError("a text is not UTF-8") from error
        return text if form.encoding == TEXT else read_value(text, form.schema)


def at(column: list[int], index: int) -> int:
    """A column of one entry holds for every row; an empty one is all 0."""
    if len(column) > 1:
        return column[index]
    return column[0] if column else 0


def _sums(deltas: Any) -> list[int]:
    sums = list(accumulate(deltas))
    if sums and (max(sums) >= 1 << 63 or min(sums) < -(1 << 63)):
        return [(one + (1 << 63)) % (1 << 64) - (1 << 63) for one in sums]
    return sums
