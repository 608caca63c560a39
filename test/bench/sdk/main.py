"""The same two classes as main.mjs."""

import json
from dataclasses import dataclass

from bulkhead_sdk import Record, Sink, Source, run


@dataclass
class SourceConfig:
    topic: str
    size: int = 100


class Bytes(Source):
    """The same bytes for ever, in lists: what it takes to send a record, and no more."""

    class_name = "bench.sdk.Source"
    config_class = SourceConfig
    offset_mode = "last"

    def read(self):
        partition = {"bench": "sdk"}
        value = b"x" * self.config.size
        records = [Record(self.config.topic, value, source_partition=partition) for _ in range(1_000)]
        n = 0
        while True:
            n += len(records)
            records[-1].source_offset = {"n": n}
            yield records


@dataclass
class SinkConfig:
    file: str


class Count(Sink):
    """Looks at every value and counts; the counts are written at the end."""

    class_name = "bench.sdk.Sink"
    config_class = SinkConfig

    def start(self):
        self.records = 0
        self.bytes = 0

    def put(self, records):
        for record in records:
            self.bytes += len(record.value)
        self.records += len(records)

    def stop(self):
        with open(self.config.file, "w") as file:
            json.dump({"records": self.records, "bytes": self.bytes}, file)


run(Bytes, Count, name="bench-sdk", version="1.0.0")
