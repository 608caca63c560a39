"""The vectors that all SDKs share, and how records are packed."""

import json
import random
import unittest
from pathlib import Path

from bulkhead_sdk import Record, Source, schema
from bulkhead_sdk.canonical_json import json_writer, write_json
from bulkhead_sdk.harness import harness
from bulkhead_sdk.schema_text import parse_schema, schema_text
from bulkhead_sdk.value_reader import read_value

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "canonical-json.json").read_text(encoding="utf-8")
)


class VectorsTest(unittest.TestCase):
    def test_values_are_read_and_written_to_the_same_text(self):
        for one in VECTORS["values"]:
            with self.subTest(one["name"]):
                of = None if one["schema"] is None else parse_schema(one["schema"])
                if of is not None:
                    self.assertEqual(schema_text(of), one["schema"])
                value = read_value(one["json"], of)
                self.assertEqual(write_json(value) if of is None else json_writer(of)(value), one["json"])

    def test_what_is_no_value_of_its_schema_is_refused(self):
        for one in VECTORS["refused"]:
            with self.subTest(one["json"]), self.assertRaises(Exception):
                of = None if one["schema"] is None else parse_schema(one["schema"])
                value = read_value(one["json"], of)
                write_json(value) if of is None else json_writer(of)(value)


class PackingTest(unittest.TestCase):
    def test_records_of_any_mix_arrive_as_they_were_yielded(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        text = schema.string(optional=True)
        values = ["a", "é😀", "lone \ud800", b"\xff", None, {"a": 1}, {"b": [0.5, 1 << 60]}, [1, None], 7, 2.0, True, ""]

        def record(n):
            value = chance.choice(values)
            typed = chance.random() < 0.1 and (value is None or isinstance(value, str))
            return Record(
                chance.choice(["t", "t", "t", "other"]),
                value,
                chance.choice([None, None, None, "k", b"k"]),
                source_partition=chance.choice([{"p": "x"}, {"p": "x"}, {"p": 1}, {"p": True}, None]),
                source_offset=chance.choice([{"n": n}, {"n": n}, {"n": n, "f": 1.5}, {"same": 1}, None]),
                timestamp=chance.choice([None, None, n, -(1 << 60)]),
                headers=chance.choice([(), (), (), [("h", "v"), ("i", {"x": n})]]),
                partition=chance.choice([None, None, 3]),
                value_schema=text if typed else None,
            )

        lists = [[record(n) for n in range(chance.randrange(1, 300))] for _ in range(20)]

        class Mixed(Source):
            class_name = "test.Mixed"

            def read(self):
                yield from lists

        given = [one for part in lists for one in part]
        with harness(Mixed) as task:
            for at, (was, seen) in enumerate(zip(given, task.read(len(given)))):
                wanted = (was.topic, was.partition, was.key, was.value, was.timestamp, list(was.headers))
                self.assertEqual(seen[:6], wanted, f"record {at}, seed {seed}")
                places = json.dumps([was.source_partition, was.source_offset])
                self.assertEqual(json.dumps(seen[6:]), places, f"record {at}, seed {seed}")

    def test_a_partition_that_the_user_changes_is_another(self):
        class Changing(Source):
            class_name = "test.Changing"

            def read(self):
                partition, offset = {"file": "a"}, {"n": 0}
                for n in range(4):
                    partition["file"], offset["n"] = "ab"[n % 2], n
                    yield Record("t", n, source_partition=partition, source_offset=offset)

        with harness(Changing) as task:
            seen = [(one.source_partition["file"], one.source_offset["n"]) for one in task.read(4)]
        self.assertEqual(seen, [("a", 0), ("b", 1), ("a", 2), ("b", 3)])


if __name__ == "__main__":
    unittest.main()
