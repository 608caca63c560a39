"""Questions to the host."""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any, Callable, Mapping, Sequence

from bulkhead.plugin.v1 import connector_pb2, session_pb2

from .canonical_json import write_json

_OPEN_MAX = 64
_PARTITIONS_PER_CALL = 1_000
_CALL_SECONDS_MAX = 60.0


class _Question:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.offsets: list[str | None] = []
        self.error: str | None = None


class HostCalls:
    """At most 64 are open at a time, the others wait. Each ends: by answer, time limit or session end."""

    def __init__(self, send: Callable[[session_pb2.Call], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._room = threading.Semaphore(_OPEN_MAX)
        # Also those that have timed out: the host still counts them until it has answered.
        self._open: dict[int, _Question] = {}
        self._ids = itertools.count(1)
        self._over: str | None = None

    def offsets(
        self, connector: str, task: int | None, partitions: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | None]:
        """The committed offsets, in the order asked. Raises RuntimeError where the host does not say."""
        texts = [write_json(dict(one)) for one in partitions]
        found: list[dict[str, Any] | None] = []
        for start in range(0, len(texts), _PARTITIONS_PER_CALL):
            part = texts[start : start + _PARTITIONS_PER_CALL]
            found += map(parse_offset, self._read_offsets(connector, task, part))
        return found

    def answer(self, answer: session_pb2.Answer) -> None:
        with self._lock:
            question = self._open.get(answer.id)
            if question is None:
                return
            if not answer.more:
                del self._open[answer.id]
        if answer.WhichOneof("kind") == "read_offsets":
            for one in answer.read_offsets.offsets:
                question.offsets.append(one.offset if one.HasField("offset") else None)
        else:
            question.error = answer.failure.text or "no offsets in the answer"
        if not answer.more:
            self._room.release()
            question.done.set()

    def close(self, reason: str) -> None:
        """The session is over: nothing will be answered any more."""
        with self._lock:
            self._over = reason
            questions = list(self._open.values())
            self._open.clear()
        for question in questions:
            question.error = reason
            self._room.release()
            question.done.set()

    def _read_offsets(self, connector: str, task: int | None, texts: list[str]) -> list[str | None]:
        about = f"cannot read the offsets of {connector}"
        if not self._room.acquire(timeout=_CALL_SECONDS_MAX):
            raise RuntimeError(f"{about}: {_OPEN_MAX} other questions to the host are open")
        question = _Question()
        with self._lock:
            if self._over is not None:
                self._room.release()
                raise RuntimeError(f"{about}: {self._over}")
            number = next(self._ids)
            self._open[number] = question
        call = session_pb2.Call(
            id=number,
            timeout_ms=int(_CALL_SECONDS_MAX * 1000),
            connector=connector,
            read_offsets=connector_pb2.ReadOffsetsCall(task=task, partitions=texts),
        )
        self._send(call)
        if not question.done.wait(_CALL_SECONDS_MAX):
            raise RuntimeError(f"{about}: the host has not answered in {_CALL_SECONDS_MAX:.0f} s")
        if question.error is not None:
            raise RuntimeError(f"{about}: {question.error}")
        # An offset goes with its partition by place only, so one too few would shift the others.
        if len(question.offsets) != len(texts):
            raise RuntimeError(
                f"{about}: the host answered with {len(question.offsets)} offsets for {len(texts)} partitions"
            )
        return question.offsets


def parse_offset(text: str | None) -> Any:
    """An offset text as data."""
    return None if text is None else json.loads(text)
