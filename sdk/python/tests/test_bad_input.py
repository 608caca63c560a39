"""What user code gets wrong: told in words with the line of its file, and nothing is lost."""

import asyncio
import builtins
import unittest
import warnings

from bulkhead_sdk import Record, RecordErrors, RetriableError, Sink, Source, sink, source
from bulkhead_sdk.failure import to_failure
from bulkhead_sdk.given_classes import given_classes
from bulkhead_sdk.harness import HarnessError, harness


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit("no text")


class NoBaseInit(RetriableError):
    def __init__(self):
        pass


async def store(records):
    raise AssertionError("never awaited")


def record(value="v", **more):
    return Record("t", value, source_partition={"p": 1}, source_offset={"n": 1}, **more)


def exit_now():
    raise SystemExit(3)


def interrupt():
    raise KeyboardInterrupt


def fail(error):
    def work(*_):
        raise error

    return work


def source_of(read):
    return type("Broken", (Source,), {"class_name": "test.Broken", "read": read, "__module__": __name__})


def sink_of(**members):
    given = {"class_name": "test.BrokenSink", "__module__": __name__, "put": lambda self, records: None}
    return type("BrokenSink", (Sink,), {**given, **members})


async def async_of(work):
    return work()


# What is raised, and what the text of the failure says.
ERRORS = (
    (ValueError("plain"), "plain"),
    (ValueError(), "ValueError"),
    (SystemExit(3), "3"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (GeneratorExit(), "GeneratorExit"),
    (type("Odd", (BaseException,), {})("odd"), "odd"),
    (Unprintable("x"), "Unprintable, whose text cannot be printed"),
    (ValueError("lone \ud800 and \x00\x07"), "lone \\ud800 and \x00\x07"),
    (ValueError(b"\xff\xfe"), "b'\\xff\\xfe'"),
    (ValueError("x" * 50_000_000), "x" * 16 * 1024 + "…"),
)


class ExceptionsTest(unittest.TestCase):
    def assertTold(self, error, text, line=True):
        self.assertEqual(error.text, text)
        if line:
            self.assertRegex(error.stack, r'test_bad_input\.py", line \d+')
        self.assertLess(len(error.stack), 200_000)

    def test_whatever_a_source_raises_fails_its_task_with_the_line(self):
        for error, text in ERRORS:
            def read(self):
                yield record()
                raise error

            async def async_read(self):
                yield record()
                raise error

            for found in (read, async_read):
                with self.subTest(text[:40], of=found.__name__), self.assertRaises(HarnessError) as raised:
                    with harness(source_of(found)) as task:
                        # What came before is not lost.
                        self.assertEqual([one.value for one in task.read(1)], ["v"])
                        task.read(1)
                self.assertTold(raised.exception, text)

    def test_whatever_start_put_and_flush_raise_is_told_and_nothing_is_committed(self):
        for error, text in ERRORS:
            for name in ("start", "open", "put", "flush", "close", "stop"):
                committed = {}
                with self.subTest(text[:40], of=name):
                    with self.assertRaises(HarnessError) as raised:
                        with harness(sink_of(**{name: fail(error)})) as task:
                            task.put("a")
                            committed = task.commit()
                    self.assertTold(raised.exception, text)
                    # What was flushed before the sink failed to close is stored.
                    self.assertEqual(len(committed), 1 if name in ("close", "stop") else 0)

    def test_every_failure_can_be_sent(self):
        for error, text in ERRORS:
            failure = to_failure(error)
            self.assertEqual(failure.text, text)
            self.assertLess(len(failure.SerializeToString()), 200_000)
        chain = ValueError("0")
        for n in range(1, 1_000):
            above = ValueError(str(n))
            above.__cause__, chain = chain, above
        self.assertEqual(len(to_failure(chain).causes), 20)

    def test_a_module_that_is_missing_comes_with_what_to_install(self):
        try:
            import not_there_at_all.part  # noqa: F401
        except ImportError as error:
            failure = to_failure(error)
        self.assertEqual(failure.text, "No module named 'not_there_at_all'")
        self.assertRegex(failure.hint, r"-m pip install not_there_at_all$")


    def test_errors_that_break_whoever_looks_at_them_are_told(self):
        class Unequal(ValueError):
            def __eq__(self, other):
                raise SystemExit("never equal")

            __hash__ = None

        ring = Unequal("ring")
        ring.__cause__ = Unequal("other")
        ring.__cause__.__cause__ = ring

        def deep(n=0):
            return deep(n + 1)

        def stopped():
            raise StopIteration("over")

        cases = [
            (fail(ring), "^ring$"),
            (deep, "recursion"),
            # Python makes another error of it, which names this one as its cause.
            (stopped, "generator raised StopIteration"),
            (lambda: [].missing, "no attribute 'missing'"),
            (lambda: open("/no/such/file"), "No such file or directory: '/no/such/file'"),
        ]
        if hasattr(builtins, "ExceptionGroup"):
            cases.append((fail(ExceptionGroup("many", [ValueError("one"), KeyError("two")])), r"^many \(2 sub-exceptions\)"))
        for work, text in cases:
            def read(self):
                yield record()
                work()

            with self.subTest(text), self.assertRaises(HarnessError) as raised, harness(source_of(read)) as task:
                task.read(1)
                task.read(1)
            self.assertRegex(raised.exception.text, text)
            self.assertRegex(raised.exception.stack, r'test_bad_input\.py", line \d+')
            self.assertLess(len(raised.exception.stack), 100_000)

    def test_what_acked_and_committed_raise_is_logged_and_reading_goes_on(self):
        for name in ("acked", "committed"):
            for error in (ValueError("callback broke"), SystemExit(4)):
                def read(self):
                    while True:
                        yield record()

                found = type("Calling", (source_of(read),), {name: fail(error), "__module__": __name__})
                with self.subTest(name, error=error), self.assertLogs(level="ERROR") as logged:
                    with harness(found) as task:
                        task.read(2)
                        task.commit()
                        task.read(2)
                self.assertRegex(logged.output[0], rf"{name} failed: (callback broke|4)")
                self.assertRegex(logged.output[0], r'test_bad_input\.py", line \d+')

    def test_what_a_source_raises_while_it_stops_is_told(self):
        def read(self):
            try:
                while True:
                    yield record()
            finally:
                self.cleaned = True
                raise OSError("cannot clean up")

        with self.assertLogs(level="WARNING") as logged, harness(source_of(read)) as task:
            task.read(1)
            source = task.task
        self.assertTrue(source.cleaned)
        self.assertIn("failed while it stopped: cannot clean up", logged.output[0])
        with self.assertRaisesRegex(HarnessError, "cannot close"):
            with harness(type("Closing", (source_of(lambda self: []),), {"stop": fail(OSError("cannot close")), "__module__": __name__})):
                pass


class ProgramTest(unittest.TestCase):
    def test_what_run_is_given_is_checked_first(self):
        def read(task):
            yield record()

        class Nameless(Source):
            __module__ = __name__

        class Odd(Source):
            class_name = 7

        class Idle(Source):
            class_name = "test.Idle"

        class IdleSink(Sink):
            class_name = "test.IdleSink"

        good = source_of(read)
        wrong = (
            ([], "was given no classes"),
            ([[]], "was given no classes"),
            ([read], r'the function read: put @source\("its.Class"\)'),
            (["x"], "was given a str: it takes classes"),
            ([[good, None]], "was given a NoneType"),
            ([int], "was given a int"),
            ([good()], "give it the class, without"),
            ([good, source_of(read)], "Broken and Broken have the same class_name test.Broken"),
            ([Nameless], "Nameless has no class_name"),
            ([Odd], "Odd has no class_name: .* as a text"),
            ([Idle], "Idle has no read: a source needs"),
            ([IdleSink], "IdleSink has no put: a sink needs"),
            ([source("a.B", {"password": "hush"})(read)], "^a dict is not a dataclass"),
        )
        for given, text in wrong:
            with self.subTest(text), self.assertRaisesRegex(TypeError, text):
                given_classes(given)
        storing = sink_of()
        self.assertEqual(given_classes([[good], storing]), [good, storing])
        for decorate in (source, sink):
            with self.assertRaisesRegex(TypeError, "is given the name that configs use"):
                decorate(read)


class WrongValuesTest(unittest.TestCase):
    def test_what_is_no_record_is_told_with_the_line_that_gave_it(self):
        wrong = (
            (lambda: None, "read gave a NoneType; it gives Records"),
            (lambda: "text", "read gave a str; it gives Records"),
            (lambda: {"topic": "t"}, "read gave a dict; it gives Records"),
            (lambda: [record(), 7], "read gave a int; it gives Records"),
            (lambda: {1}, "read gave a set; it gives Records"),
            (lambda: store([]), r"put `await` before store\(\), which is at .*test_bad_input\.py:\d+$"),
            (lambda: (one for one in ()), "write `yield from` it"),
            (lambda: Record(None, 1), "a record has the topic None"),
            (lambda: Record(["t"], 1), "unhashable|topic"),
            (lambda: record(value=store([])), "a coroutine cannot be written as JSON"),
            (lambda: record(value=object()), "a object cannot be written as JSON"),
            (lambda: record(timestamp="now"), "not a timestamp in whole milliseconds: 'now'"),
            (lambda: record(partition=-1), "not a partition: -1"),
            (lambda: record(headers=[("only a name",)]), "not enough values|header"),
            (lambda: Record("t", 1, source_offset={1j}), "cannot be written as JSON"),
            (lambda: Record("t", 1, source_partition=object(), source_offset={}), "cannot be written as JSON"),
        )
        for give, text in wrong:
            def read(self):
                yield record("first")
                yield give()

            async def async_read(self):
                yield record("first")
                yield give()

            for found in (read, async_read):
                with self.subTest(text, of=found.__name__), warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)
                    with self.assertRaises(HarnessError) as raised, harness(source_of(found)) as task:
                        self.assertEqual([one.value for one in task.read(1)], ["first"])
                        task.read(2)
                    self.assertRegex(raised.exception.text, text)
                    at = raised.exception.stack.partition("It was given here:")[2]
                    self.assertRegex(at, rf'test_bad_input\.py", line \d+, in {found.__name__}\n')

    def test_what_flush_returns_has_to_be_offsets(self):
        for value, text in ((True, "flush returned a bool"), ([("t", 0, "x")], "flush returned x"), ([1], "int")):
            with self.subTest(text), self.assertRaisesRegex(HarnessError, text):
                with harness(sink_of(flush=lambda self, offsets: value)) as task:
                    task.put("a")
                    task.commit()

    def test_record_errors_that_name_nothing_fail_the_task(self):
        for faults in (["x"], [(99, ValueError("x"))], [(None, ValueError("x"))], [("a", "b", "c")]):
            with self.subTest(faults), self.assertRaisesRegex(HarnessError, "could not be stored"):
                with harness(sink_of(put=lambda self, records: fail(RecordErrors(faults))() if records else None)) as task:
                    task.put("a")

    def test_record_errors_of_no_records_leave_all_stored(self):
        with harness(sink_of(put=lambda self, records: fail(RecordErrors([]))())) as task:
            task.put("a")
            self.assertEqual(list(task.commit().values()), [1])

    def test_pauses_that_cannot_be_waited_for_are_the_sdks_own(self):
        for odd in ("5", -1, float("nan"), float("inf"), None):
            lives = []

            def read(self):
                lives.append(1)
                if len(lives) < 2:
                    raise RetriableError("again", retry_after=odd)
                yield record()

            with self.subTest(odd), harness(source_of(read)) as task:
                task._await(lambda: task.clock.waiting > 0, "wait for its retry")
                task.clock.advance(60)
                task.read(1)
        with self.assertRaisesRegex(HarnessError, "NoBaseInit"):
            with harness(sink_of(start=fail(NoBaseInit()))):
                pass


class ForgottenAwaitTest(unittest.TestCase):
    def setUp(self):
        context = warnings.catch_warnings()
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def test_a_put_that_forgot_to_await_has_stored_nothing(self):
        def put(self, records):
            if records:
                store(records)

        async def async_put(self, records):
            if records:
                store(records)

        for found in (put, async_put):
            for attempt in range(2):
                with self.subTest(found.__name__, attempt=attempt):
                    with self.assertRaises(HarnessError) as raised, harness(sink_of(put=found)) as task:
                        task.put("a")
                        task.commit()
                    self.assertRegex(
                        raised.exception.text,
                        r"coroutine 'store' was never awaited \(.*test_bad_input\.py:\d+\): what it should",
                    )

    def test_a_source_that_forgot_to_await_fails(self):
        def read(self):
            while True:
                store([])
                yield record()

        async def async_read(self):
            while True:
                store([])
                yield record()

        def poll(self):
            store([])
            return [record()]

        for found in (read, async_read, poll):
            with self.subTest(found.__name__), self.assertRaisesRegex(HarnessError, "'store' was never awaited"):
                with harness(source_of(found)) as task:
                    task.read(2)

    def test_code_that_is_cancelled_by_itself_is_told(self):
        async def read(self):
            yield record()
            raise asyncio.CancelledError()

        with self.assertRaisesRegex(HarnessError, "though nothing was to stop"):
            with harness(source_of(read)) as task:
                task.read(2)


if __name__ == "__main__":
    unittest.main()
