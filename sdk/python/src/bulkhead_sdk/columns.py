"""How a batch leaves out of a column what need not be said."""

from __future__ import annotations

from typing import Any


def zero_or_all(column: Any, values: list[int]) -> None:
    if values.count(0) < len(values):
        column.extend(values)


def zero_one_or_all(column: Any, values: list[int]) -> None:
    if not values:
        return
    first = values[0]
    if values.count(first) == len(values):
        if first != 0:
            column.append(first)
    else:
        column.extend(values)


def deltas(column: Any, values: list[int]) -> None:
    if not values:
        return
    first = values[0]
    if values.count(first) == len(values):
        if first != -1:
            column.append(first)
        return
    column.append(first)
    column.extend([_wrapped(b - a) for a, b in zip(values, values[1:])])


def _wrapped(delta: int) -> int:
    """Modulo 2^64."""
    return (delta + (1 << 63)) % (1 << 64) - (1 << 63)
