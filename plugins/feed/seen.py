"""Which entries have been sent: bounded, and small enough to be part of an offset."""

from __future__ import annotations

import base64
import hashlib
from typing import Iterable

_HASH_BYTES = 8


class Seen:
    """Remembers the ids that were seen last, up to a number; the one seen longest ago goes first."""

    def __init__(self, most: int, text: str = "") -> None:
        self._most = most
        try:
            packed = base64.b64decode(text, validate=True)
        except ValueError:
            packed = b""
        hashes = (packed[at : at + _HASH_BYTES] for at in range(0, len(packed), _HASH_BYTES))
        # A dict keeps the order.
        self._hashes: dict[bytes, None] = dict.fromkeys(hashes)

    def has(self, id: str) -> bool:
        return _hash(id) in self._hashes

    def keep(self, ids: Iterable[str]) -> None:
        """These are in the feed now: what has left it is forgotten before them."""
        for one in map(_hash, ids):
            if one in self._hashes:
                del self._hashes[one]
                self._hashes[one] = None

    def add(self, id: str) -> None:
        self._hashes[_hash(id)] = None
        while len(self._hashes) > self._most:
            del self._hashes[next(iter(self._hashes))]

    def __len__(self) -> int:
        return len(self._hashes)

    def text(self) -> str:
        return base64.b64encode(b"".join(self._hashes)).decode()


def _hash(id: str) -> bytes:
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
