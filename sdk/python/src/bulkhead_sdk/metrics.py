"""Counters and gauges of the user's, sent to the host now and then as one batch of what has changed."""

from __future__ import annotations

import logging
import math
import re
import threading
from typing import Any

from bulkhead.plugin.v1 import session_pb2 as pb

# I5: user code may name a metric after what it reads. The rest is counted nowhere, and told once.
_SERIES_MAX = 1_000
_TAGS_MAX = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")
_log = logging.getLogger(__name__)


class _Metric:
    """One series. Its functions may be called by any thread."""

    def __init__(self, lock: threading.Lock, type_: int) -> None:
        self._lock = lock
        self._type = type_
        self._value = 0.0
        self._sent: float | None = None

    @property
    def value(self) -> float:
        return self._value


class Counter(_Metric):
    def add(self, amount: float = 1) -> None:
        """Counts. Raises ValueError for what is negative or no number: a counter only grows."""
        if not isinstance(amount, (int, float)) or not 0 <= amount < math.inf:
            raise ValueError(f"a counter cannot grow by {amount!r}")
        with self._lock:
            self._value += amount


class Gauge(_Metric):
    def set(self, value: float) -> None:
        """Raises ValueError for what is no number."""
        if not isinstance(value, (int, float)):
            raise ValueError(f"a gauge cannot be {value!r}")
        with self._lock:
            self._value = float(value)


class Metrics:
    """All series of a program, over all its tasks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[Any, ...], tuple[int, _Metric, pb.MetricDescriptor]] = {}
        self._next_id = 1
        self._described: set[int] = set()
        self._removed: list[int] = []
        self._is_full = False

    def task(self, connector: str, task: int) -> "TaskMetrics":
        return TaskMetrics(self, connector, task)

    def find(self, place: tuple[str, int], name: str, made: Any, doc: str, tags: dict[str, Any]) -> Any:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ValueError(f"a metric cannot be called {name!r}: letters, digits and _ . - please")
        if len(tags) > _TAGS_MAX:
            raise ValueError(f"metric {name} has {len(tags)} tags; the limit is {_TAGS_MAX}")
        texts = tuple(sorted((tag, _clean(value)) for tag, value in tags.items()))
        with self._lock:
            found = self._series.get((place, name, texts))
            if found is not None:
                if type(found[1]) is not made:
                    raise ValueError(f"metric {name} is a {type(found[1]).__name__.lower()} already")
                return found[1]
            counts = made is Counter
            type_ = pb.METRIC_TYPE_COUNTER if counts else pb.METRIC_TYPE_GAUGE
            metric = made(self._lock, type_)
            if len(self._series) < _SERIES_MAX:
                every = (("connector", place[0]), ("task", str(place[1])), *texts)
                descriptor = pb.MetricDescriptor(
                    id=self._next_id,
                    name=name,
                    tags=[pb.MetricTag(name=tag, value=value) for tag, value in every],
                    type=type_,
                    documentation=_clean(doc),
                )
                self._series[(place, name, texts)] = (self._next_id, metric, descriptor)
                self._next_id += 1
                return metric
            told, self._is_full = self._is_full, True
        if not told:
            _log.warning("there are %d metrics already: %s and further ones are not sent", _SERIES_MAX, name)
        return metric

    def remove(self, place: tuple[str, int]) -> None:
        """The task has ended."""
        with self._lock:
            for at in [one for one in self._series if one[0] == place]:
                id_ = self._series.pop(at)[0]
                if id_ in self._described:
                    self._described.discard(id_)
                    self._removed.append(id_)

    def batch(self) -> pb.MetricBatch | None:
        """What has changed since the last batch; None = nothing."""
        with self._lock:
            batch = pb.MetricBatch(removed=self._removed)
            self._removed = []
            for id_, metric, descriptor in self._series.values():
                if id_ not in self._described:
                    self._described.add(id_)
                    batch.descriptors.append(descriptor)
                elif metric._sent == metric._value:
                    continue
                metric._sent = metric._value
                batch.values.append(pb.MetricValue(id=id_, value=metric._value))
        return batch if batch.values or batch.removed else None


class TaskMetrics:
    """One task's part of them."""

    def __init__(self, metrics: Metrics, connector: str, task: int) -> None:
        self._metrics = metrics
        self._place = (connector, task)

    def counter(self, name: str, doc: str, tags: dict[str, Any]) -> Counter:
        return self._metrics.find(self._place, name, Counter, doc, tags)

    def gauge(self, name: str, doc: str, tags: dict[str, Any]) -> Gauge:
        return self._metrics.find(self._place, name, Gauge, doc, tags)

    def close(self) -> None:
        self._metrics.remove(self._place)


def _clean(text: object) -> str:
    return str(text)[:1_000].encode("utf-8", "backslashreplace").decode()
