"""Names of cells: persons out, the instrument's ids as they were, and no two the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.library.privacy import rename_parts


@pytest.mark.parametrize(
    ("names", "renamed", "right"),
    [
        (["abcdefgh-1", "bcdefghi-1"], {"1": "P01"}, ["abcdefgh-1", "bcdefghi-1"]),
        (["1", "2", "11", "22"], {"2": "1"}, ["1", "2", "11", "22"]),
        (["Smith_1", "Smith_2"], {"Smith": "P01"}, ["P01_1", "P01_2"]),
        (["Smithers_1", "AB-Smith-7"], {"Smith": "P01"}, ["Smithers_1", "AB-P01-7"]),
        (["Smith", "P01"], {"Smith": "P01"}, ["P01", "P01-1"]),
        (["4711_1"], {"4711": "P01"}, ["P01_1"]),
        (["AB_1", "A_1"], {"A": "x", "AB": "y2"}, ["y2_1", "A_1"]),
    ],
)
def test_only_what_names_a_person_is_replaced(names, renamed, right):
    assert rename_parts(names, renamed)[0] == right


WORDS = st.text("ab1-_", min_size=1, max_size=4)


@given(st.lists(WORDS, unique=True), st.dictionaries(WORDS, WORDS, max_size=3))
def test_two_names_never_become_equal_and_changes_are_counted(names, renamed):
    after, n_changed = rename_parts(names, renamed)
    assert len(set(after)) == len(names)
    assert n_changed == sum(old != new for old, new in zip(names, after, strict=True))
