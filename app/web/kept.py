"""What is kept in memory for whoever asks next: bounded by bytes and by age, and never there twice."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from cachetools import TTLCache

MAX_BYTES = 1 << 28
IDLE_S = 300  # what nobody asked for in so long is let go

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values by key, each made when it is first asked for.

    Those that nobody asked for in a while are let go; so are the least recently asked for, to make room. What
    is let go but still used elsewhere is found again instead of made a second time.

    Parameters
    ----------
    size
        Says how many bytes a value takes.
    max_bytes
        How many all may take that are kept; one that is larger by itself is kept alone.
    max_age_s
        Seconds after which a value that nobody asked for is let go, by `expire` at the latest.
    timer
        Gives the seconds.
    """

    def __init__(
        self,
        size: Callable[[Value], int],
        max_bytes: int = MAX_BYTES,
        max_age_s: float = IDLE_S,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recent = TTLCache[Key, Value](
            max_bytes, max_age_s, timer, getsizeof=lambda value: min(size(value), max_bytes)
        )
        self._alive = WeakValueDictionary[Key, Value]()
        self._lock = threading.Lock()

    def find(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, or make it. All who ask have the same: it is not to be changed."""
        found = self._find(key)
        return self._keep(key, make()) if found is None else found

    def _find(self, key: Key) -> Value | None:
        with self._lock:
            found = self._alive.get(key)
            if found is not None:
                self._recent[key] = found  # anew: its age begins again
            return found

    def _keep(self, key: Key, made: Value) -> Value:
        with self._lock:
            kept = self._alive.setdefault(key, made)  # somebody may have made it meanwhile
            self._recent[key] = kept
            return kept

    @property
    def n_bytes(self) -> int:
        """How many bytes are kept for whoever asks next."""
        with self._lock:
            return int(self._recent.currsize)

    def expire(self) -> int:
        """Let go of what is too old; return how many values that were."""
        with self._lock:
            return len(self._recent.expire())

    def clear(self) -> None:
        """Forget everything, as when a section was deleted."""
        with self._lock:
            self._recent.clear()
            self._alive.clear()
