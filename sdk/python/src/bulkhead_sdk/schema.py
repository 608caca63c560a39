"""Kafka Connect schemas: `schema.struct({"id": schema.int64(), "name": schema.string(optional=True)})`.

Make a schema once and use it for all records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

_LOGICAL = "org.apache.kafka.connect.data."
DATE = _LOGICAL + "Date"
TIME = _LOGICAL + "Time"
TIMESTAMP = _LOGICAL + "Timestamp"
DECIMAL = _LOGICAL + "Decimal"


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema; two are the same when they are the same object. Without `optional` a value is required."""

    type: str
    optional: bool = False
    name: str | None = None
    version: int | None = None
    doc: str | None = None
    parameters: Mapping[str, str] | None = None
    default: Any = None
    """None = no default."""
    fields: tuple[tuple[str, "Schema"], ...] = ()
    """Of a struct, in order."""
    items: "Schema | None" = None
    """Of an array. A schema read from Kafka may lack it."""
    keys: "Schema | None" = None
    values: "Schema | None" = None
    """Of a map."""


def int8(**options: Any) -> Schema:
    return Schema("int8", **options)


def int16(**options: Any) -> Schema:
    return Schema("int16", **options)


def int32(**options: Any) -> Schema:
    return Schema("int32", **options)


def int64(**options: Any) -> Schema:
    return Schema("int64", **options)


def float32(**options: Any) -> Schema:
    return Schema("float", **options)


def float64(**options: Any) -> Schema:
    return Schema("double", **options)


def boolean(**options: Any) -> Schema:
    return Schema("boolean", **options)


def string(**options: Any) -> Schema:
    return Schema("string", **options)


def bytes_(**options: Any) -> Schema:
    return Schema("bytes", **options)


def array(items: Schema, **options: Any) -> Schema:
    return Schema("array", items=items, **options)


def map_(keys: Schema, values: Schema, **options: Any) -> Schema:
    return Schema("map", keys=keys, values=values, **options)


def struct(fields: Mapping[str, Schema], **options: Any) -> Schema:
    return Schema("struct", fields=tuple(fields.items()), **options)


def date(**options: Any) -> Schema:
    """`datetime.date`."""
    return Schema("int32", name=DATE, version=1, **options)


def time(**options: Any) -> Schema:
    """`datetime.time`, to the millisecond."""
    return Schema("int32", name=TIME, version=1, **options)


def timestamp(**options: Any) -> Schema:
    """`datetime.datetime` with a time zone, to the millisecond."""
    return Schema("int64", name=TIMESTAMP, version=1, **options)


def decimal(scale: int, **options: Any) -> Schema:
    """`decimal.Decimal` with `scale` digits behind the point."""
    return Schema("bytes", name=DECIMAL, version=1, parameters={"scale": str(scale)}, **options)
