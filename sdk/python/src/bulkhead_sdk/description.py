"""What the host is told of a plugin's classes: on the wire, in plugin.json, and as a page to read."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Sequence

from bulkhead.plugin.v1 import config_pb2 as pb

from .config import ConfigKey, checks_itself, keys_of
from .connector import TASK_KINDS, PluginClass


class Plugin:
    """A program: its name, its version and its classes."""

    def __init__(self, name: str, version: str, classes: Sequence[type[PluginClass]]) -> None:
        self.name = name
        self.version = version
        self.classes = tuple(classes)

    @property
    def has_stages(self) -> bool:
        """Transforms, predicates or converters are among its classes."""
        return any(one.kind not in TASK_KINDS for one in self.classes)


def describe_class(plugin: Plugin, one: type[PluginClass]) -> pb.ClassDescription:
    """A class as the wire describes it."""
    description = pb.ClassDescription(
        kind=f"PLUGIN_KIND_{one.kind.upper()}",
        version=one.version or plugin.version,
        config=[_describe_key(key) for key in keys_of(one.config_class)],
        documentation_url=one.documentation_url,
        aliases=one.aliases,
        task_class=one.task_class_name(),
        validates=_validates(one),
    )
    description.class_name = one.class_name
    return description


def _validates(one: type[PluginClass]) -> bool:
    return one.overrides("validate") or checks_itself(one.config_class)


def _describe_key(key: ConfigKey) -> pb.ConfigKey:
    return pb.ConfigKey(
        name=key.name,
        type=f"CONFIG_TYPE_{key.type}",
        required=key.required,
        default_value=key.default_text,
        importance=f"IMPORTANCE_{key.importance}",
        documentation=key.doc,
        group=key.group,
        order=key.order,
        width=f"WIDTH_{key.width}",
        display_name=key.display_name or key.name,
        dependents=key.dependents,
        validator=_describe_validator(key),
    )


def _describe_validator(key: ConfigKey) -> pb.Validator | None:
    if key.min is not None or key.max is not None:
        return pb.Validator(range={"min": key.min, "max": key.max})
    if key.one_of:
        values = {"values": key.one_of, "case_insensitive": key.case_insensitive}
        return pb.Validator(one_of=values)
    if key.non_empty:
        return pb.Validator(non_empty={})
    return pb.Validator(pattern={"regex": key.pattern}) if key.pattern is not None else None


def manifest_text(plugin: Plugin, command: Sequence[str]) -> str:
    """The text of plugin.json: what the host reads without starting the plugin."""
    classes = [_manifest_class(plugin, one) for one in plugin.classes]
    manifest = {"name": plugin.name, "version": plugin.version, "command": command, "classes": classes}
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _manifest_class(plugin: Plugin, one: type[PluginClass]) -> dict[str, Any]:
    said: dict[str, Any] = {"class": one.class_name, "kind": one.kind}
    if one.version not in (None, plugin.version):
        said["version"] = one.version
    if one.kind in TASK_KINDS:
        said["taskClass"] = one.task_class_name()
    if one.aliases:
        said["aliases"] = list(one.aliases)
    if one.documentation_url:
        said["documentationUrl"] = one.documentation_url
    if _validates(one):
        said["validates"] = True
    said["config"] = [_manifest_key(key) for key in keys_of(one.config_class)]
    return said


def _manifest_key(key: ConfigKey) -> dict[str, Any]:
    said: dict[str, Any] = {"name": key.name, "type": key.type}
    said |= {"required": True} if key.required else {"default": key.default_text}
    said |= {"importance": key.importance, "documentation": key.doc}
    if key.group is not None:
        said["group"] = key.group
    if key.order != -1:
        said["order"] = key.order
    if key.width != "NONE":
        said["width"] = key.width
    if key.display_name is not None:
        said["displayName"] = key.display_name
    if key.dependents:
        said["dependents"] = list(key.dependents)
    validator = _manifest_validator(key)
    return said if validator is None else said | {"validator": validator}


def _manifest_validator(key: ConfigKey) -> dict[str, Any] | None:
    if key.min is not None or key.max is not None:
        bounds = {"min": key.min, "max": key.max}
        return {"at": "range"} | {name: one for name, one in bounds.items() if one is not None}
    if key.one_of:
        folds = {"caseInsensitive": True} if key.case_insensitive else {}
        return {"at": "one-of", "values": list(key.one_of)} | folds
    if key.non_empty:
        return {"at": "non-empty"}
    return None if key.pattern is None else {"at": "pattern", "regex": key.pattern}


def docs_text(plugin: Plugin) -> str:
    """The keys of every class as Markdown."""
    parts = [f"# {plugin.name} {plugin.version}"]
    for one in plugin.classes:
        parts += ["", f"## {one.class_name}", "", f"A {one.kind.replace('_', ' ')}. {(one.__doc__ or '').strip()}".strip()]
        keys = keys_of(one.config_class)
        if keys:
            parts += ["", "| key | type | default | meaning |", "|---|---|---|---|"]
        for key in keys:
            default = "required" if key.required else "" if key.default_text is None else f"`{key.default_text}`"
            doc = key.doc.replace("|", "\\|").replace("\n", " ")
            parts.append(f"| `{key.name}` | {key.type.lower()} | {default} | {doc} |")
    return "\n".join(parts) + "\n"


def program_command() -> list[str]:
    """How the host starts this program, from the folder that it is in."""
    folder, script = os.path.split(os.path.realpath(sys.argv[0]))
    # An environment in the plugin's own folder goes with it; any other interpreter is this machine's.
    inside = os.path.relpath(sys.prefix, folder)
    if sys.prefix != sys.base_prefix and inside.split(os.sep)[0] not in (os.curdir, os.pardir):
        python = os.path.join(inside, "bin", "python")
    else:
        python = "python3"
    return [python, script]
