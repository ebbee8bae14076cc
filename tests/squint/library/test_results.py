"""What a result is found by."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Computation


@dataclass(frozen=True)
class Asked(Computation):
    """Something that is computed."""

    name: ClassVar[str] = "asked"
    n: int


@dataclass(frozen=True)
class AskedAnew(Asked):
    """The same, whose result holds more since."""

    form: ClassVar[int] = 2


def test_a_result_in_an_earlier_form_is_not_found_again() -> None:
    assert Asked(("a",), 1).result == Asked(("a",), 1).result
    assert len({Asked(("a",), 1).result, Asked(("a",), 2).result, AskedAnew(("a",), 1).result}) == 3
