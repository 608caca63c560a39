"""Config declared as a pydantic model: its keys, what it refuses, and that nothing else needs pydantic."""

import enum
import json
import subprocess
import sys
import unittest
from datetime import timedelta
from typing import Annotated, Literal

from bulkhead.plugin.v1 import config_pb2, session_pb2

from bulkhead_sdk import ConfigError, Record, Secret, Source
from bulkhead_sdk.config import keys_of
from bulkhead_sdk.config_parse import parse_config
from bulkhead_sdk.connector_calls import Call, ConnectorCalls
from bulkhead_sdk.description import Plugin, docs_text, manifest_text
from bulkhead_sdk.harness import harness
from bulkhead_sdk.host_calls import HostCalls

try:
    import pydantic
except ImportError:
    pydantic = None


class ImportTest(unittest.TestCase):
    def test_a_plugin_without_pydantic_never_imports_it(self):
        program = "import sys, bulkhead_sdk, bulkhead_sdk.config_parse, bulkhead_sdk.session; print('pydantic' in sys.modules, 'bulkhead_sdk.pydantic_config' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "False False\n", done.stderr)


if pydantic is not None:

    class Mode(enum.Enum):
        FAST = "fast"
        SAFE = "safe"

    class Config(pydantic.BaseModel):
        topic: str = pydantic.Field(description="where the rows go | all", min_length=1)
        batch_size: int = pydantic.Field(
            default=10, ge=1, le=100, json_schema_extra={"type": "INT", "group": "Reading", "importance": "low"}
        )
        every: timedelta = pydantic.Field(default=timedelta(minutes=1), alias="poll.every")
        ratio: Annotated[float, pydantic.Field(gt=0)] = 0.5
        mode: Mode = Mode.SAFE
        level: Literal[1, 2] = 1
        ports: set[int] = {2, 1}
        code: str = pydantic.Field(default="A-1", pattern="^[A-Z]-[0-9]$")
        home: pydantic.HttpUrl | None = None
        token: pydantic.SecretStr | None = None
        password: Secret | None = None
        dry: bool = False

        @pydantic.field_validator("code")
        @classmethod
        def known(cls, code):
            if code == "X-0":
                raise ValueError("this one is gone")
            return code

        @pydantic.model_validator(mode="after")
        def fits(self):
            if self.dry and self.batch_size > 50:
                raise ValueError("a dry run has a batch.size of 50 at most")
            if self.dry and self.level == 2:
                raise ValueError("it cannot be")
            return self

    class Rows(Source):
        class_name = "test.Rows"
        config_class = Config

        def read(self):
            yield Record(self.config.topic, self.config.every.total_seconds())


@unittest.skipIf(pydantic is None, "needs pydantic")
class PydanticConfigTest(unittest.TestCase):
    def test_the_fields_of_a_model_are_the_keys(self):
        keys = {one.name: one for one in keys_of(Config)}
        self.assertEqual(
            {name: (one.type, one.default_text) for name, one in keys.items()},
            {
                "topic": ("STRING", None),
                "batch.size": ("INT", "10"),
                "poll.every": ("STRING", "PT1M"),
                "ratio": ("DOUBLE", "0.5"),
                "mode": ("STRING", "safe"),
                "level": ("STRING", "1"),
                "ports": ("LIST", "1,2"),
                "code": ("STRING", "A-1"),
                "home": ("STRING", None),
                "token": ("PASSWORD", None),
                "password": ("PASSWORD", None),
                "dry": ("BOOLEAN", "false"),
            },
        )
        size = keys["batch.size"]
        self.assertEqual((size.min, size.max, size.group, size.importance), (1, 100, "Reading", "LOW"))
        self.assertEqual([name for name, one in keys.items() if one.required], ["topic"])
        self.assertEqual((keys["mode"].one_of, keys["level"].one_of), (("fast", "safe"), ("1", "2")))
        self.assertTrue(keys["topic"].non_empty)

    def test_the_docs_and_the_manifest_have_them(self):
        plugin = Plugin("rows", "1.0.0", [Rows])
        self.assertIn("| `topic` | string | required | where the rows go \\| all |", docs_text(plugin))
        said = json.loads(manifest_text(plugin, ["x"]))["classes"][0]
        self.assertTrue(said["validates"])
        self.assertEqual(said["config"][1]["validator"], {"at": "range", "min": 1, "max": 100})

    def test_a_task_has_the_model_itself(self):
        given = {"topic": "t", "poll.every": "PT2S", "level": "2", "mode": "fast", "ports": "5, 6", "token": "tk", "password": "pw", "home": "http://x/"}
        config = parse_config(Config, given)
        self.assertIsInstance(config, Config)
        self.assertEqual((config.every, config.level, config.mode, config.ports), (timedelta(seconds=2), 2, Mode.FAST, {5, 6}))
        self.assertEqual((config.token.get_secret_value(), config.password.reveal(), config.home.host), ("tk", "pw", "x"))
        self.assertEqual(config.batch_size, 10)
        with harness(Rows, {"topic": "t"}) as task:
            self.assertEqual([one.value for one in task.read(1)], [60.0])

    def validate(self, given):
        asked = config_pb2.ValidateRequest(config=given)
        asked.class_name = "test.Rows"
        call = Call()
        calls = ConnectorCalls(Plugin("rows", "1", [Rows]), HostCalls(lambda call: None), lambda event: None)
        result = calls.serve(session_pb2.Request(id=1, connector="c", validate=asked), call)["validate"]
        self.assertFalse(result.HasField("failure"), result.failure.text)
        return {one.name: list(one.errors) for one in result.values if one.errors}

    def test_what_a_model_refuses_is_told_under_its_keys_and_without_secrets(self):
        cases = (
            ({}, {"topic": "Missing required configuration"}),
            ({"batch.size": "101"}, {"batch.size": "Invalid value 101 for configuration batch.size: Value must be no more than 100"}),
            ({"ratio": "0"}, {"ratio": "Invalid value 0.0 for configuration ratio: Input should be greater than 0"}),
            ({"poll.every": "soon"}, {"poll.every": "Invalid value soon for configuration poll.every: Input should be a valid timedelta"}),
            ({"ports": "1,x"}, {"ports": "Invalid value 1,x for configuration ports: Input should be a valid integer"}),
            ({"code": "X-0"}, {"code": "Invalid value X-0 for configuration code: this one is gone"}),
            ({"code": "x", "home": "x"}, {"code": "should match pattern", "home": "valid URL"}),
            ({"dry": "true", "batch.size": "60"}, {"dry": "of 50 at most", "batch.size": "of 50 at most"}),
            ({"dry": "true", "level": "2"}, {"topic": "it cannot be"}),
        )
        for given, wanted in cases:
            given = {**({"topic": "t", "token": "hushhush"} if given else {}), **given}
            with self.subTest(given):
                errors = self.validate(given)
                self.assertEqual(set(errors), set(wanted))
                for name, text in wanted.items():
                    self.assertIn(text, errors[name][0])
                with self.assertRaises(ConfigError) as raised:
                    parse_config(Config, given)
                self.assertIsNone(raised.exception.__cause__)
                self.assertIsNone(raised.exception.__context__)
                self.assertNotIn("hushhush", str(errors) + str(raised.exception))
        self.assertEqual(self.validate({"topic": "t"}), {})

    def test_what_no_text_can_become_is_told_when_the_program_begins(self):
        class Inner(pydantic.BaseModel):
            n: int = 0

        class Nested(pydantic.BaseModel):
            inner: Inner = Inner()

        class Open(pydantic.BaseModel):
            token: pydantic.SecretStr = pydantic.SecretStr("x")

        for wrong, text in ((Nested, "Nested.inner has the type .* a key is one text"), (Open, "Open.token has a default")):
            with self.assertRaisesRegex(TypeError, text):
                keys_of(wrong)


if __name__ == "__main__":
    unittest.main()
