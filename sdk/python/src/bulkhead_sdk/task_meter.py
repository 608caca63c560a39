"""What a task is doing and since when, for the heartbeat."""

from __future__ import annotations

import time

from bulkhead.plugin.v1 import error_pb2
from bulkhead.plugin.v1 import session_pb2 as pb

IDLE = pb.TASK_ACTIVITY_IDLE
POLLING = pb.TASK_ACTIVITY_POLLING
PUTTING = pb.TASK_ACTIVITY_PUTTING
BACKING_OFF = pb.TASK_ACTIVITY_BACKING_OFF
FLUSHING = pb.TASK_ACTIVITY_FLUSHING
STARTING = pb.TASK_ACTIVITY_STARTING
STOPPING = pb.TASK_ACTIVITY_STOPPING
PAUSED = pb.TASK_ACTIVITY_PAUSED
OPENING = pb.TASK_ACTIVITY_OPENING
CLOSING = pb.TASK_ACTIVITY_CLOSING


class TaskMeter:
    def __init__(self, connector: str, task: int) -> None:
        self._connector = connector
        self._task = task
        self._activity = STARTING
        self._since = self._progressed = time.monotonic()
        self._transient: error_pb2.Failure | None = None
        self.records_in = 0
        self.records_out = 0

    def now(self, activity: int) -> None:
        if activity != self._activity:
            self._activity = activity
            self._since = time.monotonic()

    def rest(self) -> None:
        """Nothing to do now; while a failure is not overcome that is a pause before the next attempt."""
        self.now(IDLE if self._transient is None else BACKING_OFF)

    def progress(self) -> None:
        """Records went through."""
        self._progressed = time.monotonic()
        self._transient = None

    def overcame(self) -> None:
        """What failed before went well, be it without records."""
        self._transient = None

    def backing_off(self, failure: error_pb2.Failure) -> None:
        self._transient = failure
        self.now(BACKING_OFF)

    def heartbeat(self) -> pb.TaskHeartbeat:
        now = time.monotonic()
        return pb.TaskHeartbeat(
            connector=self._connector,
            task=self._task,
            activity=self._activity,
            activity_for_ms=int((now - self._since) * 1000),
            last_transient_failure=self._transient,
            records_in=self.records_in,
            records_out=self.records_out,
            since_progress_ms=int((now - self._progressed) * 1000),
        )
