"""Sinks in the harness: what they are given, ask for again, report and commit."""

import asyncio
import unittest

from bulkhead_sdk import Record, RecordErrors, RetriableError, Sink, schema, sink
from bulkhead_sdk.harness import HarnessError, harness


class Keeper(Sink):
    """Keeps what it was given, and counts what happens."""

    class_name = "test.Keeper"

    def start(self):
        self.seen = []
        self.events = []

    def open(self, partitions):
        self.events.append(("open", [tuple(one) for one in partitions]))

    def put(self, records):
        self.seen += [one.value for one in records]

    def flush(self, offsets):
        self.events.append(("flush", [tuple(one) for one in offsets]))

    def close(self, partitions):
        self.events.append(("close", [tuple(one) for one in partitions]))

    def stop(self):
        self.events.append(("stop", None))


class SinkHarnessTest(unittest.TestCase):
    def test_a_sink_lives_from_open_to_stop(self):
        with harness(Keeper) as task:
            task.put("a", "b")
            self.assertEqual(task.commit(), {("topic", 0): 2})
            task.put("c")
            keeper = task.task
        self.assertEqual(keeper.seen, ["a", "b", "c"])
        self.assertEqual(
            keeper.events,
            [
                ("open", [("topic", 0, None)]),
                ("flush", [("topic", 0, 2)]),
                ("flush", [("topic", 0, 3)]),
                ("close", [("topic", 0)]),
                ("stop", None),
            ],
        )

    def test_after_a_crash_what_was_not_committed_comes_again(self):
        with harness(Keeper) as task:
            task.put("a")
            task.commit()
            task.put("b")
            task.crash()
            task.resume()
            self.assertEqual(task.task.seen, ["b"])
            task.put("c")
            self.assertEqual(task.task.seen, ["b", "c"])

    def test_a_rebalance_commits_and_a_lost_one_does_not(self):
        with harness(Keeper) as task:
            task.put("a")
            task.rebalance()
            self.assertEqual(task.committed, {("topic", 0): 1})
            task.put("b")
            task.lose()
            self.assertEqual(task.task.seen, ["a", "b", "b"])
            self.assertEqual(task.committed, {("topic", 0): 1})
            with self.assertRaises(TypeError):
                task.rebalance(lost=True)

    def test_only_the_partitions_named_move(self):
        with harness(Keeper) as task:
            task.put("a")
            task.put("x", partition=1)
            task.lose(("topic", 1))
            self.assertEqual(task.task.seen, ["a", "x", "x"])
            task.rebalance(("topic", 0))
            self.assertEqual(task.task.seen, ["a", "x", "x"])
            self.assertEqual(task.committed, {("topic", 0): 1, ("topic", 1): 1})

    def test_records_are_given_with_all_they_have(self):
        given = []

        @sink("test.Seer")
        def seer(records, task):
            given.extend(records)
            task.events = len(given)

        row = schema.struct({"id": schema.int64(), "at": schema.timestamp(optional=True)})
        with harness(seer) as task:
            task.put(
                Record("t", {"id": 7, "at": None}, b"k", value_schema=row, partition=3, timestamp=5),
                Record("t", None, headers=[("h", "x"), ("h", None), ("n", [1, 2.5])], partition=3),
                Record("t", {"a": [1 << 62, 0.1, "\ud83d"]}, partition=3),
            )
        one, two, three = given
        self.assertEqual((one.topic, one.partition, one.offset, one.timestamp), ("t", 3, 0, 5))
        self.assertEqual((one.key, one.value, one.value_schema.type), (b"k", {"id": 7, "at": None}, "struct"))
        self.assertEqual((two.value, two.key, two.timestamp), (None, None, None))
        self.assertEqual([one[:2] for one in two.headers], [("h", "x"), ("h", None), ("n", [1, 2.5])])
        self.assertEqual(three.value, {"a": [1 << 62, 0.1, "\ud83d"]})

    def test_a_retry_gets_the_same_records_again(self):
        class Flaky(Keeper):
            class_name = "test.Flaky"

            async def put(self, records):
                await asyncio.sleep(0)
                self.tries = getattr(self, "tries", 0) + 1
                if self.tries < 3:
                    raise RetriableError("not yet", retry_after=60)
                self.seen += [one.value for one in records]

        with harness(Flaky) as task:
            task.put("a", "b")
            self.assertEqual((task.task.seen, task.task.tries), (["a", "b"], 3))

    def test_bad_records_are_reported_and_the_others_stored(self):
        class Picky(Keeper):
            class_name = "test.Picky"

            def put(self, records):
                bad = [(one, ValueError(f"no {one.value}")) for one in records if one.value < 0]
                if len(bad) > 1:
                    raise RecordErrors(bad)
                for record, error in bad:
                    self.report(record, error)

        with harness(Picky) as task:
            task.put(1, -2, 3, -4)
            task.put(-5)
            self.assertEqual(
                task.reported,
                [(("topic", 0, 1), "no -2"), (("topic", 0, 3), "no -4"), (("topic", 0, 4), "no -5")],
            )
            self.assertEqual(task.commit(), {("topic", 0): 5})

    def test_a_rewind_delivers_again_and_a_pause_holds_back(self):
        class Moody(Keeper):
            class_name = "test.Moody"

            def put(self, records):
                super().put(records)
                if self.seen == ["a", "b"]:
                    self.rewind([("topic", 0, 1)])
                if records and records[-1].value == "c":
                    self.pause([("topic", 0)])

        with harness(Moody) as task:
            task.put("a", "b")
            self.assertEqual(task.task.seen, ["a", "b", "b"])
            task.put("c")
            task.put("d")
            self.assertEqual(task.task.seen, ["a", "b", "b", "c"])

    def test_put_is_called_with_nothing_when_time_passes(self):
        class Timed(Keeper):
            class_name = "test.Timed"
            idle = 0

            def put(self, records):
                if not records:
                    type(self).idle += 1
                self.timeout(10)

        with harness(Timed) as task:
            task.put("a")
            task.idle(9)
            task.put("b")
            self.assertEqual(Timed.idle, 0)
            task.idle(11)
            task._await(lambda: Timed.idle == 1, "put nothing")

    def test_a_flush_may_commit_less(self):
        class Slow(Keeper):
            class_name = "test.Slow"

            def flush(self, offsets):
                return [("topic", 0, 1), ("other", 0, 9)]

        with harness(Slow) as task:
            with self.assertLogs("test.Slow", "WARNING") as logged:
                task.put("a", "b")
                self.assertEqual(task.commit(), {("topic", 0): 1})
        self.assertIn("other-0", logged.output[0])

    def test_exceptions_of_every_function_are_told_with_their_line(self):
        class Raises(Keeper):
            class_name = "test.Raises"

        def trouble(self, *_):
            raise KeyError("no such thing")

        for name in ("start", "open", "put", "flush", "close", "stop"):
            found = type("Raises", (Keeper,), {"class_name": "test.Raises", name: trouble})
            with self.subTest(name), self.assertRaises(HarnessError) as raised:
                with harness(found) as task:
                    task.put("a")
                    if name == "flush":
                        task.commit()
            self.assertIn("no such thing", raised.exception.text)
            self.assertRegex(raised.exception.stack, r'test_sink_harness\.py", line \d+, in trouble')


if __name__ == "__main__":
    unittest.main()
