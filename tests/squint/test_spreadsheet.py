"""What leaves as CSV: no formula, no row that nobody wrote."""

import csv
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.spreadsheet import csv_text, neutral, restored

HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@x",
    "\uff1dx",
    " =x",
    "\u200b=x",
    "\t=x",
    "\r=x",
    "\n=x",
    "\u00a0=x",
    "\x00=x",
]
BROKEN = [
    "a\r=cmd()",
    "a\n=cmd()",
    "a\r\n=cmd()",
    "a\u2028=cmd()",
    "a\x85=cmd()",
    "a\x0b=cmd()",
    "a\x0c=cmd()",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_what_would_be_computed_stands_behind_an_apostrophe(label: str) -> None:
    assert neutral(label).startswith("'")


@pytest.mark.parametrize("label", BROKEN)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_no_label_begins_a_new_row(label: str, end: str) -> None:
    text = csv_text(pd.DataFrame({label: [label, "b"], "n": [1, 2]}), {"Title": label})
    assert len(text.split(end)) <= 5
    assert not any(row.startswith("=") for row in text.splitlines())
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_is_a_formula_wherever_a_spreadsheet_cuts(separator: str) -> None:
    """Some countries part columns at semicolons; a stamp is cut at commas, for it is not quoted."""
    hostile = [f"a{cut}{space}=cmd()" for cut in ",;\t" for space in ("", " ")]
    text = csv_text(pd.DataFrame({"label": hostile}), {f"Key {i}": value for i, value in enumerate(hostile)})
    for row in csv.reader(StringIO(text), delimiter=separator):
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_every_row_comes_back(labels: list[str]) -> None:
    table = pd.DataFrame({"label": labels, "n": np.arange(-1.0, len(labels) - 1)})
    read = list(csv.reader(StringIO(csv_text(table))))
    assert [row[0] for row in read[1:]] == [neutral(label) for label in labels]
    assert [float(row[1]) for row in read[1:]] == table["n"].tolist()


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=8))
def test_an_apostrophe_is_taken_off_again(label: str) -> None:
    if not label.startswith("'"):
        assert restored(neutral(label)) == label


def test_numbers_and_what_is_missing_stay() -> None:
    table = pd.DataFrame({"x": [-1.5, np.nan], "t": pd.Categorical(["a", None])}, index=["=i", "j"])
    read = pd.read_csv(StringIO(csv_text(table)))
    assert read["x"].tolist()[0] == -1.5
    assert read.isna().to_numpy().tolist() == [[False, False], [True, True]]
    assert read["t"].tolist()[0] == "a"
    assert table.loc["=i", "t"] == "a"  # not changed
