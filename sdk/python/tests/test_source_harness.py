"""Sources in the harness: what they yield, commit, repeat and fail with."""

import asyncio
import unittest
from dataclasses import dataclass

from bulkhead_sdk import Checkpoint, Record, RetriableError, Source, source
from bulkhead_sdk.harness import HarnessError, harness


@dataclass
class Config:
    topic: str
    start: int = 0
    fail_at: int | None = None


@source("test.Counter", Config)
def counter(task):
    partition = {"counter": "main"}
    n = (task.offset(partition) or {"n": task.config.start})["n"]
    while True:
        if n == task.config.fail_at:
            raise ValueError(f"no {n}")
        yield Record(task.config.topic, f"line {n}", source_partition=partition, source_offset={"n": n + 1})
        n += 1


class AsyncCounter(Source):
    class_name = "test.AsyncCounter"
    config_class = Config

    async def start(self):
        await asyncio.sleep(0)
        self.events = []

    async def read(self):
        partition = {"counter": "main"}
        n = (self.offset(partition) or {"n": self.config.start})["n"]
        try:
            while True:
                records = [
                    Record(self.config.topic, f"line {one}", source_partition=partition, source_offset={"n": one + 1})
                    for one in range(n, n + 10)
                ]
                yield records
                n += 10
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise

    async def stop(self):
        self.events.append("stopped")


def values(records):
    return [one.value for one in records]


class SourceHarnessTest(unittest.TestCase):
    def test_a_batch_larger_than_asked_for_does_not_use_up_the_reads_that_follow(self):
        with harness(AsyncCounter, {"topic": "t"}, wait=20) as task:
            for count in (2, 12, 20, 1, 40):
                self.assertEqual(len(task.read(count)), count)
            self.assertEqual(values(task.read(1)), ["line 75"])

    def test_a_batch_that_was_not_read_whole_is_not_committed_with_last_offsets(self):
        class Ten(Source):
            class_name = "test.Ten"
            offset_mode = "last"

            def read(self):
                place = {"counter": "main"}
                yield [Record("t", n, source_partition=place, source_offset={"n": n}) for n in range(10)]

        with harness(Ten) as task:
            task.read(3)
            self.assertEqual(task.commit(), {})
            task.read(7)
            self.assertEqual(task.commit(), {'{"counter":"main"}': {"n": 9}})

    def test_a_source_goes_on_behind_what_was_committed(self):
        for found in (counter, AsyncCounter):
            with self.subTest(found.class_name), harness(found, {"topic": "t", "start": 5}) as task:
                first = task.read(3)
                self.assertEqual(values(first), ["line 5", "line 6", "line 7"])
                self.assertEqual((first[0].topic, first[0].source_offset), ("t", {"n": 6}))
                self.assertEqual(task.commit(), {'{"counter":"main"}': {"n": 8}})
                task.read(4)
                task.crash()
                task.resume()
                self.assertEqual(values(task.read(2)), ["line 8", "line 9"])
                task.rebalance(task=3)
                self.assertEqual(task.task.task, 3)
                self.assertEqual(values(task.read(1)), ["line 10"])

    def test_an_async_source_is_cancelled_and_then_stopped(self):
        with harness(AsyncCounter, {"topic": "t"}) as task:
            task.read(1)
            instance = task.task
        self.assertIn(instance.events, (["cancelled", "stopped"], ["stopped"]))

    def test_a_failure_names_the_line_of_the_users_file(self):
        with harness(counter, {"topic": "t", "fail.at": 2}) as task:
            with self.assertRaises(HarnessError) as raised:
                task.read(3)
        self.assertEqual(raised.exception.text, "no 2")
        self.assertRegex(raised.exception.stack, r'test_source_harness\.py", line \d+, in counter')
        self.assertNotIn("source_task.py", raised.exception.stack)

    def test_a_retriable_error_begins_anew_behind_what_was_yielded(self):
        class Flaky(Source):
            class_name = "test.Flaky"
            lives = 0

            def read(self):
                type(self).lives += 1
                n = (self.offset({"p": 1}) or {"n": 0})["n"]
                for n in range(n, n + 2):
                    yield Record("t", n, source_partition={"p": 1}, source_offset={"n": n + 1})
                raise RetriableError("away for a while", retry_after=3_600)

        with harness(Flaky) as task:
            self.assertEqual(values(task.read(2)), [0, 1])
            task._await(lambda: task.clock.waiting > 0, "wait for its retry")
            task.clock.advance(3_600)
            self.assertEqual(values(task.read(2)), [2, 3])
        self.assertEqual(Flaky.lives, 2)

    def test_a_function_that_returns_lists_is_called_again_and_again(self):
        class Poller(Source):
            class_name = "test.Poller"
            calls = 0

            def read(self):
                self.calls += 1
                return [Record("t", b"\x00" * self.calls), Checkpoint({"p": 1}, {"n": self.calls})]

        with harness(Poller) as task:
            self.assertEqual(values(task.read(3)), [b"\x00", b"\x00\x00", b"\x00\x00\x00"])
            self.assertGreaterEqual(task.commit()['{"p":1}']["n"], 2)

    def test_acked_and_committed_reach_the_user_before_stop(self):
        events = []

        class Told(Source):
            class_name = "test.Told"

            def read(self):
                for n in range(4):
                    yield [Record("t", n, source_partition={"p": 1}, source_offset={"n": n})]

            def acked(self, records):
                events.append(("acked", values(records)))

            async def committed(self, offsets):
                events.append(("committed", offsets))

            def stop(self):
                events.append(("stop", None))

        with harness(Told) as task:
            task.read(4)
            task.commit()
        self.assertEqual([one for name, seen in events if name == "acked" for one in seen], [0, 1, 2, 3])
        self.assertEqual(events[-2:], [("committed", [({"p": 1}, {"n": 3})]), ("stop", None)])

    def test_what_is_no_record_is_told(self):
        for wrong, said in (
            ("text", "read gave a str; it gives Records"),
            (Record("", 1), "the topic ''"),
            (Record("t", object()), "a object cannot be written as JSON"),
            (Record("t", 1, timestamp=1.5), "not a timestamp in whole milliseconds: 1.5"),
            (Record("t", 1 << 63), "too large for an integer without schema"),
        ):
            class Wrong(Source):
                class_name = "test.Wrong"

                def read(self, wrong=wrong):
                    yield wrong

            with self.subTest(said), harness(Wrong) as task, self.assertRaises(HarnessError) as raised:
                task.read(1)
            self.assertIn(said, raised.exception.text)

    def test_exceptions_of_every_function_are_told_with_their_line(self):
        def trouble():
            raise SystemExit("binary \udc80 text")

        class Raises(Source):
            class_name = "test.Raises"

            def start(self):
                if self.texts["at"] == "start":
                    trouble()

            def read(self):
                if self.texts["at"] == "read":
                    trouble()
                yield Record("t", 1)

            def stop(self):
                if self.texts["at"] == "stop":
                    trouble()

        for at in ("start", "read", "stop"):
            with self.subTest(at):
                with self.assertRaises(HarnessError) as raised, harness(Raises, {"at": at}) as task:
                    task.read(1)
                self.assertEqual(raised.exception.text, "binary \\udc80 text")
                self.assertIn("test_source_harness.py", raised.exception.stack)
                self.assertIn(f"in {at}", raised.exception.stack)

    def test_a_required_key_that_is_missing_fails_the_start(self):
        with self.assertRaises(HarnessError) as raised, harness(counter):
            pass
        self.assertIn('Missing required configuration "topic"', raised.exception.text)


if __name__ == "__main__":
    unittest.main()
