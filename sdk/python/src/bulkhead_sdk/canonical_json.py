"""JSON texts exactly as Kafka Connect's JsonConverter writes a payload: the contract's "canonical" text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Callable, Mapping
from weakref import WeakKeyDictionary

from .errors import DataError
from .java_number import as_single, java_double, java_float
from .schema import DATE, DECIMAL, TIME, TIMESTAMP, Schema

_DEPTH_MAX = 200
_INT64_MAX = (1 << 63) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)


def _refuse(value: Any) -> Any:
    raise TypeError(f"a {type(value).__name__} has to be written by hand")


# What Jackson escapes; surrogates too, which here are astral characters and lone ones.
_SPECIALS = re.compile('[\x00-\x1f"\\\\\ud800-\udfff\U00010000-\U0010ffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Strings and integers only come out of it as Jackson writes them; anything else is written below.
_encode_fast: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
if json.encoder.c_make_encoder is not None:
    # What `encode` makes anew for every value.
    _encoder = json.encoder.c_make_encoder(
        None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False
    )

    def _encode_fast(value: Any) -> str:
        return "".join(_encoder(value, 0))

_LONG_DIGITS = re.compile(r"\d{19}")

Writer = Callable[[Any], str]
_heads: dict[str, str] = {}
_HEADS_MAX = 1_000


def write_string(text: str) -> str:
    """A quoted string with Jackson's escapes."""
    return f'"{_SPECIALS.sub(_escape, text)}"'


def _escape(match: "re.Match[str]") -> str:
    character = match.group()
    short = _SHORT.get(character)
    if short is not None:
        return short
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def write_json(value: Any) -> str:
    """A value without a schema: int is int64, float is float64. Raises DataError."""
    kind = type(value)
    if kind is dict or kind is list:
        if kind is dict and len(value) == 1:
            # Most offsets: one name with a number.
            for name, number in value.items():
                if type(number) is int and type(name) is str and -_INT64_MAX <= number <= _INT64_MAX:
                    head = _heads.get(name)
                    return f"{_head(name) if head is None else head}{number}}}"
        try:
            text = _encode_fast(value)
        except (TypeError, ValueError, RecursionError):
            return _write(value, 0)
        # A float has a point or an exponent; what is not plain ASCII, a \\u; 19 digits may be too many.
        if "." not in text and "\\u" not in text and "e+" not in text and "e-" not in text:
            if len(text) < 19 or _LONG_DIGITS.search(text) is None:
                return text
    return _write(value, 0)


def _head(name: str) -> str:
    head = "{" + write_string(name) + ":"
    if len(_heads) < _HEADS_MAX and len(name) < 100:
        _heads[name] = head
    return head


def _write(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is str:
        return write_string(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        if not -_INT64_MAX - 1 <= value <= _INT64_MAX:
            raise DataError(f"{value} is too large for an integer without schema")
        return str(value)
    if kind is float:
        return _write_double(value)
    if value is None:
        return "null"
    if depth > _DEPTH_MAX:
        raise DataError(f"the value is nested deeper than {_DEPTH_MAX}")
    if isinstance(value, Mapping):
        members = (f"{write_string(str(k))}:{_write(v, depth + 1)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_write(one, depth + 1) for one in value) + "]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f'"{b64encode(value).decode()}"'
    for base in (str, bool, int, float):
        if isinstance(value, base):
            return _write(base(value), depth)
    if isinstance(value, (date, time, Decimal)):
        raise DataError(f"a {kind.__name__} needs a schema")
    raise DataError(f"a {kind.__name__} cannot be written as JSON")


def _write_double(value: float) -> str:
    text = java_double(value)
    return text if text[-1] not in "Ny" else f'"{text}"'


_writers: "WeakKeyDictionary[Schema, Writer]" = WeakKeyDictionary()


def json_writer(schema: Schema) -> Writer:
    """The writer for values of this schema; made once per schema. It raises DataError for a misfit."""
    writer = _writers.get(schema)
    if writer is None:
        writer = _writers[schema] = _compile(schema, "value")
    return writer


def _compile(schema: Schema, path: str) -> Writer:
    write = _compile_required(schema, path)
    # A null stays null where the schema has a default: the host puts the default in its place.
    nullable = schema.optional or schema.default is not None
    kind = schema.type.upper()

    def writer(value: Any) -> str:
        if value is not None:
            return write(value)
        if nullable:
            return "null"
        raise DataError(f'Invalid value: null used for required field: "{path}", schema type: {kind}')

    return writer


_RANGES = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}


def _compile_required(schema: Schema, path: str) -> Writer:
    kind = schema.type
    if kind in _RANGES:
        logical = {DATE: _days, TIME: _day_ms, TIMESTAMP: _epoch_ms}.get(schema.name or "")
        return _integer_writer(schema, path, logical)
    if kind == "string":
        return lambda value: write_string(value) if isinstance(value, str) else _misfit(value, schema, path)
    if kind == "boolean":
        return lambda value: ("true" if value else "false") if isinstance(value, bool) else _misfit(value, schema, path)
    if kind in ("float", "double"):
        return _float_writer(schema, path)
    if kind == "bytes":
        return _decimal_writer(schema, path) if schema.name == DECIMAL else _bytes_writer(schema, path)
    if kind == "array":
        return _array_writer(schema, path)
    if kind == "map":
        return _map_writer(schema, path)
    if kind == "struct":
        return _struct_writer(schema, path)
    raise DataError(f"Unknown schema type: {kind}")


def _integer_writer(schema: Schema, path: str, logical: Callable[[Any], int | None] | None) -> Writer:
    limit = 1 << _RANGES[schema.type]

    def write(value: Any) -> str:
        number = logical(value) if logical is not None else value
        if type(number) is bool or not isinstance(number, int) or not -limit <= number < limit:
            return _misfit(value, schema, path)
        return str(int(number))

    return write


def _days(value: Any) -> int | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.toordinal() - _EPOCH_DAY
    return None


def _day_ms(value: Any) -> int | None:
    if not isinstance(value, time):
        return None
    return (value.hour * 3600 + value.minute * 60 + value.second) * 1000 + value.microsecond // 1000


def _epoch_ms(value: Any) -> int | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return (value - _EPOCH) // _MILLISECOND


def _float_writer(schema: Schema, path: str) -> Writer:
    def write(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return _misfit(value, schema, path)
        try:
            number = float(value)
        except OverflowError:
            return _misfit(value, schema, path)
        if schema.type == "double":
            return _write_double(number)
        text = java_float(number)
        return text if text[-1] not in "Ny" else f'"{java_double(as_single(number))}"'

    return write


def _bytes_writer(schema: Schema, path: str) -> Writer:
    def write(value: Any) -> str:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            return _misfit(value, schema, path)
        return f'"{b64encode(value).decode()}"'

    return write


def _decimal_writer(schema: Schema, path: str) -> Writer:
    scale = int((schema.parameters or {}).get("scale", "0"))

    def write(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = Decimal(value)
        if not isinstance(value, Decimal) or not value.is_finite():
            return _misfit(value, schema, path)
        sign, digits, exponent = value.as_tuple()
        shift = int(exponent) + scale
        if shift < 0:
            return _misfit(value, schema, path)
        number = int("".join(map(str, digits))) * 10**shift
        return f'"{b64encode(integer_bytes(-number if sign else number)).decode()}"'

    return write


def integer_bytes(number: int) -> bytes:
    """Big-endian two's complement in the fewest bytes, as Java's BigInteger writes it."""
    length = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    return number.to_bytes(length, "big", signed=True)


def _array_writer(schema: Schema, path: str) -> Writer:
    item = _compile(schema.items, f"{path}[]") if schema.items else lambda one: _write(one, 0)

    def write(value: Any) -> str:
        if not isinstance(value, (list, tuple)):
            return _misfit(value, schema, path)
        return "[" + ",".join(map(item, value)) + "]"

    return write


def _map_writer(schema: Schema, path: str) -> Writer:
    key = _compile(schema.keys, f"{path} key") if schema.keys else lambda one: _write(one, 0)
    item = _compile(schema.values, f"{path} value") if schema.values else lambda one: _write(one, 0)
    as_object = schema.keys is not None and schema.keys.type == "string" and not schema.keys.optional

    def write(value: Any) -> str:
        if not isinstance(value, Mapping):
            return _misfit(value, schema, path)
        if as_object:
            return "{" + ",".join(f"{key(k)}:{item(v)}" for k, v in value.items()) + "}"
        return "[" + ",".join(f"[{key(k)},{item(v)}]" for k, v in value.items()) + "]"

    return write


def _struct_writer(schema: Schema, path: str) -> Writer:
    parts = [
        (name, write_string(name) + ":", _compile(of, name if path == "value" else f"{path}.{name}"))
        for name, of in schema.fields
    ]

    def write(value: Any) -> str:
        if not isinstance(value, Mapping):
            return _misfit(value, schema, path)
        get = value.get
        return "{" + ",".join([head + write_field(get(name)) for name, head, write_field in parts]) + "}"

    return write


def _misfit(value: Any, schema: Schema, path: str) -> str:
    kind = schema.type if schema.name is None else f"{schema.type} ({schema.name})"
    shown = str(value) if isinstance(value, (str, int, float)) else ""
    shown = shown[:100] + ("…" if len(shown) > 100 else "")
    said = f"{shown} ({type(value).__name__})" if shown else f"a {type(value).__name__}"
    raise DataError(f'{said} cannot be written at "{path}" as {kind}')
