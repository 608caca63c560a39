"""Runs one task of a connector in memory, without a host and without Kafka: for tests.

    with harness(counter, {"topic": "t"}) as task:
        assert [one.value for one in task.read(2)] == ["line 0", "line 1"]
        task.commit()
        task.crash()
        task.resume()

It is the SDK's own task code on both sides of a stream; only the stream is in memory.
"""

from __future__ import annotations

from typing import Any, Mapping

from .connector import Connector
from .sink import Sink
from .sink_harness import SinkHarness
from .source import Source
from .source_harness import ReadRecord, SourceHarness
from .task_harness import HarnessError

__all__ = ["HarnessError", "ReadRecord", "SinkHarness", "SourceHarness", "harness"]

_WAIT_SECONDS = 20.0


def harness(
    found: type[Connector],
    config: Mapping[str, Any] | None = None,
    *,
    task: int = 0,
    wait: float = _WAIT_SECONDS,
) -> Any:
    """A task of a source or a sink, started; use it in a `with`.

    `config` has the keys as a config file spells them; `wait` is how many seconds anything may take.
    """
    texts = {name: _text(value) for name, value in (config or {}).items()}
    if issubclass(found, Source):
        return SourceHarness(found, texts, task, wait)
    if issubclass(found, Sink):
        return SinkHarness(found, texts, task, wait)
    raise TypeError(f"{found!r} is neither a source nor a sink")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
