"""Between what was read and the stream: packs, keeps to the credit, sends in good time."""

from __future__ import annotations

import inspect
import threading
import time
from typing import Any, Callable, Sequence

from bulkhead.plugin.v1 import source_pb2

from .canonical_json import write_json
from .definitions import OutDefinitions
from .packer import Packer
from .source_record import Checkpoint, Record
from .task_meter import IDLE, PAUSED, TaskMeter

# Records wait so long for others while more keep coming; after a quiet spell they go at once.
_LINGER = 0.005
_CHECKPOINTS_MAX = 1_000


class SourceSender:
    """A batch goes when it is full, when it has lingered, or when `flush` says so; never without credit.

    `take` and `turn` are called by the thread that reads, the rest by any.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        meter: TaskMeter,
        on_offset: Callable[[str, str | None], None],
        message_bytes_max: int,
        mode: str,
        on_sent: Callable[[int, list[Record]], None] | None,
    ) -> None:
        self._write = write
        self._meter = meter
        self._on_offset = on_offset
        self._on_sent = on_sent
        # Guards all that follows; whoever waits for credit or an end waits on it.
        self._changed = threading.Condition()
        self._packer = Packer(OutDefinitions(write), message_bytes_max, mode)
        self._checkpoints: dict[str, str | None] = {}
        self._batch_records: list[Record] = []
        self._batch_seq = 0
        self._credit_records = self._credit_bytes = 0
        self._sent_at = 0.0
        self._mid_poll = False
        self._paused = False
        self._closed = False
        self._lingers = False
        self.sent_records = 0

    def start(self) -> None:
        threading.Thread(target=self._linger, daemon=True, name="linger").start()

    def must_wait(self) -> bool:
        """Whether `turn` would wait."""
        return self._paused or (self._holds and not self._may_send)

    def turn(self) -> bool:
        """Waits until the next poll may begin; False = there is none any more."""
        if not (self._paused or self._closed) and (not self._holds or self._may_send):
            return True
        with self._changed:
            while not self._closed and (self._paused or (self._holds and not self._may_send)):
                # Also when paused: what was polled before is sent to its end.
                if self._holds and self._may_send:
                    self._send_batch(True)
                self._meter.now(PAUSED if self._paused else IDLE)
                self._changed.wait()
            return not self._closed

    def take(self, items: Sequence[Any]) -> None:
        """Packs what one poll returned. Raises what is wrong with a record."""
        self._meter.records_in += len(items)
        with self._changed:
            self._mid_poll = True
            at, end = 0, len(items)
            while not self._closed:
                at = self._pack(items, at)
                if at >= end:
                    break
                self._send_when_allowed(False)
            self._mid_poll = False
            if self._closed or not self._holds:
                return
            if self._packer.full or time.monotonic() - self._sent_at >= _LINGER:
                if self._may_send:
                    self._send_batch(True)
                    return
            if not self._lingers:
                self._changed.notify_all()

    def flush(self, poll_end: bool = True) -> None:
        """Sends what is packed, when there is credit for it."""
        with self._changed:
            self._send_when_allowed(poll_end)

    def send_what_has_credit(self) -> None:
        """At the end: what has no credit is dropped."""
        with self._changed:
            if not self._closed and self._holds and self._may_send:
                self._send_batch(not self._mid_poll)

    def add_credit(self, records: int, bytes_: int) -> None:
        with self._changed:
            self._credit_records += records
            self._credit_bytes += bytes_
            self._changed.notify_all()

    def pause(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is sent any more; whoever waits goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def _holds(self) -> bool:
        return self._packer.count > 0 or len(self._checkpoints) > 0

    @property
    def _may_send(self) -> bool:
        """Credit is for records; a checkpoint only keeps its place behind them."""
        return self._packer.count == 0 or (self._credit_records > 0 and self._credit_bytes > 0)

    def _send_when_allowed(self, poll_end: bool) -> None:
        while self._holds and not self._may_send and not self._closed:
            self._meter.now(IDLE)
            self._changed.wait()
        if self._holds and not self._closed:
            self._send_batch(poll_end)

    def _pack(self, items: Sequence[Any], start: int) -> int:
        """From `start` on; gives the place of the first item that has to wait for a batch to go."""
        packer = self._packer
        at, end = start, len(items)
        while at < end:
            if not self._checkpoints and not packer.full and self._on_sent is None:
                at = packer.add_alike(items, at)
                if at >= end:
                    break
            item = items[at]
            if isinstance(item, Checkpoint):
                if len(self._checkpoints) >= _CHECKPOINTS_MAX:
                    return at
                offset = item.source_offset
                text = None if offset is None else write_json(offset)
                self._checkpoints[write_json(item.source_partition)] = text
                at += 1
                continue
            # A checkpoint keeps its place behind the records before it.
            if self._checkpoints or packer.full:
                return at
            if not isinstance(item, Record):
                raise _no_record(item)
            if not packer.add(item):
                return at
            if self._on_sent is not None:
                self._batch_records.append(item)
            at += 1
        return end

    def _linger(self) -> None:
        """Sends what waits while the user's code takes its time."""
        with self._changed:
            while not self._closed:
                if not self._holds or self._mid_poll or not self._may_send:
                    self._lingers = False
                    self._changed.wait()
                    continue
                self._lingers = True
                wait = self._sent_at + _LINGER - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                else:
                    self._send_batch(True)

    def _send_batch(self, poll_end: bool) -> None:
        self._sent_at = time.monotonic()
        self._meter.progress()
        if self._packer.count > 0:
            self._batch_seq += 1
            batch = self._packer.finish(self._batch_seq, poll_end)
            self._credit_records -= batch.count
            self._credit_bytes -= batch.cost_bytes
            if self._on_sent is not None:
                # Before the host can answer.
                self._on_sent(self._batch_seq, self._batch_records)
                self._batch_records = []
            self._write(batch.message)
            for partition, offset in batch.last_offsets.items():
                self._on_offset(partition, offset)
            self.sent_records += batch.count
            self._meter.records_out += batch.count
        for partition, offset in self._checkpoints.items():
            self._on_offset(partition, offset)
            said = source_pb2.Checkpoint(partition=partition, offset=offset)
            self._write(source_pb2.SourceTaskMessage(checkpoint=said).SerializeToString())
        self._checkpoints.clear()


def _no_record(item: Any) -> TypeError:
    given = f"read gave a {type(item).__name__}; it gives Records, Checkpoints, or lists of them"
    if inspect.iscoroutine(item):
        code = item.cr_code
        item.close()
        given += f": put `await` before {code.co_name}(), which is at {code.co_filename}:{code.co_firstlineno}"
    elif inspect.isasyncgen(item) or inspect.isgenerator(item):
        given += ": write `yield from` it, or `async for` over it"
    return TypeError(given)
