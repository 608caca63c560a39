"""Config, and what a session asks of a connector: validation, task configs, the monitor."""

import asyncio
import enum
import threading
import unittest
from dataclasses import dataclass
from typing import Literal

from bulkhead.plugin.v1 import config_pb2, connector_pb2, session_pb2

from bulkhead_sdk import ConfigError, Secret, Source, key
from bulkhead_sdk.config import keys_of
from bulkhead_sdk.config_parse import parse_config, parse_keys
from bulkhead_sdk.connector_calls import Call, ConnectorCalls
from bulkhead_sdk.description import Plugin, manifest_text
from bulkhead_sdk.errors import UnsupportedError
from bulkhead_sdk.host_calls import HostCalls


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


@dataclass
class Config:
    topic: str
    batch_size: int = key(default=10, min=1, max=100, type="INT", group="Reading", doc="records a poll")
    ratio: float = 0.5
    mode: Mode = Mode.SAFE
    level: Literal["a", "b"] = "a"
    hosts: list[str] = key("bootstrap.servers", default=["x", "y"])
    password: Secret | None = None
    dry: bool = False


class Tables(Source):
    class_name = "test.TablesConnector"
    config_class = Config
    exactly_once = True

    @classmethod
    async def task_configs(cls, connector):
        await asyncio.sleep(0)
        return [{"table": n} for n in range(min(3, connector.tasks_max))]

    @classmethod
    def validate(cls, check):
        if check.live and check.config.topic == "taken":
            check.error("topic", "somebody writes there")
        check.recommend("topic", ["free"])
        check.visible("dry", False)

    @classmethod
    def monitor(cls, connector):
        connector.request_task_reconfiguration()
        connector.sleep(60)
        if connector.texts["topic"] == "breaks":
            raise RuntimeError("not told any more")


class ConfigTest(unittest.TestCase):
    def test_a_config_is_read_from_texts(self):
        given = {"topic": " t ", "batch.size": "7", "mode": "fast", "bootstrap.servers": "a , b", "password": "pw", "dry": "TRUE"}
        config = parse_config(Config, given)
        wanted = Config("t", 7, 0.5, Mode.FAST, "a", ["a", "b"], Secret("pw"), True)
        self.assertEqual(config, wanted)
        self.assertNotIn("pw", repr(config))
        self.assertEqual(config.password.reveal(), "pw")

    def test_what_is_wrong_is_said_as_kafka_connect_says_it(self):
        given = {"batch.size": "101", "ratio": "half", "mode": "slow", "level": "c", "dry": "yes"}
        with self.assertRaises(ConfigError) as raised:
            parse_config(Config, given)
        self.assertEqual(
            [message for _, message in raised.exception.problems],
            [
                'Missing required configuration "topic" which has no default value.',
                "Invalid value 101 for configuration batch.size: Value must be no more than 100",
                "Invalid value half for configuration ratio: Not a number of type DOUBLE",
                "Invalid value slow for configuration mode: String must be one of: fast, safe",
                "Invalid value c for configuration level: String must be one of: a, b",
                "Invalid value yes for configuration dry: Expected value to be either true or false",
            ],
        )

    def test_numbers_have_the_ranges_of_their_types(self):
        @dataclass
        class Numbers:
            n: int = 0
            small: int = key(default=0, type="SHORT")

        for text, fits in (("9223372036854775807", True), ("9223372036854775808", False), ("+5", True), ("1_0", False), ("٣", False)):
            errors = parse_keys(keys_of(Numbers), {"n": text})[0].errors
            self.assertEqual(errors == [], fits, text)
        self.assertNotEqual(parse_keys(keys_of(Numbers), {"small": "32768"})[1].errors, [])

    def test_a_class_that_is_no_config_is_told(self):
        class Plain:
            pass

        @dataclass
        class Odd:
            when: complex = 0j

        for wrong, said in ((Plain, "put @dataclass above it, or derive it from pydantic's BaseModel"), (Odd, "Odd.when has the type")):
            with self.assertRaisesRegex(TypeError, said):
                keys_of(wrong)


@dataclass
class Range:
    low: int = 0
    high_mark: int = 9
    at: str = ""

    def __post_init__(self):
        raised = {
            "named": ValueError("high.mark is below low"),
            "field": ValueError("raise high_mark."),
            "unnamed": ValueError("no \ud800 sense"),
            "problems": ConfigError("two", problems=[("low", "too low"), ("high.mark", "too high")]),
            "broken": KeyError("not said by itself"),
        }
        if self.at in raised:
            raise raised[self.at]


class Ranges(Source):
    class_name = "test.Ranges"
    config_class = Range


class ConnectorCallsTest(unittest.TestCase):
    def setUp(self):
        self.events = []
        self.told = threading.Event()

        def send(event):
            self.events.append(event)
            self.told.set()

        plugin = Plugin("tables", "1.0.0", [Tables, Ranges])
        self.calls = ConnectorCalls(plugin, HostCalls(lambda call: None), send)

    def ask(self, **kind):
        call = Call()
        try:
            return self.calls.serve(session_pb2.Request(id=1, connector="c", **kind), call)
        finally:
            call.user.close()

    def test_a_connector_starts_makes_task_configs_watches_and_stops(self):
        start = connector_pb2.StartConnectorRequest(config={"topic": "breaks"})
        start.class_name = "test.TablesConnector"
        self.ask(start_connector=start)
        made = self.ask(task_configs=connector_pb2.TaskConfigsRequest(tasks_max=2))["task_configs"]
        self.assertEqual(made.task_class, "test.TablesTask")
        self.assertEqual([dict(one.config) for one in made.configs], [{"table": "0"}, {"table": "1"}])
        self.assertTrue(self.told.wait(20))
        self.assertTrue(self.events[0].HasField("request_task_reconfiguration"))
        self.ask(stop_connector=connector_pb2.StopConnectorRequest())
        self.assertEqual(len(self.events), 1)
        with self.assertRaisesRegex(RuntimeError, "does not run here"):
            self.ask(task_configs=connector_pb2.TaskConfigsRequest(tasks_max=2))

    def test_validate_adds_what_the_class_says_itself(self):
        asked = config_pb2.ValidateRequest(config={"topic": "taken"}, mode="VALIDATE_MODE_LIVE")
        asked.class_name = "test.TablesConnector"
        result = self.ask(validate=asked)["validate"]
        values = {one.name: one for one in result.values}
        self.assertEqual(list(values["topic"].errors), ["somebody writes there"])
        self.assertEqual(list(values["topic"].recommended_values), ["free"])
        self.assertFalse(values["dry"].visible)
        self.assertEqual((values["ratio"].value, values["bootstrap.servers"].value), ("0.5", "x,y"))
        self.assertEqual(list(result.groups), ["Reading"])

    def test_what_the_config_class_itself_refuses_is_told_by_validate_under_its_keys(self):
        cases = (
            ({"at": "named"}, {"low": ["high.mark is below low"], "high.mark": ["high.mark is below low"]}),
            ({"at": "field"}, {"high.mark": ["raise high_mark."]}),
            ({"at": "unnamed"}, {"low": ["no \\ud800 sense"]}),
            ({"at": "problems"}, {"low": ["too low"], "high.mark": ["too high"]}),
            ({"at": "fine"}, {}),
            # Only keys that are right by themselves are looked at together.
            ({"at": "named", "low": "x"}, {"low": ["Invalid value x for configuration low: Not a number of type LONG"]}),
        )
        for given, wanted in cases:
            result = self.validate(given)
            self.assertEqual({one.name: list(one.errors) for one in result.values if one.errors}, wanted)
            self.assertFalse(result.HasField("failure"))
        broken = self.validate({"at": "broken"}).failure
        self.assertIn("not said by itself", broken.text)
        self.assertRegex(broken.stack, r'test_connector_calls\.py", line \d+, in __post_init__')

    def test_the_host_is_told_to_ask_where_the_config_class_checks_itself(self):
        described = self.ask(describe=config_pb2.DescribeRequest())["describe"]
        self.assertEqual({one.class_name: one.validates for one in described.classes}, {"test.TablesConnector": True, "test.Ranges": True})
        self.assertIn('"validates": true', manifest_text(Plugin("ranges", "1", [Ranges]), ["x"]))
        plain = type("Plain", (Source,), {"class_name": "test.Plain", "config_class": Config})
        self.assertNotIn("validates", manifest_text(Plugin("plain", "1", [plain]), ["x"]))

    def test_what_validate_says_can_always_be_sent(self):
        def validate(cls, check):
            check.error("topic", "lone \ud800")
            check.recommend("topic", ["\ud800", 7])
            check.warn("\ud800")

        odd = type("Odd", (Tables,), {"class_name": "test.Odd", "validate": classmethod(validate)})
        self.calls = ConnectorCalls(Plugin("odd", "1", [odd]), HostCalls(lambda call: None), self.events.append)
        result = self.validate({"topic": "t"}, "test.Odd")
        topic = next(one for one in result.values if one.name == "topic")
        self.assertEqual(list(topic.errors), ["lone \\ud800"])
        self.assertEqual((list(topic.recommended_values), list(result.warnings)), (["\\ud800", "7"], ["\\ud800"]))

    def validate(self, config, name="test.Ranges"):
        asked = config_pb2.ValidateRequest(config=config)
        asked.class_name = name
        return self.ask(validate=asked)["validate"]

    def test_the_host_learns_whether_offsets_are_enough_for_exactly_once(self):
        wanted = {"test.TablesConnector": connector_pb2.SUPPORT_SUPPORTED, "test.Ranges": connector_pb2.SUPPORT_NOT_SAID}
        for name, support in wanted.items():
            asked = connector_pb2.ExactlyOnceSupportRequest()
            asked.class_name = name
            self.assertEqual(self.ask(exactly_once_support=asked)["exactly_once_support"].support, support)
        Ranges.exactly_once = False
        self.addCleanup(setattr, Ranges, "exactly_once", None)
        self.assertEqual(
            self.ask(exactly_once_support=asked)["exactly_once_support"].support, connector_pb2.SUPPORT_UNSUPPORTED
        )

    def test_offsets_are_the_hosts_to_alter_and_transactions_the_hosts_to_delimit(self):
        altered = self.ask(alter_offsets=connector_pb2.AlterOffsetsRequest())["alter_offsets"]
        self.assertEqual(altered.answer, connector_pb2.ALTER_OFFSETS_ANSWER_NOT_DONE)
        asked = connector_pb2.CanDefineTransactionBoundariesRequest()
        bounds = self.ask(can_define_transaction_boundaries=asked)["can_define_transaction_boundaries"]
        self.assertEqual(bounds.support, connector_pb2.SUPPORT_UNSUPPORTED)

    def test_what_is_not_known_is_refused_by_name(self):
        asked = config_pb2.ValidateRequest()
        asked.class_name = "test.Other"
        with self.assertRaisesRegex(ConfigError, "no class test.Other; it has test.TablesConnector, test.Ranges"):
            self.ask(validate=asked)
        with self.assertRaises(UnsupportedError):
            self.ask()


if __name__ == "__main__":
    unittest.main()
