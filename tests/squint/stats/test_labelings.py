import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.stats import labelings
from squint.stats.labelings import Labeling

WORDS = ("a", "b", "c", "d")
COLUMNS = st.lists(st.sampled_from([*WORDS, None]), min_size=1, max_size=30)


def words(labeling):
    return [None if pd.isna(word) else word for word in labeling.column()]


@given(COLUMNS)
def test_a_labeling_is_the_column_that_it_was_taken_from(column):
    assert words(Labeling.of(pd.Series(column, dtype=object))) == column


@given(COLUMNS, st.sampled_from(WORDS))
def test_a_new_word_is_on_the_same_cells_and_back_again(column, name):
    labeling = Labeling.of(pd.Series(column, dtype=object))
    if name not in column:
        with pytest.raises(InputError, match="No cell is"):
            labelings.rename(labeling, name, "new")
        return
    renamed = labelings.rename(labeling, name, "new")
    assert words(renamed) == ["new" if word == name else word for word in column]
    assert words(labelings.rename(renamed, "new", name)) == column


@given(COLUMNS)
def test_merging_all_names_leaves_one_and_the_cells_without(column):
    labeling = Labeling.of(pd.Series(column, dtype=object))
    merged = labelings.merge(labeling, labeling.names, "all") if labeling.names else labeling
    assert words(merged) == [word and "all" for word in column]
    assert sum(merged.sizes().values()) == sum(word is not None for word in column)


@given(COLUMNS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_split_touches_the_cells_of_its_name_alone_and_merging_takes_it_back(column, n_parts, random):
    labeling = Labeling.of(pd.Series(column, dtype=object))
    for name in labeling.names:
        parts = np.array([random.randrange(n_parts) for word in column if word == name])
        parted = labelings.split(labeling, name, parts)
        given_out = iter(parts)
        assert words(parted) == [f"{name} {next(given_out) + 1}" if w == name else w for w in column]
        new = [word for word in parted.names if word not in labeling.names]
        assert words(labelings.merge(parted, new, name)) == column


def test_cells_of_no_part_have_no_name():
    labeling = Labeling.of(pd.Series(["a", "a", "b"]))
    assert words(labelings.split(labeling, "a", np.array([0, -1]))) == ["a 1", None, "b"]


def test_parts_can_be_called_by_words():
    labeling = Labeling.of(pd.Series(["a", "a", "b"]))
    assert words(labelings.split(labeling, "a", np.array([1, 0]), ["in", "out"])) == ["out", "in", "b"]
    with pytest.raises(InputError, match="there already"):
        labelings.split(labeling, "a", np.array([1, 0]), ["b", "out"])


@given(COLUMNS, st.sampled_from(WORDS))
def test_a_name_is_cleared_from_its_cells_alone(column, name):
    labeling = Labeling.of(pd.Series(column, dtype=object))
    if name in column:
        cleared = labelings.clear(labeling, name)
        assert words(cleared) == [None if word == name else word for word in column]
        assert name not in cleared.names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: labelings.rename(one, "a", "b"), "there already"),
        (lambda one: labelings.rename(one, "a", "  "), "no name"),
        (lambda one: labelings.rename(one, "a", "x\0"), "no name"),
        (lambda one: labelings.merge(one, ["a"], "b"), "there already"),
        (lambda one: labelings.merge(one, ["a", "z"], "new"), "No cell is 'z'"),
        (lambda one: labelings.split(one, "a", np.array([0])), "2 cells"),
        (lambda one: labelings.clear(one, "z"), "No cell is 'z'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(change, said):
    labeling = Labeling.of(pd.Series(["a", "a", "b"]))
    with pytest.raises(InputError, match=said):
        change(labeling)
    assert words(labeling) == ["a", "a", "b"]


def test_no_one_can_write_into_a_labeling():
    for labeling in (
        one := Labeling.of(pd.Series(["a", "b"])),
        labelings.rename(one, "a", "c"),
        labelings.clear(one, "a"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            labeling.codes[0] = 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unknown", True),
        ("Unknown 7", True),
        ("unknown cluster 7", True),
        ("unknown 7 1", True),
        ("unlabeled", True),
        ("Unlabelled", True),
        ("Not assigned", True),
        ("unknown_3", True),
        ("unknowns", False),
        ("T cell", False),
        ("cluster 7", False),
        ("cells of unknown kind", False),
    ],
)
def test_what_is_unknown_is_no_type(name, expected):
    assert labelings.is_no_type(name) == expected
