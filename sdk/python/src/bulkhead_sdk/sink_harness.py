"""The harness of a sink."""

from __future__ import annotations

import threading
import time
from typing import Any, Mapping, Sequence

from bulkhead.plugin.v1 import record_pb2, sink_pb2, source_pb2

from .definitions import OutDefinitions
from .packer import Packer
from .sink import Sink, SinkOffset, SinkPartition
from .sink_task import SinkTask
from .source_record import Record
from .task_harness import MESSAGE_BYTES_MAX, HarnessError, TaskHarness


class SinkHarness(TaskHarness):
    """Puts records into a sink, as a host does: after a retry again, without what was discarded."""

    def __init__(self, found: type[Sink], texts: Mapping[str, str], task: int, wait: float) -> None:
        super().__init__(found, texts, task, wait)
        self.committed: dict[SinkPartition, int] = {}
        self.reported: list[tuple[SinkOffset, str]] = []
        """Records that the sink gave up, with what it said."""
        self.paused: set[SinkPartition] = set()
        self._positions: dict[SinkPartition, int] = {}
        self._log: dict[SinkPartition, list[Record]] = {}
        self._open: list[SinkPartition] = []
        self._put_seq = self._flush_seq = 0
        self._begin()

    def put(self, *records: "Record | Any", topic: str = "topic", partition: int = 0) -> None:
        """Puts records and waits until they are taken, over retries; a value alone will do.

        Raises HarnessError when the sink fails. Offsets are counted up from 0 in each partition.
        """
        given = [
            one if isinstance(one, Record) else Record(topic, one, partition=partition)
            for one in records
        ]
        for one in given:
            place = SinkPartition(one.topic, one.partition or 0)
            self._log.setdefault(place, []).append(one)
            if place not in self._open:
                self.assign(place)
        self._deliver()

    def assign(self, *partitions: SinkPartition) -> None:
        """These partitions are the task's from now on; `put` does it by itself."""
        offsets = []
        for one in partitions:
            place = SinkPartition(*one)
            self._open.append(place)
            committed = self.committed.get(place)
            self._positions[place] = committed or 0
            offsets.append(
                sink_pb2.PartitionOffset(
                    topic=place.topic, partition=place.partition, offset=committed
                )
            )
        self._ask("opened", open=sink_pb2.Open(partitions=offsets))

    def commit(self) -> dict[SinkPartition, int]:
        """Flushes; what the sink calls safe is committed. Gives all that is."""
        self._flush_seq += 1
        offsets = [
            sink_pb2.PartitionOffset(topic=one.topic, partition=one.partition, offset=position)
            for one, position in self._positions.items()
        ]
        flush = sink_pb2.Flush(flush_seq=self._flush_seq, offsets=offsets)
        result = self._ask("flush_result", flush=flush).flush_result
        for one in result.safe:
            self.committed[SinkPartition(one.topic, one.partition)] = one.offset
        return dict(self.committed)

    def rebalance(self, *partitions: SinkPartition) -> None:
        """The partitions (all unless named) are taken away, after a commit, and given back."""
        self.commit()
        self._move(partitions, False)

    def lose(self, *partitions: SinkPartition) -> None:
        """As `rebalance`, found out too late: without a commit, what was not committed comes again."""
        self._move(partitions, True)

    def _move(self, partitions: Sequence[SinkPartition], lost: bool) -> None:
        gone = [SinkPartition(*one) for one in partitions] or list(self._open)
        self._close(gone, lost)
        self.assign(*gone)
        self._deliver()

    def idle(self, seconds: float = 60.0) -> None:
        """Time passes without records, and `put` is called with nothing if it is time."""
        self._await(lambda: self.clock.waiting > 0, "come to rest")
        self.clock.advance(seconds)

    def stop(self) -> None:
        """As a host does: commit, close, stop."""
        if self._open:
            self.commit()
            self._close(list(self._open), False)
        super().stop()

    def _close(self, gone: Sequence[SinkPartition], lost: bool) -> None:
        reason = sink_pb2.CLOSE_REASON_LOST if lost else sink_pb2.CLOSE_REASON_REVOKED
        named = [sink_pb2.TopicPartition(topic=t, partition=p) for t, p in gone]
        for one in gone:
            self._open.remove(one)
            self._positions.pop(one, None)
            self.paused.discard(one)
        self._ask("closed", close=sink_pb2.Close(partitions=named, reason=reason))

    def _deliver(self) -> None:
        """Puts what is not delivered yet, until all of it is taken or paused."""
        end = time.monotonic() + self._wait_seconds
        while True:
            batch = [
                (place, at, self._log[place][at])
                for place in self._open
                if place not in self.paused
                for at in range(self._positions[place], len(self._log.get(place, ())))
            ]
            if not batch:
                return
            if time.monotonic() > end:
                raise HarnessError("the sink asks for the same records again and again")
            self._put_once(batch[:1_000])

    def _put_once(self, batch: list[tuple[SinkPartition, int, Record]]) -> None:
        self._put_seq += 1
        put = sink_pb2.Put(put_seq=self._put_seq, epoch=self._epoch)
        self._columns(put.columns, batch)
        epoch = self._epoch
        result = self._ask("put_result", put=put).put_result
        kind = result.WhichOneof("kind")
        if kind == "failure":
            raise HarnessError(result.failure.text, result.failure.stack)
        if kind == "retry":
            self.clock.advance(result.retry.retry_after_ms / 1000)
        elif kind in ("ok", "runs"):
            rewound = {place for place, _ in self._rewinds.items()} if self._epoch > epoch else set()
            for place, at, _ in batch:
                if place not in rewound:
                    self._positions[place] = at + 1
            self._note_failed(batch, result.runs.runs)
        for place, offset in self._rewinds.items():
            if place in self._positions:
                self._positions[place] = offset
        self._rewinds.clear()

    def _note_failed(self, batch: list[tuple[SinkPartition, int, Record]], runs: Any) -> None:
        at = 0
        for run in runs:
            for place, offset, _ in batch[at : at + run.count]:
                if run.outcome.HasField("failed"):
                    text = run.outcome.failed.failure.text
                    self.reported.append((SinkOffset(*place, offset), text))
            at += run.count

    def _columns(
        self, columns: record_pb2.Columns, batch: list[tuple[SinkPartition, int, Record]]
    ) -> None:
        """Packed by the code of a source; the two sides differ in a few columns only."""
        for _, _, record in batch:
            if not self._packer.add(record):
                raise HarnessError("the records do not fit into a message")
        packed = source_pb2.SourceTaskMessage.FromString(self._packer.finish(1, True).message)
        columns.CopyFrom(packed.records.columns)
        for field in ("source_partitions", "offset_sizes", "offset_arena", "partitions"):
            columns.ClearField(field)
        columns.partitions.extend(place.partition + 1 for place, _, _ in batch)
        places = [at for _, at, _ in batch]
        columns.offsets.extend(b - a for a, b in zip([0, *places], places))

    def _begin(self) -> None:
        places = list(self._open)
        self._open = []
        self._epoch = 0
        self._answers: dict[str, Any] = {}
        self._rewinds: dict[SinkPartition, int] = {}
        self._packer = Packer(OutDefinitions(self._define), MESSAGE_BYTES_MAX, "per-record")
        self._launch(SinkTask)
        if places:
            self.assign(*places)
            self._deliver()

    def _define(self, message: bytes) -> None:
        said = source_pb2.SourceTaskMessage.FromString(message)
        kind = said.WhichOneof("kind")
        if kind in ("topic", "name", "form", "forget"):
            self._send(**{kind: getattr(said, kind)})

    def _stop_message(self) -> Any:
        return sink_pb2.HostSinkMessage(stop=source_pb2.Stop(timeout_ms=5_000))

    def _send(self, **kind: Any) -> None:
        self._stream.send(sink_pb2.HostSinkMessage(**kind))

    def _ask(self, answer: str, **kind: Any) -> Any:
        self._answers.pop(answer, None)
        self._send(**kind)
        self._await(lambda: answer in self._answers, f"answer with {answer}")
        said = self._answers.pop(answer)
        part = getattr(said, answer)
        if answer != "put_result" and part.HasField("failure"):
            raise HarnessError(part.failure.text, part.failure.stack)
        return said

    def _on_message(self, message: bytes) -> None:
        said = sink_pb2.SinkTaskMessage.FromString(message)
        kind = said.WhichOneof("kind") or ""
        self._common(said, kind)
        if kind in ("opened", "closed", "put_result", "flush_result"):
            self._answers[kind] = said
        if kind in ("put_result", "flush_result", "rewind", "pause"):
            self._epoch = max(self._epoch, getattr(said, kind).epoch)
        if kind == "rewind":
            for one in said.rewind.offsets:
                self._rewinds[SinkPartition(one.topic, one.partition)] = one.offset
        elif kind == "pause":
            self.paused |= {SinkPartition(one.topic, one.partition) for one in said.pause.partitions}
        elif kind == "resume":
            self.paused -= {SinkPartition(one.topic, one.partition) for one in said.resume.partitions}
        elif kind == "errant_report":
            report = said.errant_report
            place = report.original
            offset = SinkOffset(place.topic, place.partition, place.offset)
            self.reported.append((offset, report.failure.text))
            receipt = sink_pb2.ErrantReceipt(report_id=report.report_id)
            threading.Thread(target=lambda: self._send(errant_receipt=receipt), daemon=True).start()
