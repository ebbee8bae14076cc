"""Profiles of expression, from files of anybody's making: genes and numbers, or one plain line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.formats.profiles import parse


def test_genes_and_numbers_come_back_below_titles_or_not() -> None:
    assert parse(b"gene;value\nCA9;1.5\n# note\nLDHA;0\n", "p.csv") == {"CA9": 1.5, "LDHA": 0.0}
    assert parse("\ufeffCA9\t2\n".encode(), "p.txt") == {"CA9": 2.0}


@pytest.mark.parametrize("content", [b"CA9," + b"1" * 140_000, b"x" * 140_000 + b",1", b"gene,value\nCA9,-1"])
def test_what_is_no_profile_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*p\.csv[^\n]*$"):
        parse(content, "p.csv")


@given(st.binary(max_size=200) | st.text(alphabet='Aa1.,;\t"\n#-e\0', max_size=200).map(str.encode))
def test_nothing_but_an_input_error_comes_of_any_content(content: bytes) -> None:
    with suppress(InputError):
        found = parse(content, "p.csv")
        assert found
        assert all(value >= 0 for value in found.values())
