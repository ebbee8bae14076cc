"""Labels are brought to one form before they decide who is who."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.io import slots
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


def test_words_for_missing_are_missing_and_said(tmp_path):
    labels = np.array(["P1", "P1 ", "P2", "nan", "None", "NA", "", "  ", "<NA>", "n/a"] * 40, dtype=object)
    types = np.array(["T", "None", "B", "B", "T", "T", "T", "B", "B", "T"] * 40, dtype=object)
    report = facts(saved(cells(tissue(), patient=labels, celltype=types), tmp_path))
    assert report.patients == ("P1", "P2")
    assert report.n_cell_types == 2
    notes = " ".join(report.notes)
    assert "280 cells have no patient in obs['patient'], spelt" in notes
    assert "40 cells have no cell type" in notes
    assert "spells 2 labels in 3 ways" in notes


@pytest.mark.parametrize(
    "column", [[1, 2, 3, 1], [1.0, 2.0, 3.0, np.nan], ["1", "2.0", " 3", "1"], pd.Categorical([1, 2, 3, 1])]
)
def test_a_number_is_one_label_however_it_is_written(column):
    assert list(slots.labels(pd.Series(column)).categories) == ["1", "2", "3"]


def test_letters_that_no_one_sees_make_no_other_label():
    values = ["P1", "P1\u200b", "\ufeffP1", "P\u00ad1\u00a0", "#N/A", "?", ".", "\u200b"]
    named = slots.labels(pd.Series(values))
    assert named.categories.tolist() == ["P1"]
    assert pd.isna(named).tolist() == [False] * 4 + [True] * 4


@given(st.lists(st.one_of(st.text(max_size=6), st.none(), st.integers(-3, 3)), min_size=1, max_size=12))
def test_labels_are_in_one_form_and_stay_in_it(values):
    once = slots.labels(pd.Series(values, dtype=object))
    again = slots.labels(pd.Series(once))
    pd.testing.assert_extension_array_equal(once, again)
    assert all(label == label.strip() and label for label in once.categories)
