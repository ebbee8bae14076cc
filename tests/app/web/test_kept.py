"""What is kept for whoever asks next: bounded by bytes and by age, and never there twice."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.web.buffers import LIFETIME_S, Buffers
from app.web.kept import Kept

Array = NDArray[np.uint8]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Give the seconds."""
        return self.now


def of(n_bytes: int) -> Callable[[], Array]:
    return lambda: np.zeros(n_bytes, np.uint8)


def kept_arrays(max_bytes: int = 100, max_age_s: float = 10, clock: Clock | None = None) -> Kept[str, Array]:
    return Kept(lambda array: array.nbytes, max_bytes, max_age_s, clock or Clock())


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 150)), max_size=30))
def test_all_that_is_kept_takes_no_more_bytes_than_it_may(asked: list[tuple[str, int]]) -> None:
    kept = kept_arrays(max_bytes=100)
    for key, n_bytes in asked:
        kept.find(key, of(n_bytes))
        assert kept.n_bytes <= 100


def test_the_least_recently_asked_for_makes_room() -> None:
    kept = kept_arrays(max_bytes=100)
    for key in ("a", "b", "a", "c"):
        kept.find(key, of(40))
    assert kept.find("a", of(1)).nbytes == 40
    assert kept.find("b", of(1)).nbytes == 1  # made anew


def test_what_nobody_asked_for_in_a_while_is_let_go() -> None:
    clock = Clock()
    kept = kept_arrays(max_age_s=10, clock=clock)
    kept.find("old", of(40))
    kept.find("used", of(40))
    clock.now = 6
    kept.find("used", of(1))
    clock.now = 12
    assert kept.expire() == 1
    assert kept.n_bytes == 40
    assert kept.find("used", of(1)).nbytes == 40
    assert kept.find("old", of(1)).nbytes == 1


def test_what_somebody_still_has_is_not_made_twice() -> None:
    clock = Clock()
    kept = kept_arrays(clock=clock)
    mine = kept.find("a", of(40))
    clock.now = 100
    kept.expire()
    assert kept.n_bytes == 0
    assert kept.find("a", of(1)) is mine
    kept.clear()
    assert kept.find("a", of(1)) is not mine


def test_of_two_who_make_one_at_the_same_time_both_have_the_first() -> None:
    kept = kept_arrays()
    first: list[Array] = []

    def make() -> Array:
        first.append(kept.find("a", of(2)))
        return of(3)()

    assert kept.find("a", make) is first[0]


def test_buffers_are_kept_no_longer_than_their_addresses_are_good() -> None:
    clock = Clock()
    buffers = Buffers(timer=clock)
    once, again = buffers.put(b"once"), buffers.put(b"again")
    clock.now = LIFETIME_S
    buffers.put(b"again")  # and signed again
    clock.now = 2 * LIFETIME_S
    assert buffers.expire() == 1
    assert (buffers.get(once), buffers.get(again)) == (None, b"again")
