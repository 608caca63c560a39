"""One open transform, predicate or converter: its stream to the host, and the user's functions."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from typing import Any, Callable

from bulkhead.plugin.v1 import error_pb2, record_pb2, source_pb2
from bulkhead.plugin.v1 import stage_pb2 as pb

from .definitions import InDefinitions
from .failure import to_failure
from .put_batch import PutBatch
from .stage import Stage
from .stage_results import StageResults
from .stage_step import StageSteps, Step
from .task_host import RunningTask, TaskHost
from .unawaited import check, forget
from .user_code import Cancelled

# So often the user's other coroutines have their turn, and a cancel comes through.
_RECORDS_A_TURN = 64
# What the host may have on its way to this stage beyond the batch that runs.
_CREDIT_RECORDS = 20_000
_CREDIT_BYTES_MIN = 4 * 1024 * 1024


class StageBatch(PutBatch):
    """Records for a stage, and what it shall do with them."""

    _has_offsets = False

    def __init__(self, definitions: InDefinitions, batch: pb.StageBatch) -> None:
        self.seq: int = batch.seq
        self.operation: int = batch.operation
        self._read_columns(definitions, batch.columns)


class RunningStage(RunningTask):
    instance: Stage
    what = "stage"

    def __init__(self, host: TaskHost, found: type[Stage]) -> None:
        super().__init__(host, found)
        self.stop_failure: BaseException | None = None
        """What the user's stop raised."""
        self.instance.alias = host.request.alias
        self.instance.is_key = host.request.is_key
        # I5: bounded by the credit for batches.
        self._work: "queue.SimpleQueue[StageBatch | None]" = queue.SimpleQueue()
        self._definitions = InDefinitions()
        self._results = StageResults(self._write, host.message_bytes_max)
        self._steps = StageSteps(self.instance, self._results)
        # After a failure of the whole stage no result follows, whichever thread saw it.
        self._lock = threading.Lock()
        self._is_failed = False
        self._stopping = False

    def hello(self) -> bytes:
        hello = pb.StageHello(ticket=self.host.request.ticket)
        return pb.StageMessage(hello=hello).SerializeToString()

    def texts(self) -> dict[str, str]:
        return dict(self.host.request.config)

    def run(self) -> None:
        # Told at the start: later each record would fail by it, and may be skipped.
        for word in self.instance.words:
            if not self.instance.overrides(word):
                raise NotImplementedError(f"{type(self.instance).__name__} has no {word}()")
        if self._stopping or not self.start_user():
            return
        self._send(started=source_pb2.Started())
        self._give_credit(_CREDIT_RECORDS, max(_CREDIT_BYTES_MIN, self.host.message_bytes_max))

    def after(self) -> None:
        # What waits when the stage closes is dropped.
        while (batch := self._work.get()) is not None and not self._stopping:
            if self._is_failed:
                continue
            try:
                self._do(batch)
            except BaseException as error:
                self.failed(error)

    def failed(self, error: BaseException) -> None:
        """The stage has failed as a whole: no more results; the host closes it."""
        if self._stopping:
            return
        said = pb.StageMessage(failure=to_failure(error)).SerializeToString()
        with self._lock:
            if not self._is_failed:
                self._is_failed = True
                self.host.stream.write(said)

    def stopped(self, failure: BaseException | None) -> bytes:
        self.stop_failure = failure
        return b""

    def close(self) -> None:
        """At once: the running call is told, what is queued will be dropped. See `done`."""
        self.on_stop()

    def on_stop(self) -> None:
        self._stopping = True
        self.instance.stopped.set()
        self.user.cancel()
        self._work.put(None)

    def on_message(self, message: bytes) -> None:
        if self._is_failed or self._stopping:
            return
        said = pb.HostStageMessage.FromString(message)
        kind = said.WhichOneof("kind")
        if kind == "batch":
            self._work.put(StageBatch(self._definitions, said.batch))
        elif kind == "topic":
            self._definitions.topics[said.topic.id] = said.topic.topic
        elif kind == "name":
            self._definitions.names[said.name.id] = said.name.name
        elif kind == "form":
            self._definitions.define_form(said.form)
        elif kind == "forget":
            self._definitions = InDefinitions()

    def _do(self, batch: StageBatch) -> None:
        step, function = self._steps.step(batch.operation)
        self._results.begin(batch.seq)
        try:
            if inspect.iscoroutinefunction(inspect.unwrap(function)):
                # The whole batch in the loop's thread: to change threads for each record costs much more.
                self.user.wait(self._each_awaited(batch, step, function))
            else:
                self._each(batch, step, function)
        except Cancelled:
            # The stage closes: nobody waits for this result.
            return
        if not self.is_cut_off:
            self._results.finish()
            self._give_credit(max(1, batch.count), batch.cost_bytes)

    def _each(self, batch: StageBatch, step: Step, function: Callable[..., Any]) -> None:
        call = self.user.call
        for at in range(batch.count):
            if self.is_cut_off:
                return
            work = step(batch, at)
            try:
                given = next(work)
                while given is not None:
                    given = work.send(call(function, given))
            except Cancelled:
                raise
            except BaseException as error:
                # Also SystemExit: user code fails a record, not the process of its neighbours.
                self._results.failed(_record_failure(error))

    async def _each_awaited(
        self, batch: StageBatch, step: Step, function: Callable[..., Any]
    ) -> None:
        for at in range(batch.count):
            if self.is_cut_off:
                return
            if at % _RECORDS_A_TURN == 0:
                await asyncio.sleep(0)
            work = step(batch, at)
            forget()
            try:
                given = next(work)
                while given is not None:
                    # In no variable: a coroutine in what is given has to be dropped with its own record.
                    given = work.send(_checked(await function(given)))
            except asyncio.CancelledError:
                if self._stopping:
                    raise
                text = "asyncio.CancelledError was raised though nothing was to stop"
                self._results.failed(_record_failure(RuntimeError(text)))
            except BaseException as error:
                self._results.failed(_record_failure(error))
        # What the last record dropped was told with it.
        forget()

    def _give_credit(self, records: int, bytes_: int) -> None:
        self._send(credit=record_pb2.Credit(records=records, bytes=bytes_))

    def _send(self, **kind: Any) -> None:
        self._write(pb.StageMessage(**kind).SerializeToString())

    def _write(self, message: bytes) -> None:
        with self._lock:
            if not self._is_failed:
                self.host.stream.write(message)


def _checked(made: Any) -> Any:
    check()
    return made


def _record_failure(error: BaseException) -> error_pb2.Failure:
    """Of one record: its own fault unless trying again may help."""
    failure = to_failure(error)
    if failure.failure_class != error_pb2.FAILURE_CLASS_TRANSIENT:
        failure.failure_class = error_pb2.FAILURE_CLASS_DATA
    return failure
