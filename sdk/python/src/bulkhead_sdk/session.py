"""The one stream to the host, open for the plugin's whole life; never dialled again."""

from __future__ import annotations

import collections
import os
import threading
import time
from typing import Any

from bulkhead.plugin.v1 import connector_pb2
from bulkhead.plugin.v1 import error_pb2
from bulkhead.plugin.v1 import session_pb2 as pb

from .connector_calls import Call, ConnectorCalls, find_connector, find_stage
from .description import Plugin
from .failure import failure, to_failure
from .host_calls import HostCalls
from .launch import PROTOCOL_VERSION, Launch
from .log import LogForwarder, set_level, subject
from .metrics import Metrics
from .sink import Sink
from .sink_task import SinkTask
from .source_task import SourceTask
from .stream import Channel, GrpcStream
from .task_host import RunningTask, TaskHost
from .version import SDK_VERSION

# Served beside all others, each by a thread of its own; a connector's stop does not cancel them.
_ALONE = ("start_task", "open_stage", "close_stage")
# A host that does not read gets no pile of heartbeats and logs.
_BACKLOG_MAX = 100
_SHUTDOWN_SECONDS = 1.0


class _Open:
    """A request that has no reply yet."""

    def __init__(self, request: pb.Request) -> None:
        self.request = request
        self.call = Call()
        self.cancelled = False
        self.replied = False
        self.task: RunningTask | None = None


class Session:
    def __init__(self, plugin: Plugin, launch: Launch, log: LogForwarder) -> None:
        self._plugin = plugin
        self._launch = launch
        self._log = log
        self._channel = Channel(launch)
        self._stream: GrpcStream = self._channel.stream("Session")
        self._calls = HostCalls(lambda call: self._send(call=call))
        self._connectors = ConnectorCalls(
            plugin, self._calls, lambda event: self._send(event=event)
        )
        self._metrics = Metrics()
        self._lock = threading.RLock()
        self._requests: dict[int, _Open] = {}
        # Requests of one connector run in order: those that wait, behind the one that runs.
        self._turns: dict[str, collections.deque[_Open]] = {}
        # Stages are among the tasks.
        self._tasks: set[RunningTask] = set()
        self._stages: dict[str, RunningTask] = {}
        self._shutdown: str | None = None
        self.ended = threading.Event()
        self.end_reason = ""
        self.end_expected = False

    def start(self) -> None:
        self._send(
            hello=pb.Hello(
                token=self._launch.token,
                protocol_min=PROTOCOL_VERSION,
                protocol_max=PROTOCOL_VERSION,
                sdk=pb.Sdk(language="python", name="bulkhead-sdk", version=SDK_VERSION),
                plugin=pb.PluginInfo(
                    name=self._plugin.name,
                    version=self._plugin.version,
                    classes=[one.class_name for one in self._plugin.classes],
                ),
                capabilities=["canonical_json", *(["stages"] if self._plugin.has_stages else [])],
                pid=os.getpid(),
            )
        )
        self._stream.open(self._on_message, lambda reason: self.end(reason, expected=False))

    def end(self, reason: str, *, expected: bool) -> None:
        """No further user call; what runs is told."""
        with self._lock:
            if self.ended.is_set():
                return
            self.end_reason = reason if self._shutdown is None else self._shutdown
            self.end_expected = expected or self._shutdown is not None
            self.ended.set()
            opens, tasks = list(self._requests.values()), list(self._tasks)
        for one in opens:
            one.cancelled = True
            one.call.cancel()
        for task in tasks:
            task.abandon(self.end_reason)
        self._connectors.abandon()
        self._calls.close(self.end_reason)
        self._stream.cancel()

    def settled(self, seconds_max: float) -> bool:
        """Waits until no user code of a task runs any more."""
        end = time.monotonic() + seconds_max
        return all(task.done.wait(max(0, end - time.monotonic())) for task in list(self._tasks))

    def _on_message(self, message: bytes) -> None:
        said = pb.HostMessage.FromString(message)
        kind = said.WhichOneof("kind")
        if kind == "request":
            self._on_request(said.request)
        elif kind == "cancel":
            self._cancel(self._requests.get(said.cancel.request_id))
        elif kind == "answer":
            self._calls.answer(said.answer)
        elif kind == "welcome":
            self._on_welcome(said.welcome)
        elif kind == "set_log_level":
            set_level(said.set_log_level)
        elif kind == "shutdown":
            self._on_shutdown(said.shutdown)
        elif kind == "reject":
            reason = f"the host rejected this plugin: {said.reject.text} ({said.reject.code})"
            self.end(reason, expected=False)

    def _on_welcome(self, welcome: pb.Welcome) -> None:
        for level in welcome.log_levels:
            set_level(level)
        self._log.connect(self._send_log)
        if welcome.heartbeat_interval_ms > 0:
            beat = threading.Thread(
                target=self._beat,
                args=(welcome.heartbeat_interval_ms / 1000,),
                daemon=True,
                name="heartbeat",
            )
            beat.start()

    def _send_log(self, batch: pb.LogBatch) -> bool:
        if self.ended.is_set() or self._stream.backlog > _BACKLOG_MAX:
            return False
        self._send(log_batch=batch)
        return True

    def _beat(self, seconds: float) -> None:
        seq = 0
        while True:
            if self._stream.backlog <= _BACKLOG_MAX:
                seq += 1
                tasks = [one for one in list(self._tasks) if one.what == "task"]
                beats = [task.meter.heartbeat() for task in tasks]
                self._send(
                    heartbeat=pb.Heartbeat(
                        seq=seq,
                        rss_bytes=_rss_bytes(),
                        cpu_ms=int(time.process_time() * 1000),
                        tasks=beats,
                    )
                )
                metrics = self._metrics.batch()
                if metrics is not None:
                    self._send(metric_batch=metrics)
            if self.ended.wait(seconds):
                return

    def _on_request(self, request: pb.Request) -> None:
        one = _Open(request)
        kind = request.WhichOneof("kind")
        with self._lock:
            if self.ended.is_set():
                return
            self._requests[request.id] = one
            if kind in _ALONE:
                self._spawn(getattr(self, f"_{kind}"), one)
                return
            if kind == "stop_connector":
                # A stop does not wait for what runs before it.
                for other in list(self._requests.values()):
                    same = other.request.connector == request.connector
                    alone = other.request.WhichOneof("kind") in _ALONE
                    if same and other is not one and not alone:
                        self._cancel(other)
            turns = self._turns.get(request.connector)
            if turns is not None:
                turns.append(one)
                return
            turns = self._turns[request.connector] = collections.deque([one])
        self._spawn(self._serve, request.connector, turns)

    def _cancel(self, one: _Open | None) -> None:
        """Replied at once; what waits behind it goes on, though its user code may not have returned."""
        if one is None or one.cancelled:
            return
        one.cancelled = True
        if one.task is not None:
            one.task.cut_off("the start was cancelled")
        one.call.cancel()
        self._reply(one, failure=_cancelled())
        connector = one.request.connector
        with self._lock:
            turns = self._turns.get(connector)
            if turns is None or turns[0] is not one:
                return
            rest = collections.deque(list(turns)[1:])
            if rest:
                self._turns[connector] = rest
                self._spawn(self._serve, connector, rest)
            else:
                del self._turns[connector]

    def _serve(self, connector: str, turns: "collections.deque[_Open]") -> None:
        subject.set((connector, None))
        while True:
            one = turns[0]
            if not one.cancelled:
                try:
                    kind = self._connectors.serve(one.request, one.call)
                except BaseException as error:
                    kind = {"failure": to_failure(error)}
                self._reply(one, **kind)
            one.call.user.close()
            with self._lock:
                # Cancelled meanwhile: another thread has the rest.
                if self._turns.get(connector) is not turns:
                    return
                turns.popleft()
                if not turns:
                    del self._turns[connector]
                    return

    def _start_task(self, one: _Open) -> None:
        asked = one.request.start_task
        try:
            found = find_connector(self._plugin, asked)
            is_sink = issubclass(found, Sink)
            connector, number = one.request.connector, asked.task
            host = TaskHost(
                connector,
                asked,
                self._launch.message_bytes_max,
                self._channel.stream(
                    "SinkTask" if is_sink else "SourceTask", asked.stream_address
                ),
                lambda partitions: self._calls.offsets(connector, number, partitions),
                metrics=self._metrics,
            )
            task = SinkTask(host, found) if is_sink else SourceTask(host, found)  # type: ignore[arg-type]
        except BaseException as error:
            self._reply(one, failure=to_failure(error))
            return
        self._live(one, task, start_task=connector_pb2.StartTaskResult())

    def _open_stage(self, one: _Open) -> None:
        asked = one.request.open_stage
        try:
            found = find_stage(self._plugin, asked)
            # Only a plugin that has stages pays for what runs them.
            from .running_stage import RunningStage

            stream = self._channel.stream("Stage", asked.stream_address)
            bytes_max = self._launch.message_bytes_max
            host = TaskHost(one.request.connector, asked, bytes_max, stream, lambda _: [])
            stage = RunningStage(host, found)  # type: ignore[arg-type]
            with self._lock:
                if asked.stage_id in self._stages:
                    raise RuntimeError(f"stage {asked.stage_id} is open already")
                self._stages[asked.stage_id] = stage
        except BaseException as error:
            self._reply(one, failure=to_failure(error))
            return
        try:
            self._live(one, stage, open_stage=connector_pb2.OpenStageResult())
        finally:
            with self._lock:
                del self._stages[asked.stage_id]

    def _close_stage(self, one: _Open) -> None:
        with self._lock:
            stage: Any = self._stages.get(one.request.close_stage.stage_id)
        # One that is closed by itself already is no fault: the host could not know.
        if stage is not None:
            stage.close()
            stage.done.wait()
            if stage.stop_failure is not None:
                self._reply(one, failure=to_failure(stage.stop_failure))
                return
        self._reply(one, close_stage=connector_pb2.CloseStageResult())

    def _live(self, one: _Open, task: RunningTask, **reply: Any) -> None:
        """A task or stage from its start, which the request is answered with, to its end."""
        with self._lock:
            self._tasks.add(task)
            one.task = task
            over = one.cancelled or self.ended.is_set()
        if over:
            self._tasks.discard(task)
            task.done.set()
            return
        task.start()
        task.opened.wait()
        if task.refused:
            self._reply(one, failure=to_failure(RuntimeError(task.refused)))
        else:
            self._reply(one, **reply)
        task.done.wait()
        with self._lock:
            self._tasks.discard(task)

    def _reply(self, one: _Open, **kind: Any) -> None:
        """Exactly one."""
        with self._lock:
            if one.replied:
                return
            one.replied = True
            self._requests.pop(one.request.id, None)
        self._send(reply=pb.Reply(id=one.request.id, **kind))

    def _on_shutdown(self, shutdown: pb.Shutdown) -> None:
        self._shutdown = shutdown.reason or "the host shut the plugin down"
        self._log.flush()
        self._send(shutdown_ack=pb.ShutdownAck())
        self._stream.finish()
        # The host closes its side; whether or not it does, the end comes.
        timer = threading.Timer(_SHUTDOWN_SECONDS, self.end, ("",), {"expected": True})
        timer.daemon = True
        timer.start()

    def _send(self, **kind: Any) -> None:
        self._stream.write(pb.PluginMessage(**kind).SerializeToString())

    @staticmethod
    def _spawn(work: Any, *args: Any) -> None:
        threading.Thread(target=work, args=args, daemon=True, name="request").start()


def _cancelled() -> error_pb2.Failure:
    return failure(
        error_pb2.FAILURE_CODE_CANCELLED,
        error_pb2.FAILURE_CLASS_FATAL,
        "the request was cancelled",
    )


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        import resource
        import sys

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
