"""What a task needs of the session, and the life that source and sink tasks share."""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Mapping, Sequence

from .clock import REAL_CLOCK, Clock
from .config_parse import parse_config
from .connector import Connector, PluginClass
from .failure import text_of
from .log import subject
from .metrics import Metrics
from .stream import Stream
from .task_meter import TaskMeter
from .user_code import UserCode

# A host that is gone takes the session with the stream, though the stream's end may be seen first.
_SESSION_END_SECONDS_MAX = 0.1


class TaskHost:
    """`request` is the StartTaskRequest, or OpenStageRequest; `read_offsets` asks for what is committed."""

    def __init__(
        self,
        connector: str,
        request: Any,
        message_bytes_max: int,
        stream: Stream,
        read_offsets: Callable[[Sequence[Mapping[str, Any]]], list[Any]],
        clock: Clock = REAL_CLOCK,
        metrics: Metrics | None = None,
    ) -> None:
        self.connector = connector
        self.request = request
        self.message_bytes_max = message_bytes_max
        self.stream = stream
        self.read_offsets = read_offsets
        self.clock = clock
        self.metrics = (metrics or Metrics()).task(connector, request.task)


class RunningTask:
    """One task or stage: a thread for the user's functions, beside the one that reads its stream."""

    what = "task"
    """Only tasks have heartbeats."""

    def __init__(self, host: TaskHost, found: type[PluginClass]) -> None:
        self.host = host
        self.meter = TaskMeter(host.connector, host.request.task)
        self.log = logging.getLogger(found.class_name)
        self.opened = threading.Event()
        """The stream is open, or will not be: see `refused`."""
        self.refused = ""
        self.done = threading.Event()
        self.user = UserCode()
        self.instance = found()
        self.instance.stopped = threading.Event()
        self.instance._clock = host.clock
        if isinstance(self.instance, Connector):
            self.instance._metrics = host.metrics
        self.is_cut_off = False
        """The stream has ended without a stop."""
        self._abandoned = threading.Event()
        self._started = False
        self._reason = ""

    def start(self) -> None:
        threading.Thread(target=self._main, daemon=True, name="task").start()

    def cut_off(self, reason: str) -> None:
        """The stream is gone."""
        if self.is_cut_off:
            return
        self.is_cut_off = True
        self._reason = reason
        self.on_stop()
        self.host.stream.cancel()

    def abandon(self, reason: str) -> None:
        """The session has ended: no further user call."""
        self._abandoned.set()
        self.cut_off(reason)

    @property
    def abandoned(self) -> bool:
        return self._abandoned.is_set()

    # What the two kinds do.

    def hello(self) -> bytes:
        raise NotImplementedError

    def on_message(self, message: bytes) -> None:
        raise NotImplementedError

    def on_stop(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        """Everything up to the stop. What it raises fails the task."""
        raise NotImplementedError

    def failed(self, error: BaseException) -> None:
        raise NotImplementedError

    def after(self) -> None:
        """Serves what still comes, until the stop."""
        raise NotImplementedError

    def texts(self) -> dict[str, str]:
        """All keys of the instance."""
        request = self.host.request
        return {**request.connector_config, **request.task_config}

    def stopped(self, failure: BaseException | None) -> bytes:
        """The last message; empty = the stream has none."""
        raise NotImplementedError

    def start_user(self) -> bool:
        """Runs the user's `start`; False = the task is stopped already."""
        instance = self.instance
        instance.connector, instance.task = self.host.connector, self.host.request.task
        instance.texts = self.texts()
        instance.log = self.log
        instance.config = parse_config(type(instance).config_class, instance.texts)
        if instance.stopping:
            return False
        self.user.call(instance.start)
        # Only what was started is stopped.
        self._started = True
        return not instance.stopping

    def _main(self) -> None:
        subject.set((self.host.connector, self.host.request.task))
        stream = self.host.stream
        try:
            stream.write(self.hello())
            stream.open(self._read, self.cut_off)
            if not stream.wait_opened():
                self.refused = f"the host refused the {self.what}'s stream: {self._reason}"
                return
            self.opened.set()
            try:
                self.run()
            except BaseException as error:
                # Also SystemExit: user code ends a task, not the process of its neighbours.
                self.failed(error)
            self.after()
            self._stop()
        finally:
            self.opened.set()
            self.user.close()
            self.host.metrics.close()
            self.done.set()

    def _read(self, message: bytes) -> None:
        try:
            self.on_message(message)
        except Exception as error:
            self.failed(RuntimeError(f"a message of the host broke the contract: {text_of(error)}"))

    def _stop(self) -> None:
        failure: BaseException | None = None
        if self.is_cut_off:
            self._abandoned.wait(_SESSION_END_SECONDS_MAX)
        if self._started and not self.abandoned:
            try:
                self.user.call(self.instance.stop, final=True)
            except BaseException as error:
                failure = error
                if self.is_cut_off:
                    self.log.error("stopping failed: %s", text_of(error), exc_info=error)
        last = self.stopped(failure)
        if last:
            self.host.stream.write(last)
        self.host.stream.finish()
