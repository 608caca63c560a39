"""What a class of stage does with one record of a batch, by its kind."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Generator

from bulkhead.plugin.v1 import stage_pb2 as pb

from .put_batch import PutBatch
from .sink_record import SinkRecord
from .source_record import Record
from .stage import ConnectData, Converted, KafkaData, KafkaHeader
from .stage_record import DROP, StageRecord
from .stage_results import StageResults

#: What is done with one record. It yields what the user's function shall be given, is sent what that
#: gave, says the result, and yields None: so it does not matter whether the function is plain or async.
Step = Callable[[PutBatch, int], Generator[Any, Any, None]]

_OPERATIONS = {
    "transformation": (pb.STAGE_OPERATION_APPLY,),
    "predicate": (pb.STAGE_OPERATION_TEST,),
    "converter": (pb.STAGE_OPERATION_TO_CONNECT, pb.STAGE_OPERATION_FROM_CONNECT),
    "header_converter": (pb.STAGE_OPERATION_TO_CONNECT, pb.STAGE_OPERATION_FROM_CONNECT),
}


class StageSteps:
    """One stage's. Each step raises what is wrong with its record, before anything is said of it."""

    def __init__(self, instance: Any, results: StageResults) -> None:
        self._instance = instance
        self._results = results

    def step(self, operation: int) -> tuple[Step, Callable[..., Any]]:
        """With the user's function. Raises ValueError where the stage's kind has no such operation."""
        instance = self._instance
        kind = instance.kind
        if operation not in _OPERATIONS[kind]:
            raise ValueError(f"a {kind} was asked for operation {operation}, which it does not have")
        if kind == "transformation":
            return self._apply, instance.apply
        if kind == "predicate":
            return self._test, instance.test
        to = operation == pb.STAGE_OPERATION_TO_CONNECT
        convert = instance.to_connect if to else instance.from_connect
        if kind == "converter":
            return self._value_to_connect if to else self._value_from_connect, convert
        return self._headers_to_connect if to else self._headers_from_connect, convert

    def _apply(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        made = yield StageRecord(batch, SinkRecord(batch, at))
        if made is DROP:
            self._results.filtered()
        elif isinstance(made, StageRecord):
            self._results.ok(made._outgoing())
        else:
            raise _wrong(self._instance.apply, made, "the record, record.replace(…), or DROP")
        yield None

    def _test(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        yes = yield StageRecord(batch, SinkRecord(batch, at))
        if not isinstance(yes, bool):
            raise _wrong(self._instance.test, yes, "True or False")
        self._results.tested(yes)
        yield None

    def _value_to_connect(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        row = SinkRecord(batch, at)
        headers = _headers_in(row)
        made = yield KafkaData(row.topic, _bytes_in(row.value, "a value"), headers)
        convert = self._instance.to_connect
        value, schema = _converted(convert, made)
        out = _headers_out(convert, headers)
        self._results.ok(Record(row.topic, value, value_schema=schema, headers=out))
        yield None

    def _value_from_connect(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        row = SinkRecord(batch, at)
        headers = _headers_in(row)
        made = yield ConnectData(row.topic, row.value, row.value_schema, headers)
        convert = self._instance.from_connect
        value = _bytes_out(convert, made)
        self._results.ok(Record(row.topic, value, headers=_headers_out(convert, headers)))
        yield None

    def _headers_to_connect(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        row = SinkRecord(batch, at)
        converted = []
        for name, value, _ in row.headers:
            made = yield KafkaData(row.topic, _bytes_in(value, f"header {name}"), [], name)
            converted.append((name, *_converted(self._instance.to_connect, made)))
        self._results.ok(Record(row.topic, headers=converted))
        yield None

    def _headers_from_connect(self, batch: PutBatch, at: int) -> Generator[Any, Any, None]:
        row = SinkRecord(batch, at)
        converted = []
        for name, value, schema in row.headers:
            made = yield ConnectData(row.topic, value, schema, [], name)
            converted.append((name, _bytes_out(self._instance.from_connect, made)))
        self._results.ok(Record(row.topic, headers=converted))
        yield None


def _headers_in(row: SinkRecord) -> list[Any]:
    return [KafkaHeader(name, _bytes_in(value, f"header {name}")) for name, value, _ in row.headers]


def _headers_out(function: Any, headers: list[Any]) -> list[tuple[str, bytes | None]]:
    out = []
    for one in headers:
        if not isinstance(one, tuple) or len(one) != 2 or not isinstance(one[0], str):
            raise TypeError(
                f"{_place(function)} left {one!r:.100} in data.headers: each is a name with its bytes"
            )
        out.append((one[0], _bytes_out(function, one[1], f" as header {one[0]}")))
    return out


def _bytes_in(value: Any, what: str) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"{what} came as {type(value).__name__} where bytes were due")


def _bytes_out(function: Any, made: Any, where: str = "") -> bytes | None:
    if made is None or isinstance(made, (bytes, bytearray, memoryview)):
        return None if made is None else bytes(made)
    if isinstance(made, str):
        return made.encode()
    raise _wrong(function, made, "bytes, a str or None", where)


def _converted(function: Any, made: Any) -> Converted:
    if not isinstance(made, Converted):
        raise _wrong(function, made, "Converted(value, schema)")
    return made


def _wrong(function: Any, made: Any, wanted: str, where: str = "") -> TypeError:
    given = "None" if made is None else f"a {type(made).__name__}"
    text = f"{_place(function)} gave {given}{where}: it has to give {wanted}"
    if made is None:
        text += "; a function without `return` gives None"
    elif inspect.isgenerator(made) or inspect.isasyncgen(made):
        text += "; write `return` in it instead of `yield`"
    return TypeError(text)


def _place(function: Any) -> str:
    """A function of the user's, by its name and line: what it gave has no traceback."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", "the function")
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"
