"""Bytes for the browser, named by their content, at addresses signed for one browser that soon expire."""

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping

from cachetools import TTLCache

LIFETIME_S = 900  # an address is good for so long, up to twice
MAX_BYTES = 1 << 29


class Buffers:
    """Bytes by content, for as long as their addresses; the least recently used are forgotten first."""

    def __init__(self, max_bytes: int = MAX_BYTES, timer: Callable[[], float] = time.monotonic) -> None:
        # What is larger by itself counts as no more than all there may be: then it is all that is kept.
        self._kept = TTLCache[str, bytes](
            max_bytes, 2 * LIFETIME_S, timer, getsizeof=lambda content: min(len(content), max_bytes)
        )
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """Keep bytes, from now on; return their name."""
        name = hashlib.blake2b(content, digest_size=16).hexdigest()
        with self._lock:
            self._kept[name] = content
        return name

    def get(self, name: str) -> bytes | None:
        """Return what is kept under a name."""
        with self._lock:
            return self._kept.get(name)

    def expire(self) -> int:
        """Forget what has no good address any more; return how many that were."""
        with self._lock:
            return len(self._kept.expire())

    def clear(self) -> None:
        """Forget everything, as when a section was deleted."""
        with self._lock:
            self._kept.clear()


class Signer:
    """Signs addresses of this server, whose routes Streamlit does not protect, each for one bearer.

    Whom :func:`app.web.visitor.bearer` names when an address is made must be whom it names when the address
    is asked for: in another browser the same address is none.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)

    def sign(self, path: str, bearer: str = "", now: float | None = None) -> str:
        """Return the address of a path; the same one for a while, so that browsers keep what it gave."""
        until = (int(time.time() if now is None else now) // LIFETIME_S + 2) * LIFETIME_S
        return f"{path}?until={until}&key={self._key(path, str(until), bearer)}"

    def accepts(
        self, path: str, query: Mapping[str, str], bearer: str = "", now: float | None = None
    ) -> bool:
        """Say whether an address was signed here, for this bearer, and has not expired."""
        until, key = query.get("until", ""), query.get("key", "")
        if not hmac.compare_digest(key.encode("utf-8", "replace"), self._key(path, until, bearer).encode()):
            return False
        return seconds_left(query, now) > 0

    def _key(self, path: str, until: str, bearer: str) -> str:
        signed = f"{path}\n{until}\n{bearer}".encode("utf-8", "replace")
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest()


def seconds_left(query: Mapping[str, str], now: float | None = None) -> int:
    """Say how long an address that was signed is good yet; 0 if it has expired."""
    return max(0, math.floor(int(query["until"]) - (time.time() if now is None else now)))


BUFFERS = Buffers()
SIGNER = Signer()
