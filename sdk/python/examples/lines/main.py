"""A sink that appends values to a file, a line each."""

import os
from dataclasses import dataclass
from typing import Literal

from bulkhead_sdk import RecordErrors, RetriableError, Sink, key, run


@dataclass
class LinesConfig:
    file: str = key(doc="where to append", non_empty=True)
    trouble: Literal["none", "retry", "rewind", "pause", "bad", "fail", "block"] = key(
        default="none", importance="low", doc="what goes wrong, to see what becomes of it"
    )


class Lines(Sink):
    """Appends values to a file; an offset is safe when the file is on disk."""

    class_name = "example.python.LinesSink"
    config_class = LinesConfig

    def start(self):
        self.file = open(self.config.file, "ab")
        self.trouble = self.config.trouble

    def put(self, records):
        if records and self.trouble != "none":
            self.go_wrong(records)
        for record in records:
            self.file.write((record.value_bytes or b"") + b"\n")

    def flush(self, offsets):
        self.file.flush()
        os.fsync(self.file.fileno())

    def stop(self):
        self.file.close()

    def go_wrong(self, records):
        trouble, self.trouble = self.trouble, "none"
        first = records[0]
        if trouble == "retry":
            raise RetriableError("asked to try again", retry_after=0.1)
        if trouble == "rewind":
            self.rewind([(first.topic, first.partition, first.offset)])
        if trouble == "pause":
            self.pause([(first.topic, first.partition)])
        if trouble == "bad":
            self.trouble = trouble
            raise RecordErrors([(first, ValueError("asked to refuse it"))])
        if trouble == "fail":
            raise OSError("asked to fail")
        if trouble == "block":
            self.sleep(3_600)


run(Lines, name="python-lines", version="0.1.0")
