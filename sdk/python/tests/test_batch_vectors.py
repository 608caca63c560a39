"""The batches and failures that all SDKs share, see sdk/vectors/README.md."""

import json
import unittest
from pathlib import Path
from typing import Any

from bulkhead.plugin.v1 import error_pb2, record_pb2, sink_pb2, source_pb2
from bulkhead_sdk import AuthError, ConfigError, DataError, Record, RetriableError
from bulkhead_sdk.canonical_json import json_writer, write_json
from bulkhead_sdk.definitions import InDefinitions, OutDefinitions
from bulkhead_sdk.failure import to_failure
from bulkhead_sdk.packer import Packer
from bulkhead_sdk.put_batch import PutBatch
from bulkhead_sdk.schema_text import parse_schema, schema_text
from bulkhead_sdk.sink_record import SinkRecord
from bulkhead_sdk.value_reader import read_value

_VECTORS = Path(__file__).parents[2] / "vectors"


def _read(name: str) -> Any:
    return json.loads((_VECTORS / name).read_text(encoding="utf-8"))


SOURCE, SINK, FAILURES = _read("source-batches.json"), _read("sink-batches.json"), _read("failures.json")
_ENCODINGS = {record_pb2.ENCODING_TEXT: "text", record_pb2.ENCODING_BYTES: "hex", record_pb2.ENCODING_JSON: "json"}


def _value(piece: Any) -> tuple[Any, Any]:
    """As a user of this SDK has it in hand: the value and its schema."""
    if piece is None:
        return None, None
    schema = None if piece["schema"] is None else parse_schema(piece["schema"])
    if "text" in piece:
        return piece["text"], schema
    if "hex" in piece:
        return bytes.fromhex(piece["hex"]), schema
    return (read_value(piece["json"], schema) if "json" in piece else None), schema


def _record(row: Any) -> Record:
    key, key_schema = _value(row["key"])
    value, value_schema = _value(row["value"])
    return Record(
        row["topic"],
        value,
        key,
        source_partition=read_value(row["source_partition"], None),
        source_offset=None if row["source_offset"] is None else read_value(row["source_offset"], None),
        timestamp=None if row["timestamp"] is None else int(row["timestamp"]),
        headers=[(one["name"], *_value(one["value"])) for one in row["headers"]],
        partition=row["partition"],
        value_schema=value_schema,
        key_schema=key_schema,
    )


class _Unpacker:
    """Reads what was packed with the generated code alone."""

    def __init__(self) -> None:
        self.known: dict[str, dict[int, Any]] = {"topic": {}, "name": {}, "form": {}, "partition": {}}

    def define(self, data: bytes) -> None:
        message = source_pb2.SourceTaskMessage.FromString(data)
        kind = message.WhichOneof("kind")
        definition = getattr(message, kind)
        assert definition.id not in self.known[kind], "an id is defined once"
        value = definition if kind == "form" else getattr(definition, kind if kind != "name" else "name")
        self.known[kind][definition.id] = value

    def rows(self, columns: Any) -> list[Any]:
        known, place, header = self.known, 0, 0
        rows, stamp, offset_at, last_offset = [], 0, 0, None

        def piece(size: int, form_id: int) -> Any:
            nonlocal place
            start, place = place, place + max(0, size - 1)
            if form_id == 0:
                assert size == 0
                return None
            form = known["form"][form_id]
            schema = form.schema if form.HasField("schema") else None
            if size == 0:
                return {"schema": schema, "null": True}
            data, how = columns.arena[start:place], _ENCODINGS[form.encoding]
            return {"schema": schema, how: data.hex() if how == "hex" else data.decode()}

        for at in range(columns.count):
            key = piece(_at(columns.key_sizes, at), _at(columns.key_forms, at))
            value = piece(_at(columns.value_sizes, at), _at(columns.value_forms, at))
            headers = []
            for _ in range(columns.header_counts[at] if columns.header_counts else 0):
                read = piece(_at(columns.header_sizes, header), _at(columns.header_forms, header))
                headers.append({"name": known["name"][columns.header_names[header]], "value": read})
                header += 1
            stamp += columns.timestamps[at] if at < len(columns.timestamps) else 0
            row = {
                "topic": known["topic"][_at(columns.topics, at)],
                "partition": _at(columns.partitions, at) - 1 if _at(columns.partitions, at) else None,
                "timestamp": None if not columns.timestamps or stamp == -1 else str(stamp),
                "key": key,
                "value": value,
                "headers": headers,
            }
            if len(columns.offset_sizes) == columns.count and columns.count != 0:
                size = columns.offset_sizes[at]
                if size != 1:
                    data = columns.offset_arena[offset_at : offset_at + max(0, size - 2)]
                    last_offset = None if size == 0 else data.decode()
                    offset_at += max(0, size - 2)
                row["source_partition"] = known["partition"][_at(columns.source_partitions, at)]
                row["source_offset"] = last_offset
            rows.append(row)
        assert place == len(columns.arena), "nothing is left in the arena"
        return rows

    def last_offsets(self, columns: Any) -> dict[str, str | None]:
        offsets, at = {}, 0
        for partition, size in zip(columns.source_partitions, columns.offset_sizes):
            data = columns.offset_arena[at : at + max(0, size - 2)]
            offsets[self.known["partition"][partition]] = None if size == 0 else data.decode()
            at += max(0, size - 2)
        return offsets


def _at(column: Any, index: int) -> int:
    return 0 if not column else column[0] if len(column) == 1 else column[index]


class SourceVectorsTest(unittest.TestCase):
    maxDiff = None

    def test_batches_are_packed_as_all_sdks_do(self):
        for vector in SOURCE["batches"]:
            with self.subTest(vector["name"]):
                unpacker = _Unpacker()
                last = vector["offset_mode"] == "LAST"
                mode = "last" if last else "per_record"
                packer = Packer(OutDefinitions(unpacker.define), 4 * 1024 * 1024, mode)
                for row in vector["records"]:
                    self.assertTrue(packer.add(_record(row)))
                batch = packer.finish(1, True)
                columns = source_pb2.SourceTaskMessage.FromString(batch.message).records.columns
                headers = len(columns.header_names)
                cost = len(columns.arena) + len(columns.offset_arena) + 64 * (columns.count + headers) + 4_096
                self.assertEqual(batch.cost_bytes, cost)
                offsets = ("source_partition", "source_offset") if last else ()
                expected = [{k: v for k, v in row.items() if k not in offsets} for row in vector["records"]]
                rows = [{k: v for k, v in row.items() if k not in offsets} for row in unpacker.rows(columns)]
                self.assertEqual(rows, expected)
                if last:
                    self.assertEqual(unpacker.last_offsets(columns), vector["last_offsets"])


def _read_put(messages: list[str]) -> PutBatch:
    definitions = InDefinitions()
    for text in messages[:-1]:
        message = sink_pb2.HostSinkMessage.FromString(bytes.fromhex(text))
        kind = message.WhichOneof("kind")
        if kind == "form":
            definitions.define_form(message.form)
        elif kind == "topic":
            definitions.topics[message.topic.id] = message.topic.topic
        else:
            definitions.names[message.name.id] = message.name.name
    return PutBatch(definitions, sink_pb2.HostSinkMessage.FromString(bytes.fromhex(messages[-1])).put)


class SinkVectorsTest(unittest.TestCase):
    maxDiff = None

    def test_batches_are_read_as_all_sdks_do(self):
        for vector in SINK["batches"]:
            with self.subTest(vector["name"]):
                batch = _read_put(vector["messages"])
                self.assertEqual(batch.cost_bytes, vector["cost_bytes"])
                self.assertEqual(batch.count, len(vector["records"]))
                for index, expected in enumerate(vector["records"]):
                    record = SinkRecord(batch, index)
                    said = {
                        "topic": record.topic,
                        "partition": record.partition,
                        "timestamp": None if record.timestamp is None else str(record.timestamp),
                        "offset": str(record.offset),
                        "timestamp_type": record.timestamp_type,
                        "original_topic": record.original_topic,
                        "original_partition": record.original_partition,
                    }
                    self.assertEqual(said, {name: expected[name] for name in said})
                    self._same(record.key, record.key_schema, expected["key"])
                    self._same(record.value, record.value_schema, expected["value"])
                    self.assertEqual([one.name for one in record.headers], [h["name"] for h in expected["headers"]])
                    for header, wanted in zip(record.headers, expected["headers"]):
                        self._same(header.value, header.schema, wanted["value"])

    def _same(self, value: Any, schema: Any, piece: Any) -> None:
        if piece is None:
            self.assertEqual((value, schema), (None, None))
            return
        self.assertEqual(None if schema is None else schema_text(schema), piece["schema"])
        if "json" in piece:
            written = write_json(value) if schema is None else json_writer(schema)(value)
            self.assertEqual(written, piece["json"])
        else:
            self.assertEqual(value, _value(piece)[0])

    def test_what_breaks_a_rule_is_refused(self):
        for vector in SINK["refused"]:
            with self.subTest(vector["name"]), self.assertRaises(ValueError):
                _read_put(vector["messages"])


class FailureVectorsTest(unittest.TestCase):
    def test_errors_are_told_as_all_sdks_do(self):
        kinds = {"retriable": RetriableError, "config": ConfigError, "auth": AuthError, "data": DataError}
        for one in FAILURES["errors"]:
            with self.subTest(one["kind"]):
                plain = one["kind"] == "other"
                text, hint = FAILURES["text"], FAILURES["hint"]
                # One that says nothing of its kind has no hint either.
                error = Exception(text) if plain else kinds[one["kind"]](text, hint=hint)
                error.__cause__ = Exception(FAILURES["cause"])
                failure = to_failure(error)
                self.assertEqual(failure.code, error_pb2.FailureCode.Value(f"FAILURE_CODE_{one['code']}"))
                reaction = error_pb2.FailureClass.Value(f"FAILURE_CLASS_{one['failure_class']}")
                self.assertEqual(failure.failure_class, reaction)
                self.assertEqual((failure.text, failure.hint), (text, "" if plain else hint))
                self.assertEqual([cause.text for cause in failure.causes], [FAILURES["cause"]])


if __name__ == "__main__":
    unittest.main()
