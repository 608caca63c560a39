"""Packing many records in one run gives the bytes of packing each by itself."""

import random
import unittest

from bulkhead_sdk import DataError, Record
from bulkhead_sdk.definitions import OutDefinitions
from bulkhead_sdk.packer import Packer
from bulkhead_sdk.record_run import record_run

PARTITION = {"p": "main"}


def packed(records, in_runs, mode="per-record", bytes_max=100_000):
    """What is sent for these, with what is alike taken in runs or each by itself."""
    sent = []
    packer = Packer(OutDefinitions(sent.append), bytes_max, mode)
    if not in_runs:
        packer._add_run = lambda items, start: start
    at = 0
    while at < len(records):
        before = at
        if not packer.full:
            at = packer.add_alike(records, at)
        if at == before:
            if packer.full or not packer.add(records[at]):
                sent.append(packer.finish(len(sent), True))
            else:
                at += 1
    sent.append(packer.finish(len(sent), True))
    return [
        one if isinstance(one, bytes) else (one.message, one.count, one.cost_bytes, one.last_offsets)
        for one in sent
    ]


def record(n, **more):
    given = {"topic": "t", "value": f"line {n}", "source_partition": PARTITION, "source_offset": {"n": n}}
    return Record(**{**given, **more})


ODD = (
    {"value": b"bytes"},
    {"value": "schön \ud83d\ude00"},
    {"value": None},
    {"value": {"a": 1}},
    {"value": "lone \ud800"},
    {"value": "x" * 50_000},
    {"topic": "u"},
    {"key": "k"},
    {"timestamp": 5},
    {"partition": 3},
    {"headers": [("h", "v")]},
    {"source_offset": None},
    {"source_offset": {"n": True}},
    {"source_offset": {"n": -(1 << 63)}},
    {"source_offset": {"n": 1.5}},
    {"source_offset": {"m": 1}},
    {"source_offset": {"n": 1, "m": 2}},
    {"source_offset": {"ü": 7}},
    {"source_offset": {"n": 0}},
    {"source_partition": {"p": "main"}},
    {"source_partition": {"p": "other"}},
    {"source_partition": None},
)


class PackerTest(unittest.TestCase):
    def assertSame(self, records):
        for mode in ("per-record", "last"):
            self.assertTrue(packed(records, True, mode) == packed(records, False, mode), f"other bytes in runs: {mode}")

    def test_records_that_are_alike_are_packed_as_one_by_one(self):
        for make in (record, lambda n: record(n, value=b"%d" % n), lambda n: record(n, source_offset={"ü\ud800": n})):
            self.assertIsNotNone(record_run([make(n) for n in range(10)]), "not taken in runs")
            self.assertSame([make(n) for n in range(2_000)])

    def test_where_only_the_last_offset_counts_the_others_may_be_missing(self):
        for given in ({}, {9: 1}, {3: 1}, {3: 1, 7: 2}, {0: 5}):
            records = [record(n, source_offset={"n": given[n % 10]} if n % 10 in given else None) for n in range(2_000)]
            self.assertIsNotNone(record_run(records[:10], True), "not taken in runs")
            self.assertSame(records)

    def test_an_offset_that_cannot_be_written_is_told(self):
        records = [record(n, source_offset={"n": 1j} if n == 19 else None) for n in range(20)]
        with self.assertRaisesRegex(DataError, "complex"):
            packed(records, True, "last")
        records[19].source_offset = {"n": "x" * 70_000}
        with self.assertRaisesRegex(DataError, "offset"):
            packed(records, True, "last")

    def test_runs_fill_a_batch_and_go_hardly_beyond(self):
        for size in (1, 1_000, 200_000):
            for mode in ("per-record", "last"):
                records = [record(n, value=b"x" * size) for n in range(1_000 if size < 10_000 else 30)]
                batches = [one for one in packed(records, True, mode, 4 << 20) if isinstance(one, tuple)]
                self.assertEqual(sum(count for _, count, _, _ in batches), len(records))
                for _, _, cost, _ in batches[:-1]:
                    self.assertGreaterEqual(cost, 512 << 10)
                    self.assertLess(cost, (560 << 10) + 2 * size)

    def test_one_that_differs_changes_nothing_for_the_others(self):
        for odd in ODD:
            for place in (0, 7, 500):
                with self.subTest(odd=odd, place=place):
                    records = [record(n) for n in range(510)]
                    records[place] = record(place, **odd)
                    self.assertSame(records)

    def test_any_mixture_is_packed_as_one_by_one(self):
        for seed in range(6):
            with self.subTest(seed):
                rng = random.Random(seed)
                records = [
                    record(n, **(rng.choice(ODD) if rng.random() < 0.01 else {}))
                    for n in range(rng.randrange(3_000))
                ]
                self.assertSame(records)


if __name__ == "__main__":
    unittest.main()
