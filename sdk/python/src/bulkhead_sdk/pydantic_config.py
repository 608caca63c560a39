"""Config declared as a pydantic model. Pydantic is never imported here: who uses it has done so."""

from __future__ import annotations

import enum
import typing
from typing import Any, Container, Mapping, Sequence

from .config import TYPES, ConfigKey, Secret, default_text, is_model, without_none

# What pydantic does not say of a field, in its `json_schema_extra`, by the names that `key` has.
_SAID = ("type", "group", "order", "width", "display_name", "dependents", "case_insensitive")
_PREFIXES = ("Value error, ", "Assertion failed, ")
_LISTS = (list, tuple, set, frozenset)


def keys_of_model(config: Any) -> tuple[ConfigKey, ...]:
    """Its keys in order. Raises TypeError for a field that a text cannot be made into."""
    return tuple(_key_of(config, name, info) for name, info in config.model_fields.items())


def make_model(config: Any, values: Sequence[tuple[ConfigKey, Any]], given: Container[str]) -> Any:
    """The model of the keys that were given; its own defaults serve for the rest.

    Raises ValueError, of pydantic's own class where a field or the model refuses.
    """
    inputs = {}
    for key, value in values:
        info = config.model_fields[key.field]
        if key.name in given:
            inputs[_input_name(key.field, info)] = _plain(info, value)
        elif info.is_required():
            # It may be None, or its absence would have been told by now.
            inputs[_input_name(key.field, info)] = None
    return config.model_validate(inputs)


def problems_of(error: Any, keys: Sequence[ConfigKey]) -> list[tuple[ConfigKey | None, str]]:
    """What pydantic found, None for the config as a whole; empty for an error that is not pydantic's.

    Its own text has the values in it, which may be secret; this has not.
    """
    if not hasattr(error, "error_count") or not callable(getattr(error, "errors", None)):
        return []
    found: list[tuple[ConfigKey | None, str]] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        message = str(one["msg"])
        for prefix in _PREFIXES:
            message = message.removeprefix(prefix)
        # An alias is the key's own name.
        place = one["loc"][0] if one["loc"] else None
        found.append((next((key for key in keys if place in (key.field, key.name)), None), message))
    return found


def _key_of(config: type, name: str, info: Any) -> ConfigKey:
    alias = _alias(info)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}
    said = {one: extra[one] for one in _SAID if one in extra}
    for one in ("importance", "width"):
        if one in extra:
            said[one] = str(extra[one]).upper()
    said["dependents"] = tuple(said.get("dependents", ()))
    said["display_name"] = said.get("display_name", info.title)
    hint, nullable, metadata = _plain_hint(info)
    one_of: tuple[str, ...] = ()
    if typing.get_origin(hint) is typing.Literal:
        one_of, hint = tuple(map(str, typing.get_args(hint))), str
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        one_of, hint = tuple(str(one.value) for one in hint), str
    kind = said.pop("type", None) or _type_of(config, name, hint)
    limits = _limits(metadata) if kind in ("SHORT", "INT", "LONG", "DOUBLE") else {}
    default = None if info.is_required() else _default(info)
    if kind == "PASSWORD" and default is not None:
        raise TypeError(f"{config.__name__}.{name} has a default: a password has none")
    return ConfigKey(
        name=alias or name.replace("_", "."),
        field=name,
        type=kind,
        required=info.is_required() and not nullable,
        default_text=default_text(default),
        doc=info.description or "",
        one_of=one_of,
        non_empty=kind == "STRING" and any(getattr(one, "min_length", 0) for one in metadata),
        **limits,
        **said,
    )


def _plain_hint(info: Any) -> tuple[Any, bool, list[Any]]:
    """The type alone, whether it may be None, and what was said of it."""
    hint, nullable = without_none(info.annotation)
    metadata = list(info.metadata)
    while typing.get_origin(hint) is typing.Annotated:
        metadata += hint.__metadata__
        hint, inner = without_none(hint.__origin__)
        nullable = nullable or inner
    return hint, nullable, metadata


def _type_of(config: type, name: str, hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin in _LISTS or hint in _LISTS:
        return "LIST"
    if hasattr(hint, "get_secret_value"):
        return "PASSWORD"
    if origin in (dict, Mapping) or hint is dict or (isinstance(hint, type) and is_model(hint)):
        raise TypeError(
            f"{config.__name__}.{name} has the type {hint!r}: a key is one text, so a config has no models "
            "or dicts in it"
        )
    # Whatever else pydantic makes of a text: an address, a path, a duration.
    return TYPES.get(hint, "STRING")


def _limits(metadata: Sequence[Any]) -> dict[str, Any]:
    """Of whole numbers and of others alike; `gt` and `lt` pydantic looks after itself."""
    limits: dict[str, Any] = {}
    for one in metadata:
        for name, limit in (("ge", "min"), ("le", "max")):
            value = getattr(one, name, None)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                limits[limit] = value
    return limits


def _default(info: Any) -> Any:
    """As its own text would be written in JSON: an address, a duration; None = none to show."""
    from pydantic_core import to_jsonable_python

    try:
        default = info.default if info.default_factory is None else info.default_factory()
        # A set has another order in each process.
        return to_jsonable_python(sorted(default, key=str) if isinstance(default, (set, frozenset)) else default)
    except (TypeError, ValueError):
        # A factory that is given the other fields, a class without a text.
        return None


def _alias(info: Any) -> str | None:
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    # AliasChoices: the first that is a plain name.
    choices = getattr(alias, "choices", (alias,))
    return next((one for one in choices if isinstance(one, str)), None)


def _input_name(name: str, info: Any) -> str:
    return _alias(info) or name


def _plain(info: Any, value: Any) -> Any:
    """A value as pydantic takes it: its own secrets are made of texts."""
    hint, _, _ = _plain_hint(info)
    if isinstance(value, Secret) and hint is not Secret:
        return value.reveal()
    if typing.get_origin(hint) is typing.Literal:
        return next((one for one in typing.get_args(hint) if str(one) == value), value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next((one for one in hint if str(one.value) == value), value)
    return value
