"""What the harnesses of sources and sinks have in common: a task whose stream is in memory."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Mapping, Sequence

from bulkhead.plugin.v1 import connector_pb2, error_pb2

from .clock import HarnessClock
from .task_host import RunningTask, TaskHost

MESSAGE_BYTES_MAX = 4 * 1024 * 1024


class HarnessError(AssertionError):
    """The task failed, or did not do in time what was waited for. `stack` is the user code's."""

    def __init__(self, text: str, stack: str = "") -> None:
        super().__init__(f"{text}\n{stack}" if stack else text)
        self.text = text
        self.stack = stack


class MemoryStream:
    """The host's end of a stream, as calls."""

    def __init__(self, on_message: Callable[[bytes], None]) -> None:
        self._to_host = on_message
        self._to_task: Callable[[bytes], None] | None = None
        self._on_end: Callable[[str], None] | None = None
        self._cut = False

    def open(self, on_message: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._to_task, self._on_end = on_message, on_end

    def wait_opened(self) -> bool:
        return True

    def write(self, message: bytes) -> None:
        if not self._cut:
            self._to_host(message)

    def send(self, message: Any) -> None:
        if not self._cut and self._to_task is not None:
            self._to_task(message.SerializeToString())

    def finish(self) -> None:
        pass

    def cancel(self) -> None:
        self._cut = True


class TaskHarness:
    """What both kinds have in common."""

    def __init__(self, found: Any, texts: Mapping[str, str], task: int, wait: float) -> None:
        self._found = found
        self._texts = texts
        self._number = task
        self._wait_seconds = wait
        self._changed = threading.Condition()
        self.clock = HarnessClock()
        """Stands still: `clock.advance(seconds)` lets `sleep`, pauses before retries and idle puts pass."""
        self._running: RunningTask
        self._stream: MemoryStream
        self._generation = 0

    @property
    def task(self) -> Any:
        """The instance of the class that runs, to look into."""
        return self._running.instance

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self.crash()
        elif self._stream is not None and not self._running.done.is_set():
            self.stop()

    def crash(self) -> None:
        """The process is gone: what was not committed is forgotten, no function is called any more."""
        self._generation += 1
        self._running.abandon("the harness crashed the task")
        self._running.done.wait(self._wait_seconds)

    def resume(self) -> None:
        """A new task, which begins where the commits say."""
        if not self._running.done.is_set():
            self.stop()
        self._begin()

    def stop(self) -> None:
        """Ends the task as a host does. Raises HarnessError with what its functions raised."""
        self._stream.send(self._stop_message())
        if not self._running.done.wait(self._wait_seconds):
            raise HarnessError(f"the task did not stop within {self._wait_seconds} s")
        self._raise_failure()

    def _launch(self, kind: type[RunningTask]) -> None:
        self._generation += 1
        generation = self._generation
        self._failure: error_pb2.Failure | None = None
        self._is_started = False

        def on_message(message: bytes) -> None:
            with self._changed:
                if generation == self._generation:
                    self._on_message(message)
                    self._changed.notify_all()

        stream = self._stream = MemoryStream(on_message)
        request = connector_pb2.StartTaskRequest(
            task=self._number,
            task_config=self._texts,
            connector_config=self._texts,
            errant_record_reporter=True,
            offset_flush_interval_ms=60_000,
        )
        host = TaskHost(
            "harness", request, MESSAGE_BYTES_MAX, stream, self._read_offsets, self.clock
        )
        self._running = kind(host, self._found)  # type: ignore[call-arg]
        self._running.start()
        self._await(lambda: self._is_started, "start")

    def _await(self, done: Callable[[], bool], what: str) -> None:
        """Waits for it, or raises what went wrong instead."""
        end = time.monotonic() + self._wait_seconds
        with self._changed:
            while not done():
                self._raise_failure()
                if not self._changed.wait(max(0.0, min(0.05, end - time.monotonic()))):
                    if time.monotonic() >= end:
                        raise HarnessError(f"the task did not {what} within {self._wait_seconds} s")

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise HarnessError(failure.text, failure.stack)

    def _common(self, message: Any, kind: str) -> None:
        if kind == "started":
            self._is_started = True
        elif kind == "failure":
            self._failure = message.failure
        elif kind == "stopped" and message.stopped.HasField("failure"):
            self._failure = message.stopped.failure

    def _begin(self) -> None:
        raise NotImplementedError

    def _on_message(self, message: bytes) -> None:
        raise NotImplementedError

    def _stop_message(self) -> Any:
        raise NotImplementedError

    def _read_offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [None for _ in partitions]
