"""Gets a feed over HTTP or from a file: bounded in size and time, and only when it has changed."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from dataclasses import dataclass

from bulkhead_sdk import AuthError, ConfigError, RateLimitedError, RetriableError

_CHUNK_BYTES = 64 * 1024
_LATER = frozenset({408, 425, 429, 503})


@dataclass
class Fetched:
    """What an address gave. `body` is None when it has not changed since `etag` and `modified`."""

    body: bytes | None
    etag: str | None = None
    modified: str | None = None
    content_type: str = ""


def check_address(address: str) -> None:
    """Raises ValueError that says what is wrong with it; asks nobody."""
    try:
        parts = urllib.parse.urlsplit(address)
        port_is_odd = parts.port == 0
    except ValueError as error:
        raise ValueError(f"it is no address: {error}") from None
    if parts.scheme not in ("http", "https", "file"):
        raise ValueError("it has to begin with http://, https:// or file://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not have a user or password in it: set authorization instead")
    if parts.scheme != "file" and (not parts.hostname or port_is_odd):
        raise ValueError("it has no host")
    if any(ord(one) <= 32 or ord(one) > 126 for one in address):
        raise ValueError("it has blanks or characters beyond ASCII: write them as %20 and the like")


class Fetcher:
    """Asks one address again and again."""

    def __init__(
        self, address: str, authorization: str | None, seconds_max: float, bytes_max: int
    ) -> None:
        self._address = address
        self._authorization = authorization
        self._seconds_max = seconds_max
        self._bytes_max = bytes_max
        # Of urllib's handlers only those for what an address may say; no FTP behind a redirect.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.FileHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    def fetch(self, etag: str | None, modified: str | None) -> Fetched:
        """Raises RetriableError where trying again may help, else ConfigError or AuthError."""
        request = urllib.request.Request(
            self._address,
            headers={
                "User-Agent": "bulkhead-feed/0.1",
                "Accept": "application/feed+json, application/atom+xml, application/rss+xml, "
                "application/xml;q=0.9, application/json;q=0.9, */*;q=0.5",
                "Accept-Encoding": "gzip",
            },
        )
        if etag is not None:
            request.add_header("If-None-Match", etag)
        if modified is not None:
            request.add_header("If-Modified-Since", modified)
        if self._authorization is not None:
            # It must not go on to wherever a redirect leads.
            request.add_unredirected_header("Authorization", self._authorization)
        deadline = time.monotonic() + self._seconds_max
        try:
            with self._opener.open(request, timeout=self._seconds_max) as answer:
                body = self._read(answer, deadline)
                return Fetched(
                    body,
                    answer.headers.get("ETag"),
                    answer.headers.get("Last-Modified"),
                    answer.headers.get("Content-Type", ""),
                )
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304:
                    return Fetched(None, etag, modified)
                raise self._refused(error) from None
        except (TimeoutError, socket.timeout) as error:
            raise self._late() from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise self._unreachable(error) from error

    def _read(self, answer: object, deadline: float) -> bytes:
        """The whole body. A server that gives a byte now and then is late as well."""
        packed = answer.headers.get("Content-Encoding", "").strip().lower()  # type: ignore[attr-defined]
        if packed not in ("", "identity", "gzip", "x-gzip"):
            raise ConfigError(f"{self._address} answers in the encoding {packed}, which was not asked for")
        unpacker = zlib.decompressobj(31) if packed.endswith("gzip") else None
        parts: list[bytes] = []
        size = 0
        while chunk := answer.read1(_CHUNK_BYTES) if hasattr(answer, "read1") else answer.read(_CHUNK_BYTES):  # type: ignore[attr-defined]
            if unpacker is not None:
                try:
                    # A small file may unpack to a huge one: no more than is looked at anyway.
                    chunk = unpacker.decompress(chunk, self._bytes_max + 1)
                except zlib.error as error:
                    raise RetriableError(f"{self._address} gave a damaged answer: {error}") from error
            parts.append(chunk)
            size += len(chunk)
            if size > self._bytes_max:
                raise ConfigError(
                    f"the feed at {self._address} has more than {self._bytes_max} bytes",
                    hint="raise max.bytes, or take a feed with fewer entries",
                )
            if time.monotonic() > deadline:
                raise self._late()
        return b"".join(parts)

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        said = f"{self._address} answered {error.code} {error.reason}".rstrip()
        if error.code in (401, 403, 407):
            return AuthError(said, hint="set authorization to what the server wants in that header")
        if error.code in (429, 503):
            return RateLimitedError(said, retry_after=_retry_after(error.headers.get("Retry-After")))
        if error.code in _LATER or error.code >= 500:
            return RetriableError(said)
        return ConfigError(said, hint="look whether url is right: open it in a browser")

    def _late(self) -> RetriableError:
        return RetriableError(f"{self._address} has not answered in full within {self._seconds_max:g} s")

    def _unreachable(self, error: Exception) -> Exception:
        reason = getattr(error, "reason", error)
        if isinstance(reason, (TimeoutError, socket.timeout)):
            return self._late()
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ConfigError(
                f"the certificate of {self._address} cannot be trusted: {reason.verify_message}",
                hint="SSL_CERT_FILE names a file with further authorities",
            )
        if self._address.startswith("file:") and isinstance(error, (FileNotFoundError, urllib.error.URLError)):
            return RetriableError(f"cannot read {self._address}: {reason}")
        if isinstance(reason, socket.gaierror):
            return RetriableError(
                f"cannot find the host of {self._address}: {reason.strerror}",
                hint="look whether url is right, and whether this machine has a network",
            )
        return RetriableError(f"cannot reach {self._address}: {reason or type(reason).__name__}")


def _retry_after(text: str | None) -> float | None:
    """Seconds, as a number or until a date; an hour at most."""
    if not text:
        return None
    if text.strip().isdigit():
        return min(float(text.strip()[:9]), 3_600.0)
    try:
        due = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(due - time.time(), 0.0), 3_600.0)
