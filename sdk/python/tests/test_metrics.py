"""Metrics of the user's: what goes to the host, and that it is bounded."""

import logging
import unittest

from bulkhead_sdk import Record, source
from bulkhead_sdk.harness import harness
from bulkhead_sdk.metrics import Metrics


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.metrics = Metrics()
        self.task = self.metrics.task("c", 3)

    def test_a_metric_is_described_once_and_sent_when_it_has_changed(self):
        rows = self.task.counter("rows", "rows read", {"kind": "a"})
        rows.add()
        rows.add(2.5)
        self.task.gauge("queue", "", {}).set(-7)
        batch = self.metrics.batch()
        self.assertEqual([(one.id, one.name, one.documentation) for one in batch.descriptors],
                         [(1, "rows", "rows read"), (2, "queue", "")])
        self.assertEqual({one.name: one.value for one in batch.descriptors[0].tags},
                         {"connector": "c", "task": "3", "kind": "a"})
        self.assertEqual([(one.id, one.value) for one in batch.values], [(1, 3.5), (2, -7)])
        self.assertIsNone(self.metrics.batch())
        self.assertIs(self.task.counter("rows", "", {"kind": "a"}), rows)
        rows.add()
        batch = self.metrics.batch()
        self.assertEqual((len(batch.descriptors), [(one.id, one.value) for one in batch.values]), (0, [(1, 4.5)]))

    def test_those_of_a_task_that_has_ended_are_removed(self):
        self.task.gauge("a", "", {}).set(1)
        self.metrics.batch()
        self.task.gauge("never.sent", "", {})
        self.task.close()
        self.assertEqual(list(self.metrics.batch().removed), [1])
        self.assertIsNone(self.metrics.batch())

    def test_what_makes_no_sense_is_refused(self):
        for wrong in (-1, float("nan"), float("inf"), "1", None):
            with self.assertRaises(ValueError):
                self.task.counter("a", "", {}).add(wrong)
        with self.assertRaisesRegex(ValueError, "gauge cannot be 'x'"):
            self.task.gauge("b", "", {}).set("x")
        with self.assertRaisesRegex(ValueError, "a is a counter already"):
            self.task.gauge("a", "", {})
        for name in ("", "1", "a b", None, "x" * 300):
            with self.assertRaisesRegex(ValueError, "cannot be called"):
                self.task.counter(name, "", {})

    def test_there_is_an_end_to_their_number_and_it_is_told_once(self):
        with self.assertLogs("bulkhead_sdk.metrics", logging.WARNING) as logs:
            for n in range(1_005):
                self.task.counter(f"m{n}", "", {}).add()
        self.assertEqual(len(logs.output), 1)
        self.assertEqual(len(self.metrics.batch().values), 1_000)

    def test_a_task_has_them(self):
        @source("test.Counting")
        def counting(task):
            for n in range(3):
                task.counter("yielded", topic="t").add()
                yield Record("t", n)

        with harness(counting) as task:
            task.read(3)
            self.assertEqual(task.task.counter("yielded", topic="t").value, 3)


if __name__ == "__main__":
    unittest.main()
