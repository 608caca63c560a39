"""What the host tells a plugin before it dials: one line of JSON."""

from __future__ import annotations

import json
import threading
from typing import Any, BinaryIO, Callable

PROTOCOL_VERSION = 1
_LINE_BYTES_MAX = 64 * 1024


class Launch:
    """The launch line. Raises ValueError that says which member is wrong."""

    def __init__(self, text: str | bytes) -> None:
        try:
            members = json.loads(text)
        except ValueError as error:
            raise ValueError("cannot read the launch line: it is not JSON") from error
        if not isinstance(members, dict):
            raise ValueError("the launch line is no object")
        # It names the highest version that the host speaks: a newer host welcomes this one or rejects it.
        highest = members.get("protocol")
        if not isinstance(highest, int) or highest < PROTOCOL_VERSION:
            raise ValueError(
                f"the host speaks protocol {highest} at most; this SDK knows {PROTOCOL_VERSION}"
            )
        self.address: str = _member(members, "address", str)
        self.token: str = _member(members, "token", str)
        self.message_bytes_max: int = _member(members, "max_message_bytes", int)
        tls = members.get("tls")
        self.tls: dict[str, str] | None = tls if isinstance(tls, dict) else None


def _member(members: dict[str, Any], name: str, kind: type) -> Any:
    value = members.get(name)
    if type(value) is not kind or not value:
        raise ValueError(f"the launch line lacks {name}")
    return value


def read_launch_file(path: str) -> Launch:
    """Attach mode: the same JSON in a file, for a plugin that runs in a debugger or a container."""
    with open(path, "rb") as file:
        return Launch(file.read())


def read_launch_pipe(pipe: BinaryIO, on_end: Callable[[], None]) -> Launch:
    """Reads the line from the liveness pipe; `on_end` is called when the host closes the pipe."""
    line = pipe.readline(_LINE_BYTES_MAX)
    if not line:
        raise ValueError("stdin ended before the launch line")
    if not line.endswith(b"\n") and len(line) >= _LINE_BYTES_MAX:
        raise ValueError("the launch line is too long")
    launch = Launch(line)

    def watch() -> None:
        while pipe.read(4_096):
            pass
        on_end()

    threading.Thread(target=watch, daemon=True, name="stdin").start()
    return launch
