"""Where this process takes memory from, and that it gives it back."""

import ctypes
import os
from contextlib import suppress

from app.web.garbage import collect

_M_ARENA_MAX, _ARENAS = -8, 2  # of glibc's mallopt

# Arrow reads this when it is first imported: its own memory would keep what the tables of past visits took.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def share_arenas() -> None:
    """Let all threads take memory from two places: each visit is a thread, and would leave one in holes."""
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Give memory that is free to the system, which the C library would keep."""
    collect()  # a session's pages and its callbacks hold each other
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
