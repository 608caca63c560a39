"""Typed config: a dataclass, or a pydantic model, whose fields are the keys of a ConfigDef."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Mapping, Sequence

_KEY = "bulkhead.key"


class Secret:
    """A password: prints as `[hidden]`; `reveal()` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "[hidden]"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not written down")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Asked for by pydantic, where a model has a field of this type."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)


@dataclass(frozen=True)
class ConfigKey:
    """One declared key. Validators are what the host can check without starting the plugin."""

    name: str
    field: str
    """The attribute that holds it."""
    type: str
    required: bool
    default_text: str | None
    """As in a config file; None = no default."""
    doc: str = ""
    importance: str = "HIGH"
    group: str | None = None
    order: int = -1
    width: str = "NONE"
    display_name: str | None = None
    dependents: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    one_of: tuple[str, ...] = ()
    case_insensitive: bool = False
    non_empty: bool = False
    pattern: str | None = None
    enum_type: type[enum.Enum] | None = None


def key(
    name: str | None = None,
    *,
    default: Any = dataclasses.MISSING,
    doc: str = "",
    type: str | None = None,
    importance: Literal["high", "medium", "low"] = "high",
    group: str | None = None,
    order: int = -1,
    width: Literal["none", "short", "medium", "long"] = "none",
    display_name: str | None = None,
    dependents: Sequence[str] = (),
    min: float | None = None,
    max: float | None = None,
    case_insensitive: bool = False,
    non_empty: bool = False,
    pattern: str | None = None,
) -> Any:
    """A field of a config dataclass with more to say than its type and default.

    `name` is the key as configs spell it; the attribute with dots for underscores unless given. A
    key without default is required, unless its type allows None. `type` overrides what follows
    from the annotation: INT, SHORT, CLASS …
    """
    said = dict(
        name=name,
        doc=doc,
        type=type,
        importance=importance.upper(),
        group=group,
        order=order,
        width=width.upper(),
        display_name=display_name,
        dependents=tuple(dependents),
        min=min,
        max=max,
        case_insensitive=case_insensitive,
        non_empty=non_empty,
        pattern=pattern,
    )
    metadata = {_KEY: said}
    if isinstance(default, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: default.copy(), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


TYPES = {str: "STRING", bool: "BOOLEAN", int: "LONG", float: "DOUBLE", Secret: "PASSWORD"}


def keys_of(config: type | None) -> tuple[ConfigKey, ...]:
    """The keys that a config class declares, in order. Raises TypeError for what is no config class."""
    if config is None:
        return ()
    if is_model(config):
        from .pydantic_config import keys_of_model

        return keys_of_model(config)
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        name = getattr(config, "__name__", f"a {type(config).__name__}")
        raise TypeError(
            f"{name} is not a dataclass: put @dataclass above it, or derive it from pydantic's BaseModel"
        )
    hints = typing.get_type_hints(config)
    return tuple(
        _key_of(config, field, hints[field.name])
        for field in dataclasses.fields(config)
        if field.init
    )


def is_model(config: type | None) -> bool:
    """Whether it is a class made with pydantic 2."""
    return isinstance(getattr(config, "model_fields", None), dict) and hasattr(config, "model_validate")


def checks_itself(config: type | None) -> bool:
    """Whether it may refuse what its keys allow, so that the host has to ask."""
    return is_model(config) or hasattr(config, "__post_init__")


def _key_of(config: type, field: "dataclasses.Field[Any]", hint: Any) -> ConfigKey:
    said: Mapping[str, Any] = field.metadata.get(_KEY, {})
    hint, nullable = without_none(hint)
    one_of: tuple[str, ...] = ()
    enum_type = None
    if typing.get_origin(hint) is Literal:
        one_of, hint = tuple(map(str, typing.get_args(hint))), str
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        enum_type, one_of, hint = hint, tuple(str(one.value) for one in hint), str
    kind = "LIST" if typing.get_origin(hint) in (list, tuple) or hint in (list, tuple) else None
    kind = said.get("type") or kind or TYPES.get(hint)
    if kind is None:
        raise TypeError(
            f"{config.__name__}.{field.name} has the type {hint!r}: a key is a str, bool, int, float, "
            "list[str], Secret, Literal or Enum, or one of these or None"
        )
    default = field.default
    if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    rest = {name: value for name, value in said.items() if name not in ("name", "type")}
    return ConfigKey(
        name=said.get("name") or field.name.replace("_", "."),
        field=field.name,
        type=kind,
        required=default is dataclasses.MISSING and not nullable,
        default_text=default_text(default),
        one_of=one_of,
        enum_type=enum_type,
        **rest,
    )


def without_none(hint: Any) -> tuple[Any, bool]:
    """The type alone, and whether it may be None."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    rest = [one for one in typing.get_args(hint) if one is not type(None)]
    return (rest[0], True) if len(rest) == 1 else (hint, False)


def default_text(default: Any) -> str | None:
    """A default as it stands in a config file; None = none."""
    if default is dataclasses.MISSING or default is None:
        return None
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, (list, tuple)):
        return ",".join(map(str, default))
    if isinstance(default, enum.Enum):
        return str(default.value)
    if isinstance(default, Secret):
        raise TypeError("a password has no default")
    return str(default)
