"""From the texts of a config to its dataclass, with the error messages of Kafka Connect's ConfigDef."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Mapping, Sequence

from .config import ConfigKey, Secret, is_model, keys_of
from .errors import ConfigError
from .failure import text_of
from .java_number import java_double

_BITS = {"SHORT": 15, "INT": 31, "LONG": 63}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)")
_BAD = object()


@dataclass
class ParsedKey:
    key: ConfigKey
    value: Any
    """None where nothing was given and there is no default, or where parsing failed."""
    text: str | None
    """The value as Kafka Connect prints it; None = none."""
    errors: list[str]


def parse_keys(keys: Sequence[ConfigKey], given: Mapping[str, str]) -> list[ParsedKey]:
    """Reads every declared key; errors are collected."""
    return [_parse_key(key, given.get(key.name)) for key in keys]


def parse_config(config: type | None, given: Mapping[str, str]) -> Any:
    """The typed config; without a config class an empty namespace. Raises ConfigError with all problems."""
    if config is None:
        return SimpleNamespace()
    parsed = parse_keys(keys_of(config), given)
    problems = [(one.key.name, message) for one in parsed for message in one.errors]
    if problems:
        raise ConfigError("; ".join(message for _, message in problems), problems=problems)
    return make_config(config, parsed, given)


def make_config(config: type | None, parsed: Sequence[ParsedKey], given: Mapping[str, str]) -> Any:
    """The typed config of keys without errors. Raises ConfigError with what the class itself refuses."""
    if config is None:
        return SimpleNamespace()
    problems: list[tuple[str, str]] = []
    try:
        if not is_model(config):
            return config(**{one.key.field: one.value for one in parsed})
        from .pydantic_config import make_model

        return make_model(config, [(one.key, one.value) for one in parsed], given)
    except ValueError as error:
        problems = _problems_of(error, parsed)
        if not problems:
            raise _refused(text_of(error), parsed) from error
    # Not from pydantic's error: its text has the values.
    raise ConfigError("; ".join(message for _, message in problems), problems=problems)


def _problems_of(error: ValueError, parsed: Sequence[ParsedKey]) -> list[tuple[str, str]]:
    """What pydantic found, by key."""
    from .pydantic_config import problems_of

    texts = {one.key.name: "[hidden]" if one.key.type == "PASSWORD" else one.text for one in parsed}
    found: list[tuple[str, str]] = []
    for key, message in problems_of(error, [one.key for one in parsed]):
        if key is None:
            found += _refused(message, parsed).problems
        else:
            found.append((key.name, _invalid(key, str(texts[key.name]), message)))
    return found


def _refused(message: str, parsed: Sequence[ParsedKey]) -> ConfigError:
    """About the keys that the message names; where it names none, about the first."""
    keys = [one.key for one in parsed]
    named = [key for key in keys if _names(message, key.name) or _names(message, key.field)]
    problems = [(key.name, message) for key in named or keys[:1]]
    return ConfigError(message, problems=problems)


def _names(message: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\.?\w)", message) is not None


def _parse_key(key: ConfigKey, given: str | None) -> ParsedKey:
    source = key.default_text if given is None else given
    if source is None:
        if not key.required:
            return ParsedKey(key, None, None, [])
        missing = f'Missing required configuration "{key.name}" which has no default value.'
        return ParsedKey(key, None, None, [missing, *_check_null(key)])
    value = _parse(key.type, source)
    if value is _BAD:
        expected = (
            "Expected value to be either true or false"
            if key.type == "BOOLEAN"
            else f"Not a number of type {key.type}"
        )
        return ParsedKey(key, None, None, [_invalid(key, source, expected), *_check_null(key)])
    text = _text(key.type, value)
    broken = _check(key, value)
    if broken is not None:
        return ParsedKey(key, None, text, [_invalid(key, text, broken)])
    if key.enum_type is not None:
        value = next((one for one in key.enum_type if str(one.value) == value), value)
    return ParsedKey(key, value, text, [])


def _invalid(key: ConfigKey, value: str, reason: str) -> str:
    return f"Invalid value {value} for configuration {key.name}: {reason}"


def _check_null(key: ConfigKey) -> list[str]:
    """Connect's validators still run after a failed parse, on null."""
    if key.min is not None or key.max is not None:
        return [_invalid(key, "null", "Value must be non-null")]
    if key.one_of:
        return [_invalid(key, "null", _one_of_reason(key))]
    return []


def _parse(kind: str, text: str) -> Any:
    trimmed = text.strip()
    if kind == "BOOLEAN":
        return {"true": True, "false": False}.get(trimmed.lower(), _BAD)
    if kind in _BITS:
        if _INTEGER.fullmatch(trimmed) is None:
            return _BAD
        # Far longer texts are out of range anyway, and costly to read.
        number = int(trimmed) if len(trimmed) < 100 else 1 << 63
        return number if -(1 << _BITS[kind]) <= number < 1 << _BITS[kind] else _BAD
    if kind == "DOUBLE":
        if _DOUBLE.fullmatch(trimmed) is None:
            return _BAD
        plain = trimmed if trimmed[-1] == "y" else trimmed.rstrip("fFdD")
        return float(plain)
    if kind == "LIST":
        return [] if trimmed == "" else re.split(r"\s*,\s*", trimmed)
    return Secret(text) if kind == "PASSWORD" else trimmed


def _text(kind: str, value: Any) -> str:
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "DOUBLE":
        return java_double(value)
    return ",".join(value) if kind == "LIST" else str(value)


def _check(key: ConfigKey, value: Any) -> str | None:
    """What is wrong with the value; None = nothing."""
    if key.min is not None and value < key.min:
        return f"Value must be at least {key.min}"
    if key.max is not None and value > key.max:
        return f"Value must be no more than {key.max}"
    if key.one_of:
        fold = str.upper if key.case_insensitive else str
        if fold(str(value)) not in map(fold, key.one_of):
            return _one_of_reason(key)
    if key.non_empty and value == "":
        return "String must be non-empty"
    if key.pattern is not None and re.fullmatch(key.pattern, str(value)) is None:
        return f"String must match pattern {key.pattern}"
    return None


def _one_of_reason(key: ConfigKey) -> str:
    case = " (case insensitive)" if key.case_insensitive else ""
    return f"String must be one of{case}: {', '.join(key.one_of)}"
