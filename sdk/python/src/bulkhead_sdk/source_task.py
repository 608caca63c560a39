"""One source task: its stream to the host, and the user's generator behind it."""

from __future__ import annotations

import asyncio
import collections
import inspect
import queue
import threading
from typing import Any, Callable, Mapping, Sequence

from bulkhead.plugin.v1 import source_pb2 as pb

from . import unawaited
from .canonical_json import write_json
from .errors import RetriableError, pause_of
from .failure import happened_at, text_of, to_failure
from .host_calls import parse_offset
from .log import subject
from .source import Source
from .source_record import Record
from .source_sender import SourceSender
from .task_host import RunningTask, TaskHost
from .task_meter import IDLE, POLLING, STOPPING
from .user_code import Cancelled, UserCode

_RETRY_SECONDS_FIRST = 0.1
_RETRY_SECONDS_MAX = 30.0
# A function that has nothing is asked again after so long.
_NOTHING_SECONDS = 0.1
_PARTITIONS_MAX = 100_000
_CALLBACKS_MAX = 16


class SourceTask(RunningTask):
    instance: Source

    def __init__(self, host: TaskHost, found: type[Source]) -> None:
        super().__init__(host, found)
        self._stop_asked = threading.Event()
        self._is_failed = False
        self._sent: collections.OrderedDict[str, str | None] = collections.OrderedDict()
        self._unacked: collections.deque[tuple[int, list[Record]]] = collections.deque()
        self._callbacks: _Callbacks | None = None
        if found.overrides("acked") or found.overrides("committed"):
            self._callbacks = _Callbacks(self)
        self._wants_acked = found.overrides("acked")
        self._wants_committed = found.overrides("committed")
        self.instance._read_offsets = self._offsets
        self._sender = SourceSender(
            host.stream.write,
            self.meter,
            self._on_offset,
            host.message_bytes_max,
            found.offset_mode,
            (lambda seq, records: self._unacked.append((seq, records))) if self._wants_acked else None,
        )

    def hello(self) -> bytes:
        last = self.instance.offset_mode == "last"
        mode = pb.OFFSET_MODE_LAST if last else pb.OFFSET_MODE_PER_RECORD
        hello = pb.SourceTaskHello(ticket=self.host.request.ticket, offset_mode=mode)
        return pb.SourceTaskMessage(hello=hello).SerializeToString()

    def run(self) -> None:
        if not self.start_user():
            return
        self._send(started=pb.Started())
        self.meter.now(IDLE)
        self._sender.start()
        pause = _RETRY_SECONDS_FIRST
        while not self.instance.stopping:
            before = self._sender.sent_records
            try:
                self._read_through()
                return
            except Cancelled:
                return
            except RetriableError as error:
                if self.instance.stopping:
                    return
                self._sender.flush()
                if self._sender.sent_records > before:
                    pause = _RETRY_SECONDS_FIRST
                wait = pause_of(error)
                wait = _spread(pause) if wait is None else wait
                self.log.warning("reading failed, again in %.1f s: %s", wait, text_of(error))
                self.meter.backing_off(to_failure(error))
                self.instance.sleep(wait)
                pause = min(_RETRY_SECONDS_MAX, pause * 2)

    def failed(self, error: BaseException) -> None:
        if self._is_failed:
            return
        if self.instance.stopping:
            if not isinstance(error, Cancelled):
                self.log.warning("failed while it stopped: %s", text_of(error), exc_info=error)
            return
        self._is_failed = True
        self._sender.send_what_has_credit()
        self._end()
        self._send(failure=to_failure(error))
        self.meter.overcame()
        self.meter.now(IDLE)

    def after(self) -> None:
        self._stop_asked.wait()
        self.meter.now(STOPPING)
        # The last acked and committed reach the user before its stop, which is the last user call.
        if self._callbacks is not None:
            self._callbacks.settle()

    def stopped(self, failure: BaseException | None) -> bytes:
        said = pb.Stopped(failure=None if failure is None else to_failure(failure))
        return pb.SourceTaskMessage(stopped=said).SerializeToString()

    def on_stop(self) -> None:
        self._end()
        self._stop_asked.set()

    def on_message(self, message: bytes) -> None:
        said = pb.HostSourceMessage.FromString(message)
        kind = said.WhichOneof("kind")
        if kind == "credit":
            self._sender.add_credit(said.credit.records, said.credit.bytes)
        elif kind == "acked":
            self._on_acked(said.acked.through)
        elif kind == "committed":
            self._on_committed(said.committed)
        elif kind in ("pause", "resume"):
            self._sender.pause(kind == "pause")
        elif kind == "drain":
            # Final: what has no credit is dropped and read again by the next one.
            self._sender.send_what_has_credit()
            self._end()
            self._send(drained=pb.Drained())
        elif kind == "stop":
            self.on_stop()

    def _read_through(self) -> None:
        """One life of the generator."""
        if inspect.iscoroutinefunction(self.instance.read):
            self._poll(self.instance.read)
            return
        unawaited.watch()
        unawaited.forget()
        items = self.instance.read()
        unawaited.check()
        if hasattr(items, "__aiter__"):
            self.user.wait(self._pump(items))
        elif inspect.isawaitable(items):
            self._poll(self.instance.read, items)
        elif hasattr(items, "__next__"):
            self._iterate(items)
        else:
            self._poll(self.instance.read, items)

    def _iterate(self, items: Any) -> None:
        sender, meter, stopped = self._sender, self.meter, self.instance.stopped
        before = unawaited.seen
        try:
            while self._turn():
                meter.now(POLLING)
                item = next(items, _OVER)
                meter.overcame()
                if unawaited.seen != before:
                    before = unawaited.seen
                    unawaited.check()
                if stopped.is_set():
                    return
                if item is _OVER:
                    break
                try:
                    sender.take(item if isinstance(item, (list, tuple)) else (item,))
                except BaseException as error:
                    happened_at(error, getattr(items, "gi_frame", None))
                    raise
            sender.flush()
            meter.now(IDLE)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        unawaited.check()

    def _poll(self, read: Callable[[], Any], items: Any = None) -> None:
        """A function instead of a generator: asked again and again."""
        while self._turn():
            self.meter.now(POLLING)
            items = self.user.call(read) if items is None else items
            items = self.user.wait(items) if inspect.isawaitable(items) else items
            self.meter.overcame()
            if self.instance.stopping:
                return
            if items:
                self._sender.take(items if isinstance(items, (list, tuple)) else (items,))
            else:
                self.meter.now(IDLE)
                self.instance.sleep(_NOTHING_SECONDS)
            items = None

    async def _pump(self, items: Any) -> None:
        """As `_iterate`, within the user's event loop: one hop between threads for all of it."""
        sender, meter, stopped = self._sender, self.meter, self.instance.stopped
        loop = asyncio.get_running_loop()
        before = unawaited.seen
        try:
            while True:
                # Whatever waits for the host does so in another thread.
                if not await loop.run_in_executor(None, self._turn) if self._must_wait() else stopped.is_set():
                    return
                meter.now(POLLING)
                try:
                    item = await items.__anext__()
                except StopAsyncIteration:
                    break
                meter.overcame()
                if unawaited.seen != before:
                    before = unawaited.seen
                    unawaited.check()
                if stopped.is_set():
                    return
                batch = item if isinstance(item, (list, tuple)) else (item,)
                try:
                    if len(batch) > 1:
                        await loop.run_in_executor(None, sender.take, batch)
                    else:
                        sender.take(batch)
                except Exception as error:
                    happened_at(error, getattr(items, "ag_frame", None))
                    raise
            await loop.run_in_executor(None, sender.flush)
            meter.now(IDLE)
        finally:
            await items.aclose()

    def _turn(self) -> bool:
        """Waits until the next poll may begin; False = none will."""
        if self._callbacks is not None and self._callbacks.full:
            self._sender.flush()
            self._callbacks.wait_for_room()
        return self._sender.turn() and not self.instance.stopping

    def _must_wait(self) -> bool:
        return self._sender.must_wait() or (self._callbacks is not None and self._callbacks.full)

    def _end(self) -> None:
        """No poll, no record from here on."""
        self._sender.close()
        self.instance.stopped.set()
        if self._callbacks is not None:
            self._callbacks.release()
        self.user.cancel()

    def _offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Any]:
        """What this task has sent already, else what the host has stored: so a retried read repeats nothing."""
        texts = [write_json(dict(one)) for one in partitions]
        unknown = [one for one, text in zip(partitions, texts) if text not in self._sent]
        stored = iter(self.host.read_offsets(unknown) if unknown else ())
        return [
            parse_offset(self._sent[text]) if text in self._sent else next(stored) for text in texts
        ]

    def _on_offset(self, partition: str, offset: str | None) -> None:
        self._sent[partition] = offset
        self._sent.move_to_end(partition)
        if len(self._sent) > _PARTITIONS_MAX:
            # The oldest are read from the host again: at worst some records are repeated.
            self._sent.popitem(last=False)

    def _on_acked(self, through: int) -> None:
        records: list[Record] = []
        while self._unacked and self._unacked[0][0] <= through:
            records += self._unacked.popleft()[1]
        if records and self._callbacks is not None:
            self._callbacks.add("acked", records)

    def _on_committed(self, committed: pb.Committed) -> None:
        if self._callbacks is None or not self._wants_committed:
            return
        offsets = [
            (parse_offset(one.partition), parse_offset(one.offset) if one.HasField("offset") else None)
            for one in committed.offsets
        ]
        self._callbacks.add("committed", offsets)

    def _send(self, **kind: Any) -> None:
        self.host.stream.write(pb.SourceTaskMessage(**kind).SerializeToString())


def _spread(seconds: float) -> float:
    """Tasks that failed together shall not all come back together."""
    # Only now: it is imported for nothing where nothing fails.
    import random

    return seconds * random.uniform(0.8, 1.2)


_OVER = object()


class _Callbacks:
    """The user's `acked` and `committed`, one after the other in the order they came."""

    def __init__(self, task: SourceTask) -> None:
        self._task = task
        self._calls: "queue.SimpleQueue[tuple[str, Any] | None]" = queue.SimpleQueue()
        self._user = UserCode()
        self._changed = threading.Condition()
        self._pending = 0
        self._open = True
        self._thread: threading.Thread | None = None

    def add(self, name: str, argument: Any) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="callbacks")
            self._thread.start()
        with self._changed:
            self._pending += 1
        self._calls.put((name, argument))

    @property
    def full(self) -> bool:
        """I5: slow callbacks hold the next poll back, or they would pile up records without end."""
        return self._open and self._pending > _CALLBACKS_MAX

    def wait_for_room(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self.full)

    def release(self) -> None:
        """No poll will follow: nobody has to wait for room any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def settle(self) -> None:
        """Waits until the last one has returned."""
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join()
        self._user.close()

    def _run(self) -> None:
        subject.set((self._task.host.connector, self._task.host.request.task))
        while (call := self._calls.get()) is not None:
            name, argument = call
            if not self._task.abandoned and self._task._started:
                try:
                    self._user.call(getattr(self._task.instance, name), argument)
                except BaseException as error:
                    # As in Connect: logged and no more.
                    self._task.log.error("%s failed: %s", name, text_of(error), exc_info=error)
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()
