"""Arrays and panels of maps: those of one content are one object, however many sessions show them."""

import threading
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.pl import Panel

Thing = TypeVar("Thing")

_alive: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
_lock = threading.Lock()


def values(made: NDArray[Any] | pd.Categorical) -> NDArray[Any] | pd.Categorical:
    """Return numbers or categories (n,) with the content of these: those that somebody has, or these."""
    return _one(made, ["values", *_content(made)])


def panel(made: Panel) -> Panel:
    """Return a panel with the content of this one: the one that somebody has, or this one.

    Only for panels of numbers or categories, and with nothing beside them.
    """
    said = repr((made.title, made.unit, made.missing_name))
    return _one(made, ["panel", said, *_content(made.coordinates), *_content(made.values)])


def _one(made: Thing, content: Sequence[Any]) -> Thing:
    digest = blake2b(digest_size=16)
    for part in content:
        digest.update(part.encode() if isinstance(part, str) else part)
        digest.update(b"\0")
    with _lock:
        kept: Thing = _alive.setdefault(digest.digest(), made)
    return kept


def _content(made: NDArray[Any] | pd.Categorical) -> list[Any]:
    """Give what tells arrays apart; they are not to be changed from now on."""
    if isinstance(made, pd.Categorical):
        return [repr((list(made.categories), made.ordered)), *_content(made.codes)]
    made.setflags(write=False)
    array = np.ascontiguousarray(made)
    return [repr((array.dtype.str, array.shape)), array.view(np.uint8) if array.size else b""]
