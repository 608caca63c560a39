"""From JSON under a schema to the values that a sink sees."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Callable
from weakref import WeakKeyDictionary

from .errors import DataError
from .schema import DATE, DECIMAL, TIME, TIMESTAMP, Schema

Reader = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_readers: "WeakKeyDictionary[Schema, Reader]" = WeakKeyDictionary()


def read_value(text: str, schema: Schema | None) -> Any:
    """A JSON text as data; without a schema as JSON has it. Raises DataError."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("a value is not JSON") from error
    if schema is None:
        return tree
    try:
        return value_reader(schema)(tree)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise DataError(f"a value does not fit its schema of type {schema.type}") from error


def value_reader(schema: Schema) -> Reader:
    """The reader for parsed JSON of this schema; made once per schema."""
    reader = _readers.get(schema)
    if reader is None:
        required = _compile(schema)
        reader = _readers[schema] = lambda tree: None if tree is None else required(tree)
    return reader


def _compile(schema: Schema) -> Reader:
    kind, name = schema.type, schema.name
    if kind == "struct":
        fields = [(field, value_reader(of)) for field, of in schema.fields]
        return lambda tree: {field: read(tree.get(field)) for field, read in fields}
    if kind == "array":
        item = _part(schema.items)
        return lambda tree: [item(one) for one in tree]
    if kind == "map":
        return _map_reader(_part(schema.keys), _part(schema.values))
    if kind == "bytes":
        if name != DECIMAL:
            return b64decode
        scale = int((schema.parameters or {}).get("scale", "0"))
        return lambda tree: _decimal(int.from_bytes(b64decode(tree), "big", signed=True), scale)
    if kind in ("float", "double"):
        return float
    if name == DATE:
        return lambda tree: date.fromordinal(int(tree) + _EPOCH_DAY)
    if name == TIME:
        return lambda tree: (_EPOCH + timedelta(milliseconds=int(tree))).time()
    if name == TIMESTAMP:
        return lambda tree: _EPOCH + timedelta(milliseconds=int(tree))
    return lambda tree: tree


def _decimal(unscaled: int, scale: int) -> Decimal:
    digits = tuple(map(int, str(abs(unscaled))))
    return Decimal((1 if unscaled < 0 else 0, digits, -scale))


def _part(schema: Schema | None) -> Reader:
    return (lambda tree: tree) if schema is None else value_reader(schema)


def _map_reader(key: Reader, item: Reader) -> Reader:
    def read(tree: Any) -> dict[Any, Any]:
        if isinstance(tree, list):
            return {key(name): item(value) for name, value in tree}
        return {name: item(value) for name, value in tree.items()}

    return read
