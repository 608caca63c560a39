"""Records that a sink gave up, on their way to the host; bounded in number and bytes."""

from __future__ import annotations

import threading
from typing import Callable

from bulkhead.plugin.v1 import error_pb2
from bulkhead.plugin.v1 import sink_pb2 as pb

from .failure import to_failure
from .sink_record import SinkRecord

_OPEN_MAX = 1_000
_OPEN_BYTES_MAX = 8 * 1024 * 1024


class ErrantReports:
    def __init__(self, send: Callable[[pb.ErrantReport], None]) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._open: dict[int, int] = {}
        self._settled: dict[int, str | None] = {}
        self._bytes = 0
        self._last_id = 0
        self._over: str | None = None

    def report(self, record: SinkRecord, error: BaseException) -> None:
        """Returns when the host has settled it; raises RuntimeError when its policy is to fail."""
        original = pb.PartitionOffset(
            topic=record.original_topic, partition=record.original_partition, offset=record.offset
        )
        report = pb.ErrantReport(
            original=original,
            stage=error_pb2.STAGE_TASK_PUT,
            failure=to_failure(error, as_data=True),
        )
        size = report.ByteSize() + 16
        with self._changed:
            # One always passes, however large.
            self._changed.wait_for(lambda: self._over is not None or self._room(size))
            if self._over is not None:
                raise RuntimeError(f"cannot report a record: {self._over}")
            self._last_id += 1
            number = report.report_id = self._last_id
            self._open[number] = size
            self._bytes += size
            self._send(report)
            self._changed.wait_for(lambda: self._over is not None or number in self._settled)
            if number not in self._settled:
                raise RuntimeError(f"a report was not settled: {self._over}")
            refused = self._settled.pop(number)
        if refused is not None:
            raise RuntimeError(refused) from error

    def receipt(self, receipt: pb.ErrantReceipt) -> None:
        with self._changed:
            size = self._open.pop(receipt.report_id, None)
            if size is None:
                return
            self._bytes -= size
            failed = receipt.HasField("failure")
            self._settled[receipt.report_id] = receipt.failure.text if failed else None
            self._changed.notify_all()

    def close(self, reason: str) -> None:
        with self._changed:
            self._over = reason
            self._changed.notify_all()

    def _room(self, size: int) -> bool:
        if not self._open:
            return True
        return len(self._open) < _OPEN_MAX and self._bytes + size <= _OPEN_BYTES_MAX
