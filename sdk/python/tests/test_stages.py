"""Transforms, predicates and converters, on a stream in memory."""

import asyncio
import json
import subprocess
import sys
import threading
import unittest
from dataclasses import dataclass

from bulkhead.plugin.v1 import connector_pb2, error_pb2, record_pb2
from bulkhead.plugin.v1 import stage_pb2 as pb

from bulkhead_sdk import (
    DROP,
    Converted,
    Converter,
    HeaderConverter,
    RetriableError,
    Transform,
    key,
    predicate,
    schema,
    transform,
)
from bulkhead_sdk.description import Plugin, describe_class, manifest_text
from bulkhead_sdk.running_stage import RunningStage
from bulkhead_sdk.task_harness import MemoryStream
from bulkhead_sdk.task_host import TaskHost

APPLY, TEST, TO, FROM = range(1, 5)
OK, FILTERED, TRUE, FALSE, FAILED = range(1, 6)
JSON, TEXT, BYTES = 1, 2, 3
SECONDS = 20


class Host:
    """The host's end of one stage."""

    def __init__(self, found, config=None, is_key=False, bytes_max=4 * 1024 * 1024):
        self.changed = threading.Condition()
        self.messages = []
        self.forms = {0: (0, None)}
        self.topics = {}
        self.names = {}
        self.seq = 0
        self.stream = MemoryStream(self.on_message)
        request = connector_pb2.OpenStageRequest(
            stage_id="s", task=2, alias="a", config=config or {}, is_key=is_key, ticket="t"
        )
        host = TaskHost("c", request, bytes_max, self.stream, lambda _: [])
        self.stage = RunningStage(host, found)
        self.stage.start()
        if self.wait(lambda: self.of("started") or self.of("failure")) and self.of("started"):
            self.wait(lambda: self.of("credit"))
            for id_, encoding in ((JSON, record_pb2.ENCODING_JSON), (TEXT, record_pb2.ENCODING_TEXT), (BYTES, record_pb2.ENCODING_BYTES)):
                self.say(form=record_pb2.FormDef(id=id_, encoding=encoding))
            self.say(topic=record_pb2.TopicDef(id=1, topic="t"))
            self.say(name=record_pb2.NameDef(id=1, name="h"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def on_message(self, message):
        with self.changed:
            said = pb.StageMessage.FromString(message)
            self.messages.append(said)
            if said.HasField("form"):
                self.forms[said.form.id] = (said.form.encoding, said.form.schema or None)
            elif said.HasField("name"):
                self.names[said.name.id] = said.name.name
            self.changed.notify_all()

    def of(self, kind):
        return [getattr(one, kind) for one in self.messages if one.HasField(kind)]

    def say(self, **kind):
        self.stream.send(pb.HostStageMessage(**kind))

    def wait(self, done):
        with self.changed:
            if not self.changed.wait_for(done, SECONDS):
                raise AssertionError(f"waited in vain; the stage said {self.messages}")
            return done()

    def send(self, operation, values, form=JSON, headers=None, **columns):
        """Values are bytes; `headers` one list of bytes for each record."""
        self.seq += 1
        arena, sizes, header_sizes = b"", [], []
        for at, value in enumerate(values):
            arena += value or b""
            sizes.append(0 if value is None else len(value) + 1)
            for one in headers[at] if headers else ():
                arena += one
                header_sizes.append(len(one) + 1)
        said = record_pb2.Columns(
            count=len(values),
            arena=arena,
            value_sizes=sizes,
            value_forms=[form],
            topics=[1] if values else [],
            header_counts=[len(one) for one in headers] if headers else [],
            header_sizes=header_sizes,
            header_names=[1] * len(header_sizes),
            header_forms=[BYTES] if header_sizes else [],
            **columns,
        )
        self.say(batch=pb.StageBatch(seq=self.seq, operation=operation, columns=said))
        return self.seq

    def run(self, operation, values, form=JSON, headers=None, **columns):
        """The parts of the result."""
        seq = self.send(operation, values, form, headers, **columns)
        parts = lambda: [one for one in self.of("result") if one.seq == seq]  # noqa: E731
        self.wait(lambda: self.of("failure") or any(not one.more for one in parts()))
        return parts()

    def verdicts(self, parts):
        return [run.verdict for part in parts for run in part.runs for _ in range(run.count)]

    def failures(self, parts):
        return [run.failure for part in parts for run in part.runs if run.verdict == FAILED]

    def values(self, parts):
        out = []
        for part in parts:
            columns, at = part.columns, 0
            header = 0
            for row in range(columns.count):
                sizes = columns.value_sizes
                size = max(0, sizes[row] - 1) if sizes else 0
                out.append(None if not sizes or sizes[row] == 0 else columns.arena[at : at + size])
                at += size
                for _ in range(columns.header_counts[row] if columns.header_counts else 0):
                    at += max(0, columns.header_sizes[header] - 1)
                    header += 1
        return out

    def close(self):
        self.stage.close()
        if not self.stage.done.wait(SECONDS):
            raise AssertionError("the stage did not close")


@dataclass
class UpperConfig:
    field: str = key(default="name", doc="what to make upper case")


@transform("test.Upper", UpperConfig)
def upper(record, stage):
    """Makes a field upper case."""
    value = record.value
    if value is None:
        return DROP
    if stage.config.field not in value:
        return record
    return record.replace(value={**value, stage.config.field: value[stage.config.field].upper()})


@predicate("test.Long")
async def is_long(record):
    await asyncio.sleep(0)
    return len(record.value) > 3


class Moody(Transform):
    class_name = "test.Moody"

    def apply(self, record):
        mood = record.value
        if mood == "raise":
            raise KeyError("no such parcel")
        if mood == "retry":
            raise RetriableError("the lookup is busy")
        if mood == "stop":
            raise StopIteration("no more")
        if mood == "exit":
            raise SystemExit("enough")
        if mood == "nothing":
            return None
        if mood == "yield":
            return (one for one in ())
        if mood == "dict":
            return {"value": 1}
        if mood == "odd":
            return record.replace(value=object())
        if mood == "forgot":
            later()
            return record
        if mood == "coroutine":
            return record.replace(value=later())
        if mood == "giant":
            return record.replace(value=b"x" * 5_000_000)
        return record.replace(value=mood + "!")


class MoodyAsync(Moody):
    class_name = "test.MoodyAsync"

    async def apply(self, record):
        await asyncio.sleep(0)
        return super().apply(record)


async def later():
    return 1


class StageTest(unittest.TestCase):
    def test_a_transform_changes_drops_and_passes_records_on_as_they_came(self):
        with Host(upper) as host:
            # What is not touched goes on with its very bytes.
            values = [b'{"name":"ann","n":1}', None, b'{ "x" : 1.50 }']
            parts = host.run(APPLY, values, headers=[[b"1"], [], [b"2", b"3"]], partitions=[5], timestamps=[77])
            self.assertEqual(host.verdicts(parts), [OK, FILTERED, OK])
            self.assertEqual(host.values(parts), [b'{"name":"ANN","n":1}', b'{ "x" : 1.50 }'])
            columns = parts[0].columns
            self.assertEqual(list(columns.header_counts), [1, 2])
            self.assertEqual([list(columns.partitions), list(columns.timestamps)], [[5], [77]])
            self.assertEqual(len(columns.source_partitions) + len(columns.offset_sizes), 0)
            self.assertEqual([one.topic for one in host.of("topic")], ["t"])
            # Nothing is defined twice, and the credit comes back.
            host.run(APPLY, [b"{}"], offsets=[4_200])
            self.assertEqual(len(host.of("topic")), 1)
            host.wait(lambda: len(host.of("credit")) == 3)
            self.assertEqual([one.records for one in host.of("credit")][1:], [3, 1])

    def test_a_record_knows_where_it_is_on_its_way(self):
        seen = []

        @transform("test.Look")
        def look(record, stage):
            seen.append((record.is_sink, record.offset, record.original_topic, record.partition, record.timestamp))
            seen.append((stage.connector, stage.task, stage.alias, record.headers, record.key))
            return record.replace(topic="u", partition=None, timestamp=None, key="k", headers=[("n", 1)])

        with Host(look) as host:
            parts = host.run(APPLY, [b"1"], headers=[[b"x"]], partitions=[3], offsets=[9], timestamps=[8])
        self.assertEqual(seen[0], (True, 9, "t", 2, 8))
        self.assertEqual(seen[1], ("c", 2, "a", [("h", b"x", None)], None))
        columns = parts[0].columns
        self.assertEqual(columns.arena, b"k1" + b"1")
        self.assertEqual([len(columns.partitions), len(columns.timestamps), len(columns.offsets)], [0, 0, 0])
        self.assertEqual([one.topic for one in host.of("topic")], ["u"])

    def test_a_predicate_says_yes_or_no(self):
        with Host(is_long) as host:
            parts = host.run(TEST, [b"abc", b"abcd"], TEXT)
            self.assertEqual(host.verdicts(parts), [FALSE, TRUE])
            self.assertEqual(parts[0].columns.count, 0)

    def test_what_user_code_raises_fails_its_record_alone(self):
        for found in (Moody, MoodyAsync):
            with self.subTest(found.class_name):
                self.fails_records(found)

    def fails_records(self, found):
        moods = "a raise retry exit stop nothing yield dict odd forgot coroutine giant b".split()
        with Host(found) as host:
            parts = host.run(APPLY, [one.encode() for one in moods], TEXT)
            self.assertEqual(host.verdicts(parts), [OK] + [FAILED] * 11 + [OK])
            self.assertEqual(host.values(parts), [b"a!", b"b!"])
            failures = host.failures(parts)
            # What a record that failed leaves behind is not the whole batch's fault.
            self.assertEqual(host.verdicts(host.run(APPLY, [b"coroutine"], TEXT)), [FAILED])
        told = {mood: one.text for mood, one in zip(moods[1:], failures)}
        for mood, words in (
            ("raise", "no such parcel"),
            ("exit", "enough"),
            ("stop", "no more|StopIteration"),
            ("nothing", r"apply \(.*test_stages.py:\d+\) gave None: .*DROP; a function without `return`"),
            ("yield", "write `return` in it instead of `yield`"),
            ("dict", r"gave a dict: it has to give the record, record.replace\(…\), or DROP"),
            ("odd", "object"),
            ("forgot", r"coroutine 'later' was never awaited .*test_stages.py:\d+"),
            ("coroutine", "coroutine"),
            ("giant", "the limit is 4194304"),
        ):
            self.assertRegex(told[mood], words, mood)
        self.assertRegex(failures[0].stack, r'test_stages.py", line \d+, in apply')
        classes = [one.failure_class for one in failures]
        transient = error_pb2.FAILURE_CLASS_TRANSIENT
        self.assertEqual([one == transient for one in classes], [one == "retry" for one in moods[1:-1]])

    def test_an_async_function_leaves_others_of_its_loop_their_turn(self):
        class Busy(Transform):
            class_name = "test.Busy"
            turns = 0

            async def start(self):
                self.other = asyncio.ensure_future(self.count())

            async def count(self):
                while True:
                    self.turns += 1
                    await asyncio.sleep(0)

            async def apply(self, record):
                if record.value == 7:
                    self.other.cancel()
                    await self.other
                return record

        with Host(Busy) as host:
            parts = host.run(APPLY, [b"1"] * 999 + [b"7"])
            self.assertEqual(host.verdicts(parts), [OK] * 999 + [FAILED])
            self.assertRegex(host.failures(parts)[0].text, "CancelledError .* nothing was to stop")
            self.assertGreater(host.stage.instance.turns, 9)

    def test_a_value_changed_in_place_is_told(self):
        @transform("test.InPlace")
        def in_place(record):
            if "n" in record.value:
                record.value["n"] += 1
            return record

        with Host(in_place) as host:
            parts = host.run(APPLY, [b'{"n":1}', b'{"x":1}'])
            self.assertEqual(host.verdicts(parts), [FAILED, OK])
            self.assertRegex(host.failures(parts)[0].text, r"changed in place.*record.replace\(value=")

    def test_a_converter_goes_both_ways_and_may_add_a_header(self):
        class Csv(Converter):
            class_name = "test.Csv"
            row = schema.struct({"a": schema.string(), "b": schema.string()})

            def to_connect(self, data):
                if data.value is None:
                    return Converted(None)
                return Converted(dict(zip("ab", data.value.decode().split(","))), self.row)

            async def from_connect(self, data):
                data.headers.append(("of", "key" if self.is_key else "value"))
                return None if data.value is None else ",".join(data.value.values())

        with Host(Csv, is_key=True) as host:
            parts = host.run(TO, [b"1,2", None, b"1"], BYTES)
            self.assertEqual(host.verdicts(parts), [OK, OK, FAILED])
            self.assertEqual(json.loads(host.values(parts)[0]), {"a": "1", "b": "2"})
            encoding, text = host.forms[parts[0].columns.value_forms[0]]
            self.assertEqual((encoding, json.loads(text)["type"]), (record_pb2.ENCODING_JSON, "struct"))
            parts = host.run(FROM, [b'{"a":"x","b":"y"}', None], headers=[[b"1"], []])
            self.assertEqual(host.values(parts), [b"x,y", None])
            self.assertEqual(list(parts[0].columns.header_counts), [2, 1])
            self.assertIn("of", host.names.values())
            self.assertTrue(parts[0].columns.arena.endswith(b"key"))

    def test_a_header_converter_keeps_number_and_order_of_headers(self):
        class Numbers(HeaderConverter):
            class_name = "test.Numbers"

            def to_connect(self, data):
                return Converted(int(data.value)) if data.name == "h" else None

            def from_connect(self, data):
                return 5

        with Host(Numbers) as host:
            parts = host.run(TO, [None, None], headers=[[b"7", b"08"], []])
            self.assertEqual(host.verdicts(parts), [OK, OK])
            self.assertEqual([parts[0].columns.arena, list(parts[0].columns.header_counts)], [b"78", [2, 0]])
            parts = host.run(FROM, [None], headers=[[b"7"]])
            self.assertRegex(host.failures(parts)[0].text, "from_connect .* gave a int: .* bytes, a str or None")

    def test_a_result_that_has_grown_comes_in_parts(self):
        with Host(Moody, bytes_max=100_000) as host:
            values = [b"x" * 40_000] * 5 + [b"raise"] * 60
            parts = host.run(APPLY, values, TEXT)
            self.assertEqual(host.verdicts(parts), [OK] * 5 + [FAILED] * 60)
            self.assertGreater(len(parts), 2)
            for part in parts:
                self.assertLessEqual(part.ByteSize(), 100_000)
                self.assertGreater(len(part.runs), 0)
            self.assertEqual([one.more for one in parts], [True] * (len(parts) - 1) + [False])

    def test_ids_begin_again_after_forget(self):
        with Host(upper) as host:
            host.run(APPLY, [b"{}"])
            host.say(forget=record_pb2.Forget())
            host.say(topic=record_pb2.TopicDef(id=1, topic="new"))
            host.say(form=record_pb2.FormDef(id=1, encoding=record_pb2.ENCODING_JSON))
            self.assertEqual(host.verdicts(host.run(APPLY, [b"{}"])), [OK])
            self.assertEqual([one.topic for one in host.of("topic")], ["t", "new"])

    def test_a_stage_that_does_not_start_says_why_and_closes(self):
        class Broken(Moody):
            def start(self):
                raise OSError("no database")

        with Host(Broken) as host:
            self.assertEqual(host.of("failure")[0].text, "no database")
        class Half(Converter):
            class_name = "test.Half"

            def to_connect(self, data):
                return Converted(None)

        with Host(Half) as host:
            self.assertEqual(host.of("failure")[0].text, "Half has no from_connect()")
        with Host(upper, {"field": "x", "other": "kept"}) as host:
            self.assertEqual(host.stage.instance.texts, {"field": "x", "other": "kept"})

    def test_what_breaks_the_contract_fails_the_stage_and_no_result_follows(self):
        with Host(upper) as host:
            self.assertEqual(host.run(TEST, [b"{}"]), [])
            self.assertRegex(host.of("failure")[0].text, "a transformation was asked for operation 2")
            host.send(APPLY, [b"{}"])
        self.assertEqual((len(host.of("failure")), host.of("result")), (1, []))
        with Host(upper) as host:
            host.send(APPLY, [b"{}"], form=9)
            host.wait(lambda: host.of("failure"))
            self.assertRegex(host.of("failure")[0].text, "broke the contract: no form has id 9")

    def test_closing_tells_what_runs_drops_what_waits_and_stops(self):
        begun = threading.Event()
        calls = []

        class Slow(Transform):
            class_name = "test.Slow"

            def apply(self, record):
                begun.set()
                calls.append("slept" if self.sleep(SECONDS) else "not told")
                return record

            def stop(self):
                calls.append("stop")
                raise ValueError("did not like to")

        class SlowAsync(Slow):
            async def apply(self, record):
                begun.set()
                await asyncio.sleep(SECONDS)

        for found, wanted in ((Slow, ["slept", "stop"]), (SlowAsync, ["stop"])):
            begun.clear()
            calls.clear()
            host = Host(found)
            host.send(APPLY, [b"{}"])
            host.send(APPLY, [b"{}"])
            self.assertTrue(begun.wait(SECONDS))
            host.close()
            self.assertEqual(calls, wanted)
            self.assertEqual(str(host.stage.stop_failure), "did not like to")
            self.assertLessEqual(len(host.of("result")), 1)

    def test_after_the_end_of_the_session_no_user_code_runs(self):
        stopped = []

        class Quiet(Transform):
            class_name = "test.Quiet"

            def stop(self):
                stopped.append(True)

        host = Host(Quiet)
        host.stage.abandon("the session is over")
        self.assertTrue(host.stage.done.wait(SECONDS))
        self.assertEqual(stopped, [])


class DescriptionTest(unittest.TestCase):
    def test_the_kinds_are_described_and_in_the_manifest(self):
        plugin = Plugin("p", "1", [upper, is_long, Converter, HeaderConverter])
        kinds = [one["kind"] for one in json.loads(manifest_text(plugin, ["x"]))["classes"]]
        self.assertEqual(kinds, ["transformation", "predicate", "converter", "header_converter"])
        self.assertNotIn("taskClass", manifest_text(plugin, ["x"]))
        self.assertEqual(describe_class(plugin, upper).kind, 3)
        self.assertTrue(plugin.has_stages)

    def test_a_plugin_without_stages_does_not_load_what_they_need(self):
        code = (
            "import sys, bulkhead_sdk, bulkhead_sdk.session\n"
            "print([one for one in sys.modules if 'bulkhead_sdk.' in one and 'stage' in one])\n"
            "bulkhead_sdk.Transform"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.returncode), ("[]\n", 0), done.stderr)


if __name__ == "__main__":
    unittest.main()
