"""Transforms, predicates and converters: classes to derive from, and decorators for single functions."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, ClassVar, NamedTuple

from .connector import PluginClass
from .schema import Schema
from .stage_record import DROP, StageRecord

__all__ = [
    "DROP",
    "ConnectData",
    "Converted",
    "Converter",
    "HeaderConverter",
    "KafkaData",
    "KafkaHeader",
    "Predicate",
    "Stage",
    "StageRecord",
    "Transform",
    "predicate",
    "transform",
]


class KafkaHeader(NamedTuple):
    """A header as it stands in Kafka."""

    name: str
    value: bytes | None


class ConnectData(NamedTuple):
    """Data for Kafka; what it was made from says what it is."""

    topic: str
    value: Any
    schema: Schema | None
    headers: "list[KafkaHeader | tuple[str, bytes | str | None]]"
    """Beside a key or value: what is added or taken away goes with the record."""
    name: str = ""
    """Of the header that is converted."""


class KafkaData(NamedTuple):
    """Bytes from Kafka."""

    topic: str
    value: bytes | None
    headers: "list[KafkaHeader | tuple[str, bytes | str | None]]"
    """Beside a key or value, as ConnectData's."""
    name: str = ""


class Converted(NamedTuple):
    """What a converter makes of bytes; without schema the value is sent as a source's would be."""

    value: Any
    schema: Schema | None = None


class Stage(PluginClass):
    """What all stages have in common. One instance is one open stage; its functions run one after the other.

    What is raised for a record fails that record only: the connector's error policy decides what
    becomes of it. After a RetriableError the host may try it again.
    """

    alias: str = ""
    """Its name in the connector's config; empty for a converter."""
    is_key: bool = False
    """A converter that is the key's."""
    words: ClassVar[tuple[str, ...]] = ()
    """The functions that it has to have."""


class Transform(Stage):
    """Changes records: derive, name it by `class_name`, and write `apply`."""

    kind: ClassVar[str] = "transformation"
    words = ("apply",)

    def apply(self, record: StageRecord) -> Any:
        """The record as it is, `record.replace` what is to be different, or DROP."""
        raise NotImplementedError(f"{type(self).__name__} has no apply()")


class Predicate(Stage):
    """Tells whether something holds for a record: derive, and write `test`."""

    kind: ClassVar[str] = "predicate"
    words = ("test",)

    def test(self, record: StageRecord) -> Any:
        """True or False."""
        raise NotImplementedError(f"{type(self).__name__} has no test()")


class Converter(Stage):
    """Between data and Kafka's bytes for keys and values: derive, and write both functions."""

    kind: ClassVar[str] = "converter"
    words = ("from_connect", "to_connect")

    def from_connect(self, data: ConnectData) -> Any:
        """Kafka's bytes; a str as UTF-8, None is null."""
        raise NotImplementedError(f"{type(self).__name__} has no from_connect()")

    def to_connect(self, data: KafkaData) -> Any:
        """What the bytes say: Converted(value, schema)."""
        raise NotImplementedError(f"{type(self).__name__} has no to_connect()")


class HeaderConverter(Converter):
    """The same for headers, one after the other: `data.name` is the header's."""

    kind: ClassVar[str] = "header_converter"


def transform(
    class_name: str, config: type | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], type[Transform]]:
    """Makes a transform of a function of a record: `@transform("example.Upper")` above `def upper(record)`.

    With a second parameter it is given the stage too.
    """
    return lambda apply: _made(apply, Transform, "apply", class_name, config, attributes)


def predicate(
    class_name: str, config: type | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], type[Predicate]]:
    """Makes a predicate of a function of a record, as `transform` does."""
    return lambda test: _made(test, Predicate, "test", class_name, config, attributes)


def _made(
    function: Callable[..., Any],
    base: Any,
    word: str,
    class_name: str,
    config: type | None,
    attributes: dict[str, Any],
) -> Any:
    if len(inspect.signature(function).parameters) > 1:
        wrapped = lambda stage, record: function(record, stage)  # noqa: E731
    else:
        wrapped = lambda stage, record: function(record)  # noqa: E731
    members = {
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "class_name": class_name,
        "config_class": config,
        word: functools.wraps(function)(wrapped),
        **attributes,
    }
    return type(function.__name__, (base,), members)
