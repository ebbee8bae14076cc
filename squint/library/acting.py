"""Who acts: what the audit log writes down beside what was done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Whoever does something, and where."""

    person: int | None  # id of :class:`squint.library.people.Person`; ``None``: nobody, but squint by itself
    place: str  # name of a page or a command; never words of a user
    session: str = ""  # of a browser: tells one visit from another, and is not written down


SERVER = Actor(None, "server")  # what nobody asked for, as sweeping

_given: ContextVar[Actor | None] = ContextVar("squint_actor", default=None)
_ask: list[Callable[[], Actor | None]] = []


def actor() -> Actor:
    """Say who acts: whom the block around says, else whom the program knows, else squint itself."""
    given = _given.get()
    if given is None and _ask:
        given = _ask[0]()
    return given or SERVER


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Let somebody have done what is done in this block."""
    token = _given.set(who)
    try:
        yield
    finally:
        _given.reset(token)


def ask(whom: Callable[[], Actor | None]) -> None:
    """Say how a program finds out who acts, where no block says so; ``None`` where it does not know."""
    _ask[:] = [whom]
