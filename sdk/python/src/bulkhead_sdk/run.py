"""The program: `run(classes)`."""

from __future__ import annotations

import os
import sys
from typing import Sequence

from .connector import PluginClass
from .description import Plugin, docs_text, manifest_text, program_command
from .given_classes import given_classes
from .launch import Launch, read_launch_file, read_launch_pipe
from .log import LogForwarder

# The protocol gives 5 s from the end of the session to the end of the process.
_EXIT_SECONDS_MAX = 4.0


def run(
    *classes: "type[PluginClass] | Sequence[type[PluginClass]]",
    name: str | None = None,
    version: str = "0.0.0",
) -> None:
    """Runs a plugin: call it once, with every class the program has. It does not return.

    With the argument `manifest` the program prints its plugin.json instead of waiting for a host,
    with `docs` a page about its keys. `name` is the folder's unless given.
    """
    given = given_classes(classes)
    # Not by pathlib, which keeps close to a megabyte for as long as the plugin lives.
    folder, script = os.path.split(os.path.realpath(sys.argv[0]))
    stem = os.path.splitext(script)[0]
    default_name = os.path.basename(folder) if stem in ("main", "__main__", "plugin") else stem
    plugin = Plugin(name or default_name, version, given)
    words = sys.argv[1:]
    if words[:1] == ["manifest"]:
        sys.stdout.write(manifest_text(plugin, program_command()))
    elif words[:1] == ["docs"]:
        sys.stdout.write(docs_text(plugin))
    else:
        _serve(plugin)


def _serve(plugin: Plugin) -> None:
    # Printed lines reach the host as they come.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    log = LogForwarder()
    log.install()
    # Only now: printing a manifest needs no gRPC.
    from .session import Session

    sessions: list[Session] = []

    def host_is_gone() -> None:
        for one in sessions:
            one.end("the host closed stdin", expected=True)
        if not sessions:
            os._exit(0)

    try:
        launch = _launch(plugin, host_is_gone)
    except (OSError, ValueError) as error:
        sys.exit(f"{plugin.name}: {error}")
    session = Session(plugin, launch, log)
    sessions.append(session)
    session.start()
    session.ended.wait()
    session.settled(_EXIT_SECONDS_MAX)
    if not session.end_expected:
        print(session.end_reason, file=sys.stderr)
    sys.stdout.flush()
    # User code that is still in one of its threads must not keep the process.
    os._exit(0 if session.end_expected else 1)


def _launch(plugin: Plugin, host_is_gone: "object") -> Launch:
    path = os.environ.get("BULKHEAD_CONNECT")
    if path is not None:
        return read_launch_file(path)
    if sys.stdin.isatty():
        raise ValueError(
            f"this is a Bulkhead plugin: a host starts it, or you do as a host with "
            f"plugin.attach={plugin.name} says; `manifest` prints its plugin.json"
        )
    return read_launch_pipe(sys.stdin.buffer, host_is_gone)  # type: ignore[arg-type]
