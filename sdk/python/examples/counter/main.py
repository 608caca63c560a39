"""A source that counts: a plain generator of lists."""

from dataclasses import dataclass

from bulkhead_sdk import DataError, Record, key, run, source


@dataclass
class CounterConfig:
    topic: str = key(doc="where to write", non_empty=True)
    count: int = key(default=1_000_000, min=0, doc="the last number")
    batch: int = key(default=100, min=1, max=10_000, doc="records a poll")
    size: int = key(default=0, min=0, importance="low", doc="pads every value to so many bytes")
    fail_at: int | None = key(default=None, importance="low", doc="fails at this number")


@source("example.python.Counter", CounterConfig)
def counter(task):
    """Counts from 1 on, in lists."""
    config = task.config
    partition = {"counter": "main"}
    last = task.offset(partition)
    n = last["n"] if last else 0
    task.log.debug("counting from %d on", n + 1)
    while n < config.count:
        records = []
        for n in range(n + 1, min(n + config.batch, config.count) + 1):
            if n == config.fail_at:
                raise DataError(f"{n} is the number to fail at")
            value = f"number {n}".ljust(config.size, ".")
            offset = {"n": n}
            records.append(
                Record(config.topic, value, source_partition=partition, source_offset=offset)
            )
        yield records


run(counter, name="python-counter", version="0.1.0")
