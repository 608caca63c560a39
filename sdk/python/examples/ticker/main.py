"""A source that ticks: an async generator, and a class instead of a function."""

import asyncio
from dataclasses import dataclass

from bulkhead_sdk import Record, Source, key, run


@dataclass
class TickerConfig:
    topic: str = key(doc="where to write")
    interval_ms: int = key(default=10, min=1, doc="milliseconds between two ticks")


class Ticker(Source):
    """Ticks: one record with JSON data every now and then."""

    class_name = "example.python.Ticker"
    config_class = TickerConfig

    async def read(self):
        partition = {"ticker": self.task}
        n = (self.offset(partition) or {"n": 0})["n"]
        while True:
            n += 1
            value = {"tick": n, "half": n / 2}
            yield Record(
                self.config.topic, value, source_partition=partition, source_offset={"n": n}
            )
            await asyncio.sleep(self.config.interval_ms / 1000)


run(Ticker, name="python-ticker", version="0.1.0")
