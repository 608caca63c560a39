"""Schemas as JsonConverter writes them, and back."""

from __future__ import annotations

import json
from typing import Any, Mapping
from weakref import WeakKeyDictionary

from .canonical_json import json_writer, write_json, write_string
from .errors import DataError
from .schema import Schema
from .value_reader import value_reader

_TYPES = frozenset("int8 int16 int32 int64 float double boolean string bytes array map struct".split())
_texts: "WeakKeyDictionary[Schema, str]" = WeakKeyDictionary()


def schema_text(schema: Schema) -> str:
    """The schema exactly as JsonConverter writes it; made once per schema."""
    text = _texts.get(schema)
    if text is None:
        text = _texts[schema] = _write(schema, None)
    return text


def _write(schema: Schema, field: str | None) -> str:
    members = [f'"type":"{schema.type}"']
    if schema.type == "struct":
        members.append('"fields":[' + ",".join(_write(of, name) for name, of in schema.fields) + "]")
    elif schema.type == "array":
        members.append(f'"items":{_part(schema.items)}')
    elif schema.type == "map":
        members.append(f'"keys":{_part(schema.keys)},"values":{_part(schema.values)}')
    members.append(f'"optional":{"true" if schema.optional else "false"}')
    if schema.name is not None:
        members.append(f'"name":{write_string(schema.name)}')
    if schema.version is not None:
        members.append(f'"version":{schema.version}')
    if schema.doc is not None:
        members.append(f'"doc":{write_string(schema.doc)}')
    if schema.parameters is not None:
        members.append(f'"parameters":{write_json(dict(schema.parameters))}')
    if schema.default is not None:
        members.append(f'"default":{json_writer(schema)(schema.default)}')
    if field is not None:
        members.append(f'"field":{write_string(field)}')
    return "{" + ",".join(members) + "}"


def _part(schema: Schema | None) -> str:
    return "null" if schema is None else _write(schema, None)


def parse_schema(text: str) -> Schema:
    """A schema from its text. Raises DataError."""
    try:
        return _from_tree(json.loads(text))
    except ValueError as error:
        raise DataError("a schema is not JSON") from error


def _from_tree(tree: Any) -> Schema:
    if not isinstance(tree, Mapping):
        raise DataError("a schema is a JSON object")
    kind = tree.get("type")
    if kind not in _TYPES:
        raise DataError(f"Unknown schema type: {kind}")
    parameters = tree.get("parameters")
    schema = Schema(
        kind,
        optional=tree.get("optional") is True,
        name=tree.get("name"),
        version=tree.get("version"),
        doc=tree.get("doc"),
        parameters=None if parameters is None else {k: str(v) for k, v in parameters.items()},
        fields=tuple((str(one.get("field")), _from_tree(one)) for one in tree.get("fields") or ()),
        items=_from_part(tree.get("items")),
        keys=_from_part(tree.get("keys")),
        values=_from_part(tree.get("values")),
    )
    given = tree.get("default")
    if given is not None:
        # Frozen for everyone else: its own reader has to exist first.
        object.__setattr__(schema, "default", value_reader(schema)(given))
    return schema


def _from_part(tree: Any) -> Schema | None:
    return None if tree is None else _from_tree(tree)
