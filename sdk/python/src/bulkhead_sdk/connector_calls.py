"""Serves the connector calls of a session: everything but tasks."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, Callable, Mapping, Sequence

from bulkhead.plugin.v1 import config_pb2, connector_pb2, session_pb2

from .config import keys_of
from .config_parse import ParsedKey, make_config, parse_config, parse_keys
from .connector import TASK_KINDS, Check, Connector, ConnectorContext, PluginClass
from .description import Plugin, describe_class
from .errors import ConfigError, UnsupportedError
from .failure import clean, to_failure
from .host_calls import HostCalls
from .log import subject
from .user_code import Cancelled, UserCode


class _Instance:
    """A Connector instance: a class with its config, and the monitor that runs beside the tasks."""

    def __init__(self, found: type[Connector], texts: Mapping[str, str]) -> None:
        self.found = found
        self.texts = texts
        self.user = UserCode()
        self.context: ConnectorContext | None = None
        self.monitor: threading.Thread | None = None

    def cancel(self) -> None:
        if self.context is not None:
            self.context.stopped.set()
        self.user.cancel()


class ConnectorCalls:
    def __init__(
        self, plugin: Plugin, calls: HostCalls, send_event: Callable[[session_pb2.Event], None]
    ) -> None:
        self._plugin = plugin
        self._calls = calls
        self._send_event = send_event
        self._instances: dict[str, _Instance] = {}

    def serve(self, request: session_pb2.Request, call: "Call") -> dict[str, Any]:
        """The reply's kind. Raises whatever its failure shall say."""
        kind = request.WhichOneof("kind")
        asked = getattr(request, kind) if kind else None
        connector = request.connector
        if kind == "describe":
            name = asked.class_name
            classes = [one for one in self._plugin.classes if name in ("", one.class_name)]
            described = [describe_class(self._plugin, one) for one in classes]
            return {kind: config_pb2.DescribeResult(classes=described)}
        if kind == "validate":
            return {kind: self._validate(find_class(self._plugin, asked), asked, call)}
        if kind == "start_connector":
            self._start(connector, find_connector(self._plugin, asked), dict(asked.config))
            return {kind: connector_pb2.StartConnectorResult()}
        if kind == "stop_connector":
            self._stop(connector)
            return {kind: connector_pb2.StopConnectorResult()}
        if kind == "task_configs":
            return {kind: self._task_configs(connector, asked, call)}
        if kind == "alter_offsets":
            # The host keeps the offsets.
            answer = connector_pb2.ALTER_OFFSETS_ANSWER_NOT_DONE
            return {kind: connector_pb2.AlterOffsetsResult(answer=answer)}
        if kind == "exactly_once_support":
            said = getattr(find_class(self._plugin, asked), "exactly_once", None)
            return {kind: connector_pb2.ExactlyOnceSupportResult(support=_support(said))}
        if kind == "can_define_transaction_boundaries":
            support = connector_pb2.SUPPORT_UNSUPPORTED
            return {kind: connector_pb2.CanDefineTransactionBoundariesResult(support=support)}
        raise UnsupportedError(f"this plugin does not serve {kind or 'an unknown request'}")

    def abandon(self) -> None:
        for instance in list(self._instances.values()):
            instance.cancel()

    def _start(self, connector: str, found: type[Connector], texts: Mapping[str, str]) -> None:
        self._stop(connector)
        instance = _Instance(found, texts)
        context = instance.context = self._context(connector, instance)
        self._instances[connector] = instance
        if found.overrides("monitor"):
            watch = threading.Thread(
                target=self._monitor, args=(instance, context), daemon=True, name="monitor"
            )
            instance.monitor = watch
            watch.start()

    def _stop(self, connector: str) -> None:
        instance = self._instances.pop(connector, None)
        if instance is None:
            return
        instance.cancel()
        if instance.monitor is not None:
            instance.monitor.join()
        instance.user.close()

    def _monitor(self, instance: _Instance, context: ConnectorContext) -> None:
        subject.set((context.connector, None))
        try:
            instance.user.call(instance.found.monitor, context)
        except BaseException as error:
            if not context.stopping:
                raised = session_pb2.RaiseError(failure=to_failure(error))
                self._send_event(session_pb2.Event(connector=context.connector, raise_error=raised))

    def _context(
        self, connector: str, instance: _Instance, **more: Any
    ) -> ConnectorContext:
        def reconfigure() -> None:
            asked = session_pb2.RequestTaskReconfiguration()
            event = session_pb2.Event(connector=connector, request_task_reconfiguration=asked)
            self._send_event(event)

        return ConnectorContext(
            connector,
            parse_config(instance.found.config_class, instance.texts),
            instance.texts,
            lambda partitions: self._calls.offsets(connector, None, partitions),
            reconfigure,
            **more,
        )

    def _task_configs(self, connector: str, asked: Any, call: "Call") -> Any:
        instance = self._instances.get(connector)
        if instance is None:
            raise RuntimeError(f"cannot make task configs: connector {connector} does not run here")
        found = instance.found
        made: Sequence[Mapping[str, Any]] | None = None
        if found.overrides("task_configs"):
            previous = [dict(one.config) for one in asked.previous]
            context = self._context(
                connector, instance, tasks_max=asked.tasks_max, previous=previous
            )
            call.stopped = context.stopped
            made = call.user.call(found.task_configs, context)
            made = _checked_configs(found, made)
        if made is None:
            # A source that does not say how to split its work has one task; a sink as many as allowed.
            made = [instance.texts] * (1 if found.kind == "source" else asked.tasks_max)
        configs = [
            connector_pb2.TaskConfig(config={key: str(value) for key, value in one.items()})
            for one in made
        ]
        return connector_pb2.TaskConfigsResult(
            task_class=found.task_class_name(), configs=configs
        )

    def _validate(self, found: type[PluginClass], asked: Any, call: "Call") -> Any:
        texts = dict(asked.config)
        keys = keys_of(found.config_class)
        parsed = parse_keys(keys, texts)
        values = {
            one.key.name: SimpleNamespace(
                errors=one.errors, recommended_values=[], visible=True, text=one.text
            )
            for one in parsed
        }
        groups = list(dict.fromkeys(key.group for key in keys if key.group is not None))
        config = SimpleNamespace(**{one.key.field: one.value for one in parsed})
        live = asked.mode == config_pb2.VALIDATE_MODE_LIVE
        check = Check(config, texts, live, values)
        call.stopped = check.stopped
        broken = None
        try:
            if not any(one.errors for one in parsed):
                _check_whole(found, parsed, texts, values, call)
            if found.overrides("validate"):
                call.user.call(found.validate, check)
        except Cancelled:
            raise
        except BaseException as error:
            broken = to_failure(error)
        return config_pb2.ValidateResult(
            values=[
                config_pb2.ConfigValue(
                    name=name,
                    value=one.text,
                    errors=map(clean, one.errors),
                    recommended_values=map(clean, one.recommended_values),
                    visible=one.visible,
                )
                for name, one in values.items()
            ],
            groups=groups,
            warnings=map(clean, check.warnings),
            failure=broken,
        )


def _check_whole(
    found: type[Connector],
    parsed: Sequence[ParsedKey],
    texts: Mapping[str, str],
    values: Mapping[str, Any],
    call: "Call",
) -> None:
    """What the config class says itself: told here, not only when a task starts."""
    try:
        call.user.call(make_config, found.config_class, parsed, texts)
    except ConfigError as error:
        if any(key not in values for key, _ in error.problems) or not error.problems:
            raise
        for key, message in error.problems:
            values[key].errors.append(message)


class Call:
    """The user code of one request, so that it can be cancelled."""

    def __init__(self) -> None:
        self.user = UserCode()
        self.stopped: threading.Event | None = None

    def cancel(self) -> None:
        if self.stopped is not None:
            self.stopped.set()
        self.user.cancel()


def _checked_configs(found: type[Connector], made: Any) -> Any:
    if not isinstance(made, (list, tuple)):
        if made is None:
            return None
        raise TypeError(
            f"task_configs of {found.class_name} returned a {type(made).__name__}; it returns a list of dicts"
        )
    for one in made:
        if not isinstance(one, Mapping):
            raise TypeError(
                f"task_configs of {found.class_name} returned a list with a {type(one).__name__}; "
                "each is a dict of texts"
            )
    return made


def find_class(plugin: Plugin, asked: Any) -> type[PluginClass]:
    """Raises ConfigError that lists the classes there are."""
    name = asked.class_name
    for one in plugin.classes:
        if one.class_name == name:
            return one
    known = ", ".join(one.class_name for one in plugin.classes)
    raise ConfigError(f"plugin {plugin.name} has no class {name}; it has {known}")


def find_connector(plugin: Plugin, asked: Any) -> type[Connector]:
    """Raises ConfigError when there is none, or it is a stage."""
    found = find_class(plugin, asked)
    if found.kind in TASK_KINDS:
        return found  # type: ignore[return-value]
    raise ConfigError(f"class {found.class_name} is a {found.kind}, not a source or sink")


def find_stage(plugin: Plugin, asked: Any) -> type[PluginClass]:
    """Raises ConfigError when there is none, or it is a source or sink."""
    found = find_class(plugin, asked)
    if found.kind not in TASK_KINDS:
        return found
    raise ConfigError(
        f"class {found.class_name} is a {found.kind}, not a transform, predicate or converter"
    )


def _support(said: bool | None) -> Any:
    if said is None:
        return connector_pb2.SUPPORT_NOT_SAID
    return connector_pb2.SUPPORT_SUPPORTED if said else connector_pb2.SUPPORT_UNSUPPORTED
