"""Writes the result of one batch of a stage after the other, each in as many messages as it needs."""

from __future__ import annotations

from typing import Callable

from bulkhead.plugin.v1 import error_pb2
from bulkhead.plugin.v1 import stage_pb2 as pb

from .definitions import OutDefinitions
from .packer import Packer
from .source_record import Record

# What a failure takes besides its own bytes.
_RUN_BYTES = 16


class StageResults:
    def __init__(self, send: Callable[[bytes], None], message_bytes_max: int) -> None:
        self._send = send
        self._message_bytes_max = message_bytes_max
        self._packer = Packer(OutDefinitions(send, pb.StageMessage), message_bytes_max, "none")
        self._message = pb.StageMessage()

    def begin(self, seq: int) -> None:
        self._message.result.seq = seq

    def ok(self, record: Record) -> None:
        """The next record, as it goes on. Raises DataError; nothing has then been said of it."""
        if not self._packer.add(record):
            self._write(True)
            self._packer.add(record)
        self._say(pb.STAGE_VERDICT_OK)

    def filtered(self) -> None:
        self._say(pb.STAGE_VERDICT_FILTERED)

    def tested(self, yes: bool) -> None:
        self._say(pb.STAGE_VERDICT_TRUE if yes else pb.STAGE_VERDICT_FALSE)

    def failed(self, failure: error_pb2.Failure) -> None:
        size = failure.ByteSize() + _RUN_BYTES
        runs = self._message.result.runs
        if runs and self._packer.cost_bytes + size > self._message_bytes_max:
            self._write(True)
            runs = self._message.result.runs
        self._packer.add_bytes(size)
        runs.add(count=1, verdict=pb.STAGE_VERDICT_FAILED, failure=failure)

    def finish(self) -> None:
        self._write(False)

    def _say(self, verdict: int) -> None:
        runs = self._message.result.runs
        if runs and runs[-1].verdict == verdict:
            runs[-1].count += 1
        else:
            runs.add(count=1, verdict=verdict)

    def _write(self, more: bool) -> None:
        result = self._message.result
        self._packer.take_columns(result.columns)
        result.more = more
        self._send(self._message.SerializeToString())
        seq = result.seq
        self._message = pb.StageMessage()
        self._message.result.seq = seq
