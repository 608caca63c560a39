"""A transform, a predicate, a converter and a header converter: one of each, in one program."""

import json
import re
from dataclasses import dataclass

from bulkhead_sdk import DROP, Converted, Converter, HeaderConverter, Transform, key, predicate, run


@dataclass
class FlattenConfig:
    separator: str = key(default=".", non_empty=True, doc="stands between the names of a nested field")
    required: list[str] = key(default=[], doc="records without one of these flat fields are dropped")


class Flatten(Transform):
    """Makes one flat object of nested ones: {"a": {"b": 1}} becomes {"a.b": 1}."""

    class_name = "example.python.Flatten"
    config_class = FlattenConfig

    def apply(self, record):
        if not isinstance(record.value, dict):
            return record
        flat = dict(self.fields("", record.value))
        if any(name not in flat for name in self.config.required):
            return DROP
        return record.replace(value=flat, value_schema=None)

    def fields(self, before, value):
        for name, one in value.items():
            if isinstance(one, dict) and one:
                yield from self.fields(before + name + self.config.separator, one)
            else:
                yield before + name, one


@dataclass
class HasHeaderConfig:
    name: str
    value: str | None = key(default=None, doc="the header's value as text; any unless given")


@predicate("example.python.HasHeader", HasHeaderConfig)
def has_header(record, stage):
    """Whether a record has a header, perhaps with a value."""
    wanted = stage.config
    return any(
        name == wanted.name and wanted.value in (None, text_of(value))
        for name, value, *_ in record.headers
    )


@dataclass
class LogfmtConfig:
    strict: bool = key(default=False, doc="refuse lines with a word that has no `=`")


WORD = re.compile(r'([^\s="]+)(=)?("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
BARE = re.compile(r'[^\s"]*')


class Logfmt(Converter):
    """Lines like `level=info text="all is well"`: an object of texts."""

    class_name = "example.python.LogfmtConverter"
    config_class = LogfmtConfig

    def to_connect(self, data):
        if data.value is None:
            return Converted(None)
        line, fields, at = data.value.decode().strip(), {}, 0
        while at < len(line):
            word = WORD.match(line, at)
            if word is None or (self.config.strict and not word[2]):
                raise ValueError(f"no name=value at character {at + 1}: {line[at : at + 20]!r}")
            fields[word[1]] = json.loads(word[3]) if word[3].startswith('"') else word[3]
            at = word.end()
        return Converted(fields)

    def from_connect(self, data):
        if data.value is None:
            return None
        return " ".join(f"{name}={self.quoted(text_of(one))}" for name, one in data.value.items())

    def quoted(self, text):
        return text if BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class NumberHeaders(HeaderConverter):
    """Headers that look like whole numbers are numbers, all others texts."""

    class_name = "example.python.NumberHeaders"

    async def to_connect(self, data):
        if data.value is None:
            return Converted(None)
        text = data.value.decode()
        return Converted(int(text) if text.isascii() and text.isdigit() else text)

    async def from_connect(self, data):
        return None if data.value is None else text_of(data.value)


def text_of(value):
    return value.decode() if isinstance(value, bytes) else str(value)


run(Flatten, has_header, Logfmt, NumberHeaders, name="python-tidy", version="0.1.0")
