"""What all classes of a plugin have in common, and what sources and sinks have besides."""

from __future__ import annotations

import logging
import threading
from typing import Any, Awaitable, Callable, ClassVar, Mapping, Sequence

from .clock import REAL_CLOCK, Clock
from .metrics import Counter, Gauge, TaskMetrics

#: The kinds whose instances are tasks; all others are stages.
TASK_KINDS = ("source", "sink")

OffsetsReader = Callable[[Sequence[Mapping[str, Any]]], "list[dict[str, Any] | None]"]


class ConnectorContext:
    """What `task_configs` and `monitor` are given: one connector."""

    def __init__(
        self,
        connector: str,
        config: Any,
        texts: Mapping[str, str],
        read_offsets: OffsetsReader,
        reconfigure: Callable[[], None] = lambda: None,
        tasks_max: int = 0,
        previous: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.connector = connector
        self.config = config
        self.texts = texts
        """All keys as they were written, also those that were not declared."""
        self.tasks_max = tasks_max
        self.previous = previous
        """The task configs from before, in task order."""
        self.stopped = threading.Event()
        self._read_offsets = read_offsets
        self._reconfigure = reconfigure

    @property
    def stopping(self) -> bool:
        """The work shall end."""
        return self.stopped.is_set()

    def sleep(self, seconds: float) -> bool:
        """Waits; True = the work shall end."""
        return self.stopped.wait(seconds)

    def offset(self, source_partition: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was stored last for a source partition; None = nothing."""
        return self._read_offsets([source_partition])[0]

    def offsets(self, source_partitions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
        """The same for many at once, in the order asked."""
        return self._read_offsets(source_partitions)

    def request_task_reconfiguration(self) -> None:
        """Has `task_configs` asked again, because the source system has changed."""
        self._reconfigure()


class Check:
    """What `validate` is given."""

    def __init__(self, config: Any, texts: Mapping[str, str], live: bool, values: Mapping[str, Any]):
        self.config = config
        """The declared keys as attributes; None where a value could not be parsed."""
        self.texts = texts
        self.live = live
        """The external system may be asked."""
        self.stopped = threading.Event()
        self.warnings: list[str] = []
        self._values = values

    def error(self, key: str, message: str) -> None:
        """Reports what is wrong with the value of a key."""
        self._of(key).errors.append(message)

    def recommend(self, key: str, values: Sequence[str]) -> None:
        """Offers values for a key."""
        self._of(key).recommended_values.extend(values)

    def visible(self, key: str, visible: bool) -> None:
        """Shows or hides a key; all are shown unless said."""
        self._of(key).visible = visible

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def _of(self, key: str) -> Any:
        found = self._values.get(key)
        if found is None:
            raise KeyError(f"key {key} is not declared; these are: {', '.join(self._values)}")
        return found


class PluginClass:
    """A class of a plugin, of whatever kind. One instance of it is one task or one open stage.

    Functions may be plain or `async`. Plain ones run in a thread of the instance's own, so they may
    block: look at `stopping`, or wait with `sleep`. Async ones are cancelled when the work shall end.
    """

    kind: ClassVar[str] = ""
    class_name: ClassVar[str] = ""
    """The full name that configs use as `connector.class`."""
    config_class: ClassVar[type | None] = None
    """A dataclass with the keys."""
    version: ClassVar[str | None] = None
    """The plugin's unless said."""
    aliases: ClassVar[Sequence[str]] = ()
    documentation_url: ClassVar[str] = ""

    # Set before `start`.
    connector: str = ""
    task: int = 0
    config: Any = None
    texts: Mapping[str, str] = {}
    stopped: threading.Event
    log: logging.Logger
    _clock: Clock = REAL_CLOCK

    @property
    def stopping(self) -> bool:
        """The work shall end: stop what you are waiting for."""
        return self.stopped.is_set()

    def sleep(self, seconds: float) -> bool:
        """Waits, in plain functions; True = the work shall end."""
        return self._clock.wait(self.stopped, seconds)

    def start(self) -> "None | Awaitable[None]":
        """Opens what the instance needs."""

    def stop(self) -> "None | Awaitable[None]":
        """Closes what `start` opened; runs last, also after a failure."""

    @classmethod
    def validate(cls, check: Check) -> Any:
        """Checks beyond what the declared keys say."""

    @classmethod
    def overrides(cls, name: str) -> bool:
        """Whether the class has a function of its own with this name."""
        for base in cls.__mro__:
            if name in base.__dict__:
                return not base.__module__.startswith(__name__.rpartition(".")[0] + ".")
        return False

    @classmethod
    def task_class_name(cls) -> str:
        name = cls.class_name
        return name[: -len("Connector")] + "Task" if name.endswith("Connector") else name


class Connector(PluginClass):
    """A class of connector: a source or a sink. Keep a task's state in attributes of `self`."""

    task_class: ClassVar[str | None] = None
    """The name that task configs show; the class with `Task` for `Connector` unless said."""

    _metrics: TaskMetrics

    def counter(self, name: str, doc: str = "", **tags: Any) -> Counter:
        """A metric that grows: `self.counter("bytes.read").add(n)`. The same name gives the same one."""
        return self._metrics.counter(name, doc, tags)

    def gauge(self, name: str, doc: str = "", **tags: Any) -> Gauge:
        """A metric that goes up and down: `self.gauge("queue").set(n)`."""
        return self._metrics.gauge(name, doc, tags)

    @classmethod
    def task_configs(cls, connector: ConnectorContext) -> Any:
        """Splits the work: the texts of each task's config, at most `connector.tasks_max` of them.

        Keys that it leaves out have the connector's value.
        """

    @classmethod
    def monitor(cls, connector: ConnectorContext) -> Any:
        """Runs beside the tasks, once for the connector, until `connector.stopping`."""

    @classmethod
    def task_class_name(cls) -> str:
        if cls.task_class is not None:
            return cls.task_class
        return super().task_class_name()
