"""The plugin's end of gRPC streams: raw bytes out of a queue, raw bytes into a callback."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Protocol

import grpc

from .launch import Launch

_PATH = "/bulkhead.plugin.v1.PluginHost/"
# The host allows messages of this much more than their payload.
_MESSAGE_BYTES_EXTRA = 64 * 1024
# Only met where a host sends initial metadata that are empty; a busy machine needs its time.
_REFUSAL_SECONDS_MAX = 1.0


class Stream(Protocol):
    """What a task or a session needs of its stream. Nothing is said on it before `open`."""

    def open(self, on_message: Callable[[bytes], None], on_end: Callable[[str], None]) -> None: ...
    def wait_opened(self) -> bool: ...
    def write(self, message: bytes) -> None: ...
    def finish(self) -> None: ...
    def cancel(self) -> None: ...


class Channel:
    """The connection to the host, and others that task streams name."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._channels: dict[str, grpc.Channel] = {}

    def stream(self, method: str, address: str = "") -> "GrpcStream":
        address = address or self._launch.address
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = self._dial(address)
        return GrpcStream(channel.stream_stream(_PATH + method))

    def _dial(self, address: str) -> grpc.Channel:
        limit = self._launch.message_bytes_max + _MESSAGE_BYTES_EXTRA
        tls = self._launch.tls
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            # The session is never dialled again: a lost connection is its end.
            ("grpc.enable_retries", 0),
        ]
        if tls is None:
            options.append(("grpc.default_authority", "localhost"))
            return grpc.insecure_channel(address, options=options)
        name = tls.get("server_name")
        if name:
            options.append(("grpc.ssl_target_name_override", name))
        files = [tls[one].encode() if tls.get(one) else None for one in ("ca", "key", "cert")]
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(*files), options=options)


class GrpcStream:
    """One bidi stream. It is always read, on a thread of its own: `on_message` must not wait long."""

    def __init__(self, method: Any) -> None:
        self._method = method
        # I5: what costs credit is bounded by it; the rest by those who send it (`backlog`).
        self._outbox: "queue.SimpleQueue[bytes | None]" = queue.SimpleQueue()
        self._call: Any = None
        self._finished = False
        self._ended = threading.Event()

    def open(self, on_message: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._call = self._method(iter(self._outbox.get, None))
        read = lambda: self._read(on_message, on_end)  # noqa: E731
        threading.Thread(target=read, daemon=True, name="stream-reader").start()

    def wait_opened(self) -> bool:
        """Waits until the host has taken the stream's ticket; False = it has not."""
        try:
            metadata = self._call.initial_metadata()
        except grpc.RpcError:
            return False
        if not metadata:
            # A refusal has none of its own: gRPC says so, and a little later that the call has ended.
            self._ended.wait(_REFUSAL_SECONDS_MAX)
        return self._call.is_active() or self._call.code() is grpc.StatusCode.OK

    def write(self, message: bytes) -> None:
        if not self._finished:
            self._outbox.put(message)

    @property
    def backlog(self) -> int:
        """Messages that gRPC has not taken yet."""
        return self._outbox.qsize()

    def finish(self) -> None:
        """Half-closes: nothing more is sent, the host may still say something."""
        if not self._finished:
            self._finished = True
            self._outbox.put(None)

    def cancel(self) -> None:
        self.finish()
        if self._call is not None:
            self._call.cancel()

    def _read(self, on_message: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        reason = "the host ended the stream"
        try:
            for message in self._call:
                on_message(message)
        except grpc.RpcError as error:
            details = getattr(error, "details", lambda: None)()
            reason = str(details or error.code().name)  # type: ignore[attr-defined]
        finally:
            self._ended.set()
            # gRPC's sender waits for the queue.
            self.finish()
            on_end(reason)
