"""Ids for topics, header names, forms and source partitions of one stream and direction."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from bulkhead.plugin.v1 import record_pb2, source_pb2

from .canonical_json import json_writer, write_json
from .errors import DataError
from .schema import DECIMAL, Schema
from .schema_text import parse_schema, schema_text

BYTES, TEXT, JSON = (
    record_pb2.ENCODING_BYTES,
    record_pb2.ENCODING_TEXT,
    record_pb2.ENCODING_JSON,
)
_ID_MAX = 65_535
_SAME_MAX = 1_000
# The contract allows 32 MiB of live definitions; half of it leaves room for what one record adds.
_LIVE_BYTES_MAX = 16 * 1024 * 1024


class OutForm:
    """How values of one schema are sent."""

    __slots__ = ("id", "encoding", "write")

    def __init__(self, id: int, encoding: int, write: Callable[[Any], str]) -> None:
        self.id = id
        self.encoding = encoding
        self.write = write


class OutDefinitions:
    """Ids of what is sent. A definition goes to `send` when its id is made: before its first batch."""

    def __init__(
        self, send: Callable[[bytes], None], message: type[Any] = source_pb2.SourceTaskMessage
    ) -> None:
        self._send = send
        self._message = message
        self._clear()

    def _clear(self) -> None:
        self._topics: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._partitions: dict[str, int] = {}
        self._forms: dict[tuple[int, str | None], OutForm] = {}
        self._by_schema: dict[Schema, OutForm] = {}
        self._same: dict[InForm, int] = {}
        self._live_bytes = 0
        self.full = False
        """What one more record might define no longer fits: send the batch, then `forget`."""

    def forget(self) -> None:
        """Numbering begins again at 1."""
        self._clear()
        self._define(forget=record_pb2.Forget())

    def topic(self, topic: str) -> int:
        found = self._topics.get(topic)
        if found is not None:
            return found
        if not isinstance(topic, str) or topic == "":
            raise DataError(f"a record has the topic {topic!r}: it has to be a text that is not empty")
        self._grow("topic name", topic, 249)
        made = self._topics[topic] = len(self._topics) + 1
        self._define(topic=record_pb2.TopicDef(id=made, topic=topic))
        return made

    def name(self, name: str) -> int:
        found = self._names.get(name)
        if found is not None:
            return found
        self._grow("header name", str(name), 32 * 1024)
        made = self._names[name] = len(self._names) + 1
        self._define(name=record_pb2.NameDef(id=made, name=name))
        return made

    def partition(self, partition: Mapping[str, Any] | None) -> tuple[int, str]:
        """The id and the text."""
        text = write_json(partition)
        found = self._partitions.get(text)
        if found is not None:
            return found, text
        self._grow("source partition", text, 64 * 1024)
        made = self._partitions[text] = len(self._partitions) + 1
        self._define(partition=record_pb2.PartitionDef(id=made, partition=text))
        return made, text

    def plain(self, encoding: int) -> OutForm:
        """The form for values without schema."""
        found = self._forms.get((encoding, None))
        return found if found is not None else self._form(encoding, None, write_json)

    def typed(self, schema: Schema) -> OutForm:
        """The form for values of a schema."""
        found = self._by_schema.get(schema)
        if found is None:
            plain_bytes = schema.type == "bytes" and schema.name != DECIMAL
            encoding = TEXT if schema.type == "string" else BYTES if plain_bytes else JSON
            found = self._by_schema[schema] = self._of_text(encoding, schema)
        return found

    def typed_json(self, schema: Schema) -> OutForm:
        """The same as JSON, for a text with lone surrogates."""
        return self._of_text(JSON, schema)

    def same(self, form: "InForm") -> int:
        """The id for what goes on in the form that it came in."""
        found = self._same.get(form)
        if found is None:
            if len(self._same) >= _SAME_MAX:
                # The forms of batches that are long gone.
                self._same.clear()
            schema = form.schema
            made = self.plain(form.encoding) if schema is None else self._of_text(form.encoding, schema)
            found = self._same[form] = made.id
        return found

    def _of_text(self, encoding: int, schema: Schema) -> OutForm:
        text = schema_text(schema)
        found = self._forms.get((encoding, text))
        return found if found is not None else self._form(encoding, text, json_writer(schema))

    def _form(self, encoding: int, schema: str | None, write: Callable[[Any], str]) -> OutForm:
        self._grow("schema", schema or "", 1024 * 1024)
        form = self._forms[(encoding, schema)] = OutForm(len(self._forms) + 1, encoding, write)
        self._define(form=record_pb2.FormDef(id=form.id, encoding=encoding, schema=schema))
        return form

    def _grow(self, what: str, text: str, bytes_max: int) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise DataError(f"a {what} has a lone surrogate") from error
        if size > bytes_max:
            raise DataError(f"a {what} has {size} bytes; the limit is {bytes_max}")
        self._live_bytes += size + 16
        most = max(len(self._topics), len(self._names), len(self._partitions), len(self._forms))
        # A record may define a form and a name for each of its headers.
        self.full = self._live_bytes > _LIVE_BYTES_MAX or most > _ID_MAX - 2_100

    def _define(self, **kind: Any) -> None:
        self._send(self._message(**kind).SerializeToString())


class InForm:
    """How a value of a batch is to be read."""

    __slots__ = ("encoding", "schema")

    def __init__(self, encoding: int, schema: Schema | None) -> None:
        self.encoding = encoding
        self.schema = schema


class SameValue:
    """A value that goes on as it came, in the form that it came in."""

    __slots__ = ("bytes", "form")

    def __init__(self, bytes: bytes | None, form: InForm) -> None:
        self.bytes = bytes
        self.form = form


class InDefinitions:
    """What the ids of a sink stream mean. Replaced as a whole after a Forget; a batch keeps its own."""

    def __init__(self) -> None:
        self.topics: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.forms: dict[int, InForm] = {0: InForm(BYTES, None)}

    def define_form(self, form: record_pb2.FormDef) -> None:
        if form.encoding not in (BYTES, TEXT, JSON):
            raise ValueError(f"form {form.id} has the unknown encoding {form.encoding}")
        schema = parse_schema(form.schema) if form.HasField("schema") else None
        self.forms[form.id] = InForm(form.encoding, schema)
