"""One sink task: its stream to the host, and the user's functions behind one queue."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Sequence

from bulkhead.plugin.v1 import error_pb2, record_pb2
from bulkhead.plugin.v1 import sink_pb2 as pb
from bulkhead.plugin.v1 import source_pb2

from .definitions import InDefinitions
from .errant_reports import ErrantReports
from .errors import RecordErrors, RetriableError, pause_of
from .failure import clean, text_of, to_failure
from .put_batch import PutBatch
from .sink import Sink, SinkOffset, SinkPartition
from .sink_record import SinkRecord
from .task_host import RunningTask, TaskHost
from .task_meter import CLOSING, FLUSHING, OPENING, PUTTING, STOPPING

# What the host may have on its way to this task beyond the put that runs.
_CREDIT_RECORDS = 40_000
_CREDIT_BYTES_MIN = 4 * 1024 * 1024
_RETRY_SECONDS = 1.0
_PARTITIONS_SHOWN = 5


class SinkTask(RunningTask):
    instance: Sink

    def __init__(self, host: TaskHost, found: type[Sink]) -> None:
        super().__init__(host, found)
        # I5: bounded by the credit for puts; the host sends the rest one at a time.
        self._work: "queue.SimpleQueue[tuple[str, Any] | None]" = queue.SimpleQueue()
        self._definitions = InDefinitions()
        self._partitions: set[tuple[str, int]] = set()
        # Puts of a lower epoch are dropped: what they hold is sent again.
        self._epoch = 0
        self._epoch_lock = threading.Lock()
        self._timeout: float | None = None
        self._is_failed = False
        self._stopping = False
        self._reports = ErrantReports(lambda report: self._send(errant_report=report))
        self.instance._host = self

    def hello(self) -> bytes:
        hello = pb.SinkTaskHello(ticket=self.host.request.ticket)
        return pb.SinkTaskMessage(hello=hello).SerializeToString()

    def run(self) -> None:
        if self._stopping or not self.start_user():
            return
        self._send(started=source_pb2.Started())
        bytes_ = max(_CREDIT_BYTES_MIN, self.host.message_bytes_max)
        self._give_credit(_CREDIT_RECORDS, bytes_)

    def after(self) -> None:
        while (work := self._next()) is not None:
            if not self.is_cut_off:
                getattr(self, f"_do_{work[0]}")(work[1])
        self.meter.now(STOPPING)

    def failed(self, error: BaseException) -> None:
        """No more puts; flush, close and stop are still served."""
        if self._is_failed or self._stopping:
            return
        self._become_failed()
        self._send(failure=to_failure(error))

    def stopped(self, failure: BaseException | None) -> bytes:
        said = source_pb2.Stopped(failure=None if failure is None else to_failure(failure))
        return pb.SinkTaskMessage(stopped=said).SerializeToString()

    def on_stop(self) -> None:
        """At once: the running call is told, what is queued will be discarded."""
        self._stopping = True
        self.instance.stopped.set()
        self.user.cancel()
        self._reports.close("the host stops the task")
        self._work.put(None)

    def on_message(self, message: bytes) -> None:
        said = pb.HostSinkMessage.FromString(message)
        kind = said.WhichOneof("kind")
        if kind == "put":
            self._work.put((kind, PutBatch(self._definitions, said.put)))
        elif kind in ("open", "close", "flush"):
            self._work.put((kind, getattr(said, kind)))
        elif kind == "topic":
            self._definitions.topics[said.topic.id] = said.topic.topic
        elif kind == "name":
            self._definitions.names[said.name.id] = said.name.name
        elif kind == "form":
            self._definitions.define_form(said.form)
        elif kind == "forget":
            self._definitions = InDefinitions()
        elif kind == "errant_receipt":
            self._reports.receipt(said.errant_receipt)
        elif kind == "stop":
            self.on_stop()
        # Rewound needs no work: the epoch has dropped what was on its way.

    # What the user's code asks for.

    def rewind(self, offsets: Sequence[SinkOffset]) -> None:
        named = [_wire_offset(one) for one in offsets]
        self._send(rewind=pb.Rewind(offsets=named, epoch=self._next_epoch()))

    def pause(self, partitions: Sequence[SinkPartition]) -> None:
        named = [_wire_partition(one) for one in partitions]
        self._send(pause=pb.PausePartitions(partitions=named, epoch=self._next_epoch()))

    def resume(self, partitions: Sequence[SinkPartition]) -> None:
        named = [_wire_partition(one) for one in partitions]
        self._send(resume=pb.ResumePartitions(partitions=named))

    def request_commit(self) -> None:
        self._send(request_commit=pb.RequestCommit())

    def report(self, record: SinkRecord, error: BaseException) -> None:
        # Without a reporter on the host's side the record's error is the task's.
        if not self.host.request.errant_record_reporter:
            raise error
        self._reports.report(record, error)

    def timeout(self, seconds: float) -> None:
        self._timeout = seconds

    def _next(self) -> tuple[str, Any] | None:
        """The next piece of work, an idle put when time has come, None when stopping and empty."""
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                if self._stopping:
                    return None
                self.meter.rest()
                try:
                    work = self.host.clock.get(self._work, self._idle_seconds())
                except queue.Empty:
                    return ("idle", None)
            if work is not None:
                return work

    def _idle_seconds(self) -> float | None:
        """How long without data until `put` is called with nothing."""
        if not self._partitions or self._is_failed:
            return None
        most = self.host.request.offset_flush_interval_ms / 1000 or None
        if self._timeout is None:
            return most
        return self._timeout if most is None else min(self._timeout, most)

    def _do_put(self, batch: PutBatch) -> None:
        result = pb.PutResult(put_seq=batch.put_seq)
        # What the result says of the epoch has to go before what a rewind in another thread says.
        if not self._started or self._is_failed or self._stopping or batch.epoch < self._epoch:
            result.discarded.SetInParent()
        else:
            self._put_now(batch, result)
        result.epoch = self._epoch
        self._send(put_result=result)
        self._give_credit(max(1, batch.count), batch.cost_bytes)

    def _put_now(self, batch: PutBatch, result: pb.PutResult) -> None:
        self.meter.now(PUTTING)
        self.meter.records_in += batch.count
        self._timeout = None
        try:
            self.user.call(self.instance.put, [SinkRecord(batch, at) for at in range(batch.count)])
        except BaseException as error:
            if self._stopping:
                result.discarded.SetInParent()
            else:
                self._put_failed(batch, error, result)
            return
        self.meter.progress()
        self.meter.records_out += batch.count
        result.ok.SetInParent()

    def _put_failed(self, batch: PutBatch, error: BaseException, result: pb.PutResult) -> None:
        runs = _runs_of(batch.count, error) if isinstance(error, RecordErrors) else None
        if runs is not None:
            result.runs.runs.extend(runs)
            return
        failure = to_failure(error)
        self._next_epoch()
        if isinstance(error, RetriableError):
            seconds = pause_of(error)
            seconds = _RETRY_SECONDS if seconds is None else seconds
            result.retry.retry_after_ms = round(seconds * 1000)
            result.retry.failure.CopyFrom(failure)
            self.meter.backing_off(failure)
        else:
            result.failure.CopyFrom(failure)
            self._become_failed()

    def _do_idle(self, _: None) -> None:
        """Lets a sink act by time though no data comes."""
        if not self._started or self._is_failed or self._stopping:
            return
        self.meter.now(PUTTING)
        self._timeout = None
        try:
            self.user.call(self.instance.put, [])
            self.meter.overcame()
        except RetriableError as error:
            self.log.warning("a put without records failed, tried again later: %s", text_of(error))
            self.meter.backing_off(to_failure(error))
        except BaseException as error:
            self.failed(error)

    def _do_open(self, open_: pb.Open) -> None:
        self.meter.now(OPENING)
        offsets = _offsets_of(open_.partitions)
        self._partitions |= {(one.topic, one.partition) for one in offsets}
        self._send(opened=pb.Opened(failure=self._attempt(lambda: self._user("open", offsets))))

    def _do_close(self, close: pb.Close) -> None:
        self.meter.now(CLOSING)
        gone = [SinkPartition(one.topic, one.partition) for one in close.partitions]
        self._partitions -= set(gone)
        self._send(closed=pb.Closed(failure=self._attempt(lambda: self._user("close", gone))))

    def _do_flush(self, flush: pb.Flush) -> None:
        self.meter.now(FLUSHING)
        named = _offsets_of(flush.offsets)
        safe = named

        def work() -> None:
            nonlocal safe
            returned = self._user("flush", named)
            if returned is not None:
                safe = self._safe_offsets(named, returned)

        failure = self._attempt(work)
        if failure is not None:
            self._next_epoch()
            safe = []
        result = pb.FlushResult(flush_seq=flush.flush_seq, epoch=self._epoch, failure=failure)
        result.safe.extend(map(_wire_offset, safe))
        self._send(flush_result=result)

    def _user(self, name: str, argument: Any) -> Any:
        # The last flush and close are served in full, though the task is to stop.
        return self.user.call(getattr(self.instance, name), argument, final=True)

    def _attempt(self, work: Callable[[], None]) -> error_pb2.Failure | None:
        """Runs a user function; what it raises is the answer's failure."""
        if not self._started:
            return None
        try:
            work()
        except BaseException as error:
            return to_failure(error)
        return None

    def _safe_offsets(
        self, named: Sequence[SinkOffset], returned: Sequence[SinkOffset]
    ) -> list[SinkOffset]:
        """Nothing of a partition that the Flush did not name, nothing beyond the offset that it named."""
        limits = {(one.topic, one.partition): one.offset or 0 for one in named}
        if not isinstance(returned, (list, tuple)):
            raise TypeError(
                f"flush returned a {type(returned).__name__}; it returns None or a list of SinkOffsets"
            )
        safe: dict[tuple[str, int], SinkOffset] = {}
        others: dict[str, None] = {}
        for topic, partition, offset in returned:
            if not isinstance(offset, int) or offset < 0:
                raise ValueError(f"flush returned {offset} as the offset of {topic}-{partition}")
            limit = limits.get((topic, partition))
            # A sink may well return all that it keeps, and may have put more than the host knew it
            # had when it asked; what is not its own is a mistake.
            if limit is not None:
                safe[(topic, partition)] = SinkOffset(topic, partition, min(offset, limit))
            elif (topic, partition) not in self._partitions:
                others[f"{topic}-{partition}"] = None
        if others:
            shown = ", ".join(list(others)[:_PARTITIONS_SHOWN])
            self.log.warning(
                "flush returned offsets of partitions that are not this task's, ignored: %s", shown
            )
        return list(safe.values())

    def _become_failed(self) -> None:
        self._is_failed = True
        self.meter.overcame()

    def _next_epoch(self) -> int:
        with self._epoch_lock:
            self._epoch += 1
            return self._epoch

    def _give_credit(self, records: int, bytes_: int) -> None:
        self._send(credit=record_pb2.Credit(records=records, bytes=bytes_))

    def _send(self, **kind: Any) -> None:
        self.host.stream.write(pb.SinkTaskMessage(**kind).SerializeToString())


def _runs_of(count: int, errors: RecordErrors) -> list[error_pb2.Run] | None:
    """None = a fault names no record of this batch."""
    faults: dict[int, BaseException] = {}
    # A class of the user's that does not call its base's __init__ names nothing.
    for fault in getattr(errors, "faults", (None,)):
        record, error = fault if isinstance(fault, tuple) and len(fault) == 2 else (None, None)
        at = record if isinstance(record, int) else getattr(record, "index", -1)
        if not isinstance(at, int) or not 0 <= at < count:
            return None
        faults[at] = error if isinstance(error, BaseException) else ValueError(clean(error))
    runs: list[error_pb2.Run] = []
    next_ = 0
    for at in [*sorted(faults), count]:
        if at > next_:
            stored = error_pb2.Outcome(stored=error_pb2.Stored())
            runs.append(error_pb2.Run(count=at - next_, outcome=stored))
        if at < count:
            failed = error_pb2.Failed(
                stage=error_pb2.STAGE_TASK_PUT, failure=to_failure(faults[at], as_data=True)
            )
            runs.append(error_pb2.Run(count=1, outcome=error_pb2.Outcome(failed=failed)))
        next_ = at + 1
    return runs


def _offsets_of(offsets: Any) -> list[SinkOffset]:
    return [
        SinkOffset(one.topic, one.partition, one.offset if one.HasField("offset") else None)
        for one in offsets
    ]


def _wire_offset(one: SinkOffset) -> pb.PartitionOffset:
    topic, partition, offset = one
    return pb.PartitionOffset(topic=topic, partition=partition, offset=offset)


def _wire_partition(one: SinkPartition) -> pb.TopicPartition:
    return pb.TopicPartition(topic=one[0], partition=one[1])
