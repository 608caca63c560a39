"""What `run` was given, checked before anything else begins: the traceback has the line of it."""

from __future__ import annotations

import inspect
from typing import Any, Sequence

from .config import keys_of
from .connector import PluginClass

# Without it, a class of this kind does nothing.
_NEEDED = {"source": "read", "sink": "put"}


def given_classes(parts: Sequence[Any]) -> list[type[PluginClass]]:
    """The classes, also those within lists. Raises TypeError that says which is wrong, and what to do."""
    given: list[Any] = []
    for part in parts:
        given += part if isinstance(part, (list, tuple)) else [part]
    if not given:
        raise TypeError(
            "run() was given no classes: give it what @source or @sink made, or classes derived from Source or Sink"
        )
    names: dict[str, str] = {}
    for one in given:
        _check(one)
        if one.class_name in names:
            raise TypeError(f"{one.__name__} and {names[one.class_name]} have the same class_name {one.class_name}")
        names[one.class_name] = one.__name__
    return given


def _check(one: Any) -> None:
    if isinstance(one, PluginClass):
        raise TypeError(f"run() was given an object of {type(one).__name__}: give it the class, without ()")
    if inspect.isroutine(one):
        name = getattr(one, "__name__", "it")
        raise TypeError(f'run() was given the function {name}: put @source("its.Class") or @sink("its.Class") above it')
    if not (isinstance(one, type) and issubclass(one, PluginClass)):
        raise TypeError(f"run() was given a {one.__name__ if isinstance(one, type) else type(one).__name__}: it takes classes derived from Source or Sink")
    if not isinstance(one.class_name, str) or not one.class_name:
        raise TypeError(f"{one.__name__} has no class_name: the name that configs use, as a text")
    needed = _NEEDED.get(one.kind)
    if needed is not None and not one.overrides(needed):
        raise TypeError(f"{one.__name__} has no {needed}: a {one.kind} needs that function")
    keys_of(one.config_class)
