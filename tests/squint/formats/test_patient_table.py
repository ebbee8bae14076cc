"""Tables of patients: what is kept, what is left out, and that nothing that tells who it is comes back."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.formats import patient_table
from squint.formats.patient_table import parse
from squint.stats.patient_columns import GROUPS, NUMBERS

KNOWN = ("A-1", "A-2", "B-1")


def table(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def test_columns_and_rows_are_those_of_the_file_by_study_code() -> None:
    found = parse(table("code,grade,stage", "A-1,3,pT3a", "A-2,2,pT1b"), "p.csv", KNOWN)
    assert found.code_column == "code"
    assert found.columns == {"grade": GROUPS, "stage": GROUPS}
    assert found.rows == {"A-1": {"grade": "3", "stage": "pT3a"}, "A-2": {"grade": "2", "stage": "pT1b"}}
    assert not found.left_out
    assert not found.unknown


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_spreadsheets_of_all_countries_are_read(delimiter: str, end: str, mark: bytes) -> None:
    lines = [delimiter.join(row) for row in (["id", "grade"], ["A-1", '"3"'], ["B-1", " 2 "], ["", ""])]
    found = parse(mark + end.join(lines).encode(), "p.csv", KNOWN)
    assert found.rows == {"A-1": {"grade": "3"}, "B-1": {"grade": "2"}}


def test_the_column_of_codes_is_the_one_with_most_codes_wherever_it_stands() -> None:
    found = parse(table("grade,who", "3,A-1", "2,B-1"), "p.csv", KNOWN)
    assert found.code_column == "who"
    assert list(found.columns) == ["grade"]


@pytest.mark.parametrize("missing", ["", "NA", "n/a", "NaN", "-", "unknown", "Not available", "None", "?"])
def test_missing_values_are_missing_however_they_are_spelt(missing: str) -> None:
    found = parse(table("code,grade,age", f"A-1,{missing},61", f"A-2,2,{missing}"), "p.csv", KNOWN)
    assert found.rows == {"A-1": {"age": "61"}, "A-2": {"grade": "2"}}


def test_few_different_numbers_are_grades_and_many_are_numbers() -> None:
    codes = [f"P{i}" for i in range(6)]
    rows = [f"{code},{i % 4},{50 + i},{i}x" for i, code in enumerate(codes)]
    found = parse(table("code,grade,age,word", *rows), "p.csv", codes)
    assert found.columns == {"grade": GROUPS, "age": NUMBERS, "word": GROUPS}


def test_unknown_codes_are_listed_but_for_those_that_may_be_names() -> None:
    found = parse(table("code,grade", "A-1,1", "C-9,2", "Jane Doe,3", "12345678,1"), "p.csv", KNOWN)
    assert found.unknown == ["C-9"]
    assert found.n_unlisted == 2
    assert set(found.rows) == {"A-1"}


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        ("date_of_birth", ("x", "y"), "date of birth"),
        ("PatientName", ("x", "y"), "person's name"),
        ("MRN", ("x", "y"), "record number"),
        ("surgery", ("2020-03-01", "x"), "date"),
        ("surgery", ("1.3.2020", "x"), "date"),
        ("number", ("12345678", "12345679"), "long numbers"),
        ("number", ("NHS 943 476 5919", "x"), "long number"),
        ("who", ("Jane Doe", "Max Muster"), "persons' names"),
        ("remark", ("x" * 61, "y"), "free text"),
    ],
)
def test_what_may_tell_who_somebody_is_is_left_out_and_never_repeated(
    column: str, values: tuple[str, str], why: str
) -> None:
    rows = [f"{code},1,{value}" for code, value in zip(KNOWN, values, strict=False)]
    found = parse(table(f"code,grade,{column}", *rows), "p.csv", KNOWN)
    assert list(found.columns) == ["grade"]
    assert why in found.left_out[column]
    said = repr(found.left_out) + repr(found.rows)
    assert not any(value in said for value in values if len(value) > 1)


def test_an_outcome_of_several_patients_is_no_name() -> None:
    words = ["Stable Disease", "Partial Response", "Stable Disease"]
    rows = [f"{code},{word}" for code, word in zip(KNOWN, words, strict=True)]
    assert list(parse(table("code,outcome", *rows), "p.csv", KNOWN).columns) == ["outcome"]


def test_whoever_is_sure_keeps_values_but_no_column_that_is_called_so() -> None:
    lines = table("code,stage,dob", "A-1,Clear Cell,1", "A-2,Papillary Type,2")
    with pytest.raises(InputError, match="no column that can be kept"):
        parse(lines, "p.csv", KNOWN)
    found = parse(lines, "p.csv", KNOWN, sure=True)
    assert list(found.columns) == ["stage"]
    assert "dob" in found.left_out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no table of patients"),
        (b"code,grade\n", "no table of patients"),
        (b"code\nA-1\n", "one column"),
        (b"code,grade\nX-1,2\n", "study code of a patient of the library"),
        (b"code,grade,grade\nA-1,2,3\n", "two columns called 'grade'"),
        (b"code,grade\nA-1,2\nA-1,3\n", "two things, in lines 2 and 3"),
        (b"code,grade\nA-1,2,3\n", "more fields"),
        (b'code,grade\nA-1,"2\nA-2,3\n', "quote is not closed"),
        (b"code,grade\nA-1,\x00\n", "no plain text"),
        ("code,grade\nA-1,2\n".encode("utf-16"), "no plain text"),
        (b"code,grade\nA-1,\xff\n", "no plain text"),
        (b"code,grade\nA-1," + b"x" * 20_000, "longer than"),
        (b"code," + b",".join(b"c%d" % i for i in range(200)) + b"\nA-1", "more than 100 columns"),
        (b"code,grade\n" + b"A-1,2\n" * 10_001, "more than 10,001 rows"),
        (b"x" * 1_000_001, "larger than 1 MB"),
        (b"code,dob\nA-1,x\n", "no column that can be kept"),
        (b"PK\x03\x04\x14\x00\x06\x00", "no plain text"),
    ],
)
def test_what_is_no_table_of_patients_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        parse(content, "p.csv", KNOWN)
    assert len(str(refused.value)) < 400


def test_a_table_that_left_squint_comes_back() -> None:
    lines = table("# Title: patients", '"patient_id","grade","score"', '"A-1","\'-1","\'=1+1"')
    assert parse(lines, "p.csv", KNOWN).rows == {"A-1": {"grade": "-1", "score": "=1+1"}}


@given(
    st.lists(
        st.lists(st.text(string.printable + "ä\u200b\x00", max_size=12), max_size=4).map(",".join), max_size=6
    )
)
def test_nothing_that_somebody_writes_ends_in_another_error(lines: list[str]) -> None:
    try:
        found = parse("\n".join(["code,grade,stage", "A-1,2,x", *lines]).encode(), "p.csv", KNOWN)
    except InputError:
        return
    assert set(found.rows) <= set(KNOWN)
    assert all(set(row) <= set(found.columns) for row in found.rows.values())
    assert all(row[name] for row in found.rows.values() for name in row)


def test_a_file_that_is_not_there_is_told_of(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        patient_table.read(tmp_path / "none.csv", KNOWN)


def test_a_column_that_is_called_name_is_left_out_whatever_it_holds() -> None:
    content = b"code,Name,grade\nA-1,Erika Musterfrau,2\nA-2,Erika Musterfrau,3\n"
    for sure in (False, True):
        found = parse(content, "p.csv", ["A-1", "A-2"], sure=sure)
        assert list(found.columns) == ["grade"]
        assert found.left_out == {"Name": "its name looks like a person's name"}
