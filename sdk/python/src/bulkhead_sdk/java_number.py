"""Numbers as Java prints them."""

from __future__ import annotations

import struct
from decimal import Decimal


def java_double(value: float) -> str:
    """`1.0`, `1.0E10`, `1.0E-5`, `NaN`, `Infinity`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    # Java writes two digits at least, and of these the nearest: 4.9E-324 where one, 5, would do.
    two = f"{value:.1e}"
    sign, digits, exponent = Decimal(two if float(two) == value else repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = int(exponent) + len(digits) - 1
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{power}"


def java_float(value: float) -> str:
    """The same for a float32: the shortest digits that give back the same float32."""
    single = as_single(value)
    if single != single or single in (float("inf"), float("-inf")) or single == 0:
        return java_double(single)
    shortest = single
    for digits in range(2, 10):
        shortest = float(f"{single:.{digits - 1}e}")
        if as_single(shortest) == single:
            break
    return java_double(shortest)


def as_single(value: float) -> float:
    """The nearest float32; what is too large becomes infinite."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
