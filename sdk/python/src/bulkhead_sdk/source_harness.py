"""The harness of a source."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any, Mapping, NamedTuple, Sequence

from bulkhead.plugin.v1 import record_pb2, sink_pb2, source_pb2

from .canonical_json import write_json
from .definitions import InDefinitions
from .put_batch import PutBatch
from .sink_record import SinkRecord
from .source import Source
from .source_task import SourceTask
from .task_harness import HarnessError, TaskHarness

_PLENTY = 1 << 40


class ReadRecord(NamedTuple):
    """A record that a source yielded, as it would be in Kafka; `offset` is its source offset."""

    topic: str
    partition: int | None
    key: Any
    value: Any
    timestamp: int | None
    headers: list[tuple[str, Any]]
    source_partition: Any
    source_offset: Any


class SourceHarness(TaskHarness):
    """Reads what a source yields, only as far as it is asked for: the rest waits for credit."""

    def __init__(self, found: type[Source], texts: Mapping[str, str], task: int, wait: float) -> None:
        super().__init__(found, texts, task, wait)
        self.committed: dict[str, Any] = {}
        """Source offsets by the JSON text of their source partition."""
        self._begin()

    def read(self, count: int) -> list[ReadRecord]:
        """The next records. Raises HarnessError when the source fails or yields fewer in time."""
        with self._changed:
            wanted = count - len(self._queue) - self._credit
            if wanted > 0 and count > len(self._queue):
                self._credit += wanted
            else:
                wanted = 0
        if wanted:
            self._send(credit=record_pb2.Credit(records=wanted, bytes=_PLENTY))
        try:
            self._await(lambda: len(self._queue) >= count, f"yield {count} records")
        except HarnessError as error:
            if not error.stack:
                error.args = (f"{error.text}: it has {len(self._queue)}",)
            raise
        with self._changed:
            taken = [self._queue.pop(0) for _ in range(count)]
            self._given += taken
        return [record for _, record in taken]

    def commit(self) -> dict[str, Any]:
        """What `read` has given is in Kafka and its offsets are durable; gives all that are."""
        with self._changed:
            given, self._given = self._given, []
            waits = {seq for seq, _ in self._queue}
            through = max((seq for seq, _ in given if seq not in waits), default=0)
        changed: dict[str, Any] = {}
        for _, record in given:
            if record.source_partition is not None:
                changed[write_json(record.source_partition)] = record.source_offset
        for partition, offset in self._checkpoints.items():
            changed[partition] = offset
        self.committed.update(changed)
        if through:
            self._send(acked=source_pb2.Acked(through=through))
        offsets = [
            source_pb2.CommittedOffset(
                partition=partition, offset=None if offset is None else write_json(offset)
            )
            for partition, offset in changed.items()
        ]
        self._send(committed=source_pb2.Committed(offsets=offsets))
        return dict(self.committed)

    def pause(self) -> None:
        self._send(pause=source_pb2.PauseSource())

    def unpause(self) -> None:
        self._send(resume=source_pb2.ResumeSource())

    def rebalance(self, task: int | None = None) -> None:
        """The task ends in good order and starts elsewhere, perhaps with another number."""
        self._send(drain=source_pb2.Drain())
        self._await(lambda: self._is_drained, "drain")
        self.commit()
        self.stop()
        self._number = self._number if task is None else task
        self._begin()

    def _begin(self) -> None:
        self._definitions = InDefinitions()
        self._source_partitions: dict[int, str] = {}
        self._queue: list[tuple[int, ReadRecord]] = []
        # Records of credit that the task has left; below 0 after a batch larger than its credit.
        self._credit = 0
        self._given: list[tuple[int, ReadRecord]] = []
        self._checkpoints: dict[str, Any] = {}
        self._is_drained = False
        self._launch(SourceTask)

    def _read_offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [self.committed.get(write_json(dict(one))) for one in partitions]

    def _stop_message(self) -> Any:
        return source_pb2.HostSourceMessage(stop=source_pb2.Stop(timeout_ms=5_000))

    def _send(self, **kind: Any) -> None:
        self._stream.send(source_pb2.HostSourceMessage(**kind))

    def _on_message(self, message: bytes) -> None:
        said = source_pb2.SourceTaskMessage.FromString(message)
        kind = said.WhichOneof("kind") or ""
        self._common(said, kind)
        if kind == "topic":
            self._definitions.topics[said.topic.id] = said.topic.topic
        elif kind == "name":
            self._definitions.names[said.name.id] = said.name.name
        elif kind == "form":
            self._definitions.define_form(said.form)
        elif kind == "partition":
            self._source_partitions[said.partition.id] = said.partition.partition
        elif kind == "forget":
            self._definitions = InDefinitions()
            self._source_partitions = {}
        elif kind == "records":
            self._take(said.records)
        elif kind == "checkpoint":
            given = said.checkpoint
            offset = json.loads(given.offset) if given.HasField("offset") else None
            self._checkpoints[given.partition] = offset
        elif kind == "drained":
            self._is_drained = True

    def _take(self, records: source_pb2.Records) -> None:
        columns = records.columns
        count = columns.count
        self._credit -= max(1, count)
        places = list(zip(*_source_places(columns, count, self._source_partitions)))
        # The columns of a sink's batch, for the reading of the rest.
        put = sink_pb2.Put(columns=columns)
        put.columns.offsets.extend([0] * count)
        batch = PutBatch(self._definitions, put)
        for at in range(count):
            one = SinkRecord(batch, at)
            partition, offset = places[at]
            record = ReadRecord(
                one.topic,
                None if one.partition < 0 else one.partition,
                one.key,
                one.value,
                one.timestamp,
                [(header.name, header.value) for header in one.headers],
                partition,
                offset,
            )
            self._queue.append((records.batch_seq, record))


def _source_places(
    columns: record_pb2.Columns, count: int, texts: Mapping[int, str]
) -> tuple[list[Any], list[Any]]:
    """The source partition and offset of each record; in mode `last` the newest of the batch."""
    named = [json.loads(texts[one]) for one in columns.source_partitions]
    sizes = list(columns.offset_sizes)
    ends = list(accumulate(max(0, size - 2) for size in sizes))
    offsets: list[Any] = []
    for size, end in zip(sizes, ends):
        if size == 1:
            offsets.append(offsets[-1])
        elif size == 0:
            offsets.append(None)
        else:
            offsets.append(json.loads(columns.offset_arena[end - size + 2 : end]))
    if len(offsets) == count:
        return (named * count if len(named) == 1 else named), offsets
    # Which record is of which partition is not said: the last ones stand for the batch.
    none = [None] * (count - len(named))
    return none + named[-count:], none + offsets[-count:]
