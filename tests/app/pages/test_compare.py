"""The page that compares sections, a new patient, and groups of patients."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from scipy.spatial.distance import jensenshannon
from streamlit.testing.v1 import AppTest

from app.requests import AddPatients, CompareSections, CountScores
from app.tasks import compare
from squint import datasets, keys
from squint.errors import InputError
from squint.formats.patient_table import parse
from squint.library import patient_facts
from squint.library.records import Patient, SectionRow
from squint.library.results import find
from squint.library.store import Library
from tests.helpers.app import csv_of, keep, links, upload, words
from tests.helpers.sections import model_of, note_tokens, restate

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "compare"


def silent(fraction: float, message: str) -> None:
    del fraction, message


def choose(app: AppTest, what: str) -> AppTest:
    app.segmented_control("compared").set_value(what).run(timeout=120)
    assert not app.exception
    return app


def offered_text(app: AppTest) -> str:
    """All text of a page, and its tables."""
    return "\n".join(
        [words(app), *(one.value for one in app.success), *(t.value.to_csv() for t in app.dataframe)]
    )


def rename_patients(library: Library, codes: list[str]) -> None:
    """Let each section be of a patient of its own."""
    with library.database.writing() as session:
        for code in set(codes):
            session.merge(Patient(code=code, added=""))
        session.flush()
        for section, code in zip(library.sections(), codes, strict=True):
            session.get_one(SectionRow, section.id).patient = code


def give(library: Library, *lines: str) -> None:
    found = parse("\n".join(lines).encode(), "p.csv", patient_facts.codes(library))
    patient_facts.keep(library, found)


def test_an_empty_library_says_what_to_do(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert "There are no sections yet" in words(app)
    assert "Sections" in " ".join(links(app))


@pytest.mark.usefixtures("loaded")
def test_sections_are_compared_by_tokens_and_by_types(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    said = words(app)
    assert "Which lie near which" in said
    assert "Do sections of one patient lie nearer?" in said
    assert "as the smallest has" in said
    assert "8 blocks of tissue" in said or "a section needs 80" in said
    assert len(app.get("plotly_chart")) == 5  # composition, diversity, distances, plane, scores
    app.segmented_control("compared_by").set_value("Cell types").run()
    assert not app.exception
    assert "Effective numbers of cell types" in words(app)
    assert len(app.get("plotly_chart")) == 5


@pytest.mark.usefixtures("loaded")
def test_tables_leave_with_n_method_and_correction(visit: Open, loaded: Library) -> None:
    app = visit(PAGE)
    head, pairs = csv_of(app, "section_distances")
    assert "Jensen-Shannon" in head
    assert "Benjamini-Hochberg over" in head
    assert len(pairs) == 6
    _, held = csv_of(app, "section_composition")
    totals = held.groupby("section")["share"].sum()
    np.testing.assert_allclose(totals, 1)
    _, diversity = csv_of(app, "diversity")
    assert (diversity["richness"] <= diversity["richness_of_all"] + 1e-9).all()
    known = diversity.dropna(subset=["shannon_low"])
    assert (known["shannon_low"] <= known["shannon"]).all()
    assert (known["shannon"] <= known["shannon_high"]).all()
    head, scores = csv_of(app, "section_scores")
    assert "reference patient" in head
    assert scores["n_cells"].sum() == sum(section.n_cells for section in loaded.sections())


def test_one_section_is_told_that_two_are_needed(visit: Open, loaded: Library) -> None:
    for section in loaded.sections()[1:]:
        loaded.delete(section.id)
    app = visit(PAGE)
    assert not app.exception
    assert "two are needed to say how far apart" in words(app)
    choose(app, "A new patient among the references")
    assert "nobody to lie among" in words(app)


def test_sections_without_types_are_told_where_to_name_them(visit: Open, loaded: Library) -> None:
    app = visit(PAGE)
    sections = [section.id for section in loaded.sections()]
    assert sections
    app.multiselect("compared_patients").set_value([]).run()
    assert "Choose at least one patient" in words(app)
    assert not app.exception


def test_a_new_patient_is_placed_among_the_references_in_words(visit: Open, loaded: Library) -> None:
    rename_patients(loaded, ["A-1", "A-1", "B-1", "C-1"])
    app = choose(visit(PAGE), "A new patient among the references")
    said = words(app)
    assert "C-1" in str(app.selectbox("new_patient").value)
    assert any(word in said for word in ("between", "outside", "as A-1", "as B-1"))
    assert "In the mean, sections of C-1 lie" in said
    assert not any(word in said.lower() for word in ("high risk", "diagnosis of"))
    assert len(app.get("plotly_chart")) == 2
    _, rows = csv_of(app, "placing_scores")
    assert set(rows["row"]) == {"C-1, new", "A-1, reference", "B-1, against"}


@pytest.mark.parametrize(
    ("of_tokens", "of_section", "why"),
    [
        ({"gene_overlap": 0.3}, {}, "30% of the model's genes"),
        ({"share_beyond_p99": {"s": 0.4}}, {}, "40% of cells are new to the model"),
        ({}, {"organ": "lung"}, "Another organ: lung"),
        ({}, {"assay": "Visium"}, "Another assay: Visium"),
        ({}, {"median_depth": 5_000.0}, "5,000 counts in the median cell"),
        ({}, {"simulated": False}, "Simulated sections are beside real ones"),
    ],
)
def test_a_patient_of_another_kind_is_not_placed(
    visit: Open, loaded: Library, of_tokens: dict, of_section: dict, why: str
) -> None:
    rename_patients(loaded, ["A-1", "A-1", "B-1", "C-1"])
    for section in loaded.sections():
        restate(loaded, section.id, organ="kidney", assay="Xenium", simulated=True)
    new = next(section for section in loaded.sections() if section.patient == "C-1")
    restate(loaded, new.id, **of_section)
    if of_tokens:
        note_tokens(loaded, new.id, **of_tokens)
    app = choose(visit(PAGE), "A new patient among the references")
    app.multiselect("compared_patients").set_value(["A-1", "B-1", "C-1"]).run()
    app.selectbox("new_patient").set_value("C-1").run()
    next(one for one in app.multiselect if one.label == "Reference patients").set_value(["A-1", "B-1"]).run()
    assert not app.exception
    said = words(app)
    assert "is not placed among the references" in said
    assert why in said
    assert not app.get("plotly_chart")


@pytest.mark.usefixtures("loaded")
def test_without_a_patient_table_the_page_asks_for_one(visit: Open) -> None:
    app = choose(visit(PAGE), "Groups of patients")
    assert "Nothing is known of the patients yet" in words(app)
    assert len(app.get("file_uploader")) == 1


def test_too_few_patients_are_said_in_plain_words_and_still_shown(visit: Open, loaded: Library) -> None:
    rename_patients(loaded, ["A-1", "B-1", "C-1", "D-1"])
    give(loaded, "code,grade", "A-1,low", "B-1,low", "C-1,high", "D-1,low")
    app = choose(visit(PAGE), "Groups of patients")
    said = words(app)
    assert "Too few patients to compare: n = 3 and 1" in said
    assert len(app.get("plotly_chart")) == 1
    head, table = csv_of(app, "patient_groups")
    assert "Benjamini-Hochberg over 0 measures" in head
    assert table["p"].isna().all()
    assert table["mean_group"].notna().any()


def test_numbers_beside_measures_follow_the_same_rule(visit: Open, loaded: Library) -> None:
    rename_patients(loaded, ["A-1", "B-1", "C-1", "D-1"])
    give(loaded, "code,age", "A-1,50", "B-1,61", "C-1,72", "D-1,80")
    patient_facts.take_as(loaded, "age", "numbers")
    app = choose(visit(PAGE), "Groups of patients")
    assert "Too few patients to compare: n = 4, and 5 are needed" in words(app)
    assert len(app.get("plotly_chart")) == 1


def test_one_value_for_all_patients_makes_no_groups(visit: Open, loaded: Library) -> None:
    codes = patient_facts.codes(loaded)
    give(loaded, "code,grade", *(f"{code},high" for code in codes))
    app = choose(visit(PAGE), "Groups of patients")
    assert "1 value of grade: two are needed" in words(app)


def test_a_table_is_undone_taken_otherwise_and_deleted_on_the_page(visit: Open, loaded: Library) -> None:
    codes = patient_facts.codes(loaded)
    give(loaded, "code,grade", *(f"{code},{i}" for i, code in enumerate(codes)))
    app = choose(visit(PAGE), "Groups of patients")
    kind = next(radio for radio in app.radio if radio.label.startswith("grade holds"))
    assert kind.value == "groups"
    kind.set_value("numbers").run()
    assert patient_facts.known(loaded).columns == {"grade": "numbers"}
    app.button("patients_undo").click().run()
    assert not app.exception
    assert patient_facts.known(loaded).columns == {"grade": "groups"}
    app.button("patients_delete").click().run()
    assert not app.exception
    assert not patient_facts.known(loaded).columns
    assert "Nothing is known of the patients yet" in words(app)


def test_a_damaged_table_is_said_to_be(visit: Open, loaded: Library) -> None:
    give(loaded, "code,grade", f"{patient_facts.codes(loaded)[0]},2")
    with loaded.database.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE history_versions SET what = 'x' WHERE name = 'patient_facts'"))
    app = choose(visit(PAGE), "Groups of patients")
    assert "damaged" in " ".join(str(error.value) for error in app.error)
    app.button("patients_delete").click().run()
    assert not app.error


# --- a patient table brought in on the page -----------------------------------------------------------------


def bring(app: AppTest, content: bytes, name: str = "patients.csv") -> AppTest:
    """Give a file to the page, and press the button."""
    app.file_uploader("patients_file").set_value((name, content, "text/csv")).run()
    assert not app.exception
    app.button("patients_add").click().run(timeout=120)
    assert not app.exception
    return app


@pytest.mark.usefixtures("worker")
def test_a_table_given_on_the_page_is_kept_whole(visit: Open, loaded: Library) -> None:
    codes = sorted(patient_facts.codes(loaded))
    lines = "\n".join(f"{code},{i + 1},{20 + i}.5" for i, code in enumerate(codes))
    app = bring(choose(visit(PAGE), "Groups of patients"), f"code,grade,size\n{lines}\n".encode())
    assert not app.error
    assert len(app.success) == 1
    assert "kept: grade (groups), size (groups)" in app.success[0].value.replace("\\", "")
    assert patient_facts.known(loaded).rows == {
        code: {"grade": str(i + 1), "size": f"{20 + i}.5"} for i, code in enumerate(codes)
    }
    assert f"Patient table: {len(codes)} patients, 2 columns" in [one.label for one in app.expander]
    assert not list(loaded.staging.iterdir())  # nothing of the file stays on its way


@pytest.mark.usefixtures("worker")
def test_names_and_dates_of_birth_do_not_come_in(visit: Open, loaded: Library) -> None:
    codes = sorted(patient_facts.codes(loaded))
    rows = "\n".join(f"{code},Erika Musterfrau,1950-0{i + 1}-01,high" for i, code in enumerate(codes))
    app = bring(choose(visit(PAGE), "Groups of patients"), f"code,name,dob,grade\n{rows}\n".encode())
    assert not app.error
    said = app.warning[-1].value.replace("\\", "")
    assert "Left out: name" in said
    assert "Left out: dob" in said
    everything = offered_text(app)
    assert "Musterfrau" not in everything
    assert "1950" not in everything
    assert list(patient_facts.known(loaded).columns) == ["grade"]
    assert all(b"Musterfrau" not in path.read_bytes() for path in loaded.home.rglob("*") if path.is_file())


@pytest.mark.usefixtures("worker")
def test_a_table_of_nothing_but_names_and_dates_is_refused(visit: Open, loaded: Library) -> None:
    code = patient_facts.codes(loaded)[0]
    content = f"code,name,dob\n{code},Erika Musterfrau,1950-01-01\n".encode()
    app = bring(choose(visit(PAGE), "Groups of patients"), content)
    said = " ".join(str(error.value) for error in app.error).replace("\\", "")
    assert "no column that can be kept" in said
    assert "Musterfrau" not in said
    assert not patient_facts.known(loaded).columns
    assert "Nothing is known of the patients yet" in words(app)


@pytest.mark.usefixtures("worker")
def test_patients_that_the_library_lacks_are_named_and_left_out(visit: Open, loaded: Library) -> None:
    code = patient_facts.codes(loaded)[0]
    content = f"code,grade\n{code},3\nZ-9,2\nErika Musterfrau,1\n".encode()
    app = bring(choose(visit(PAGE), "Groups of patients"), content)
    said = app.warning[-1].value.replace("\\", "")
    assert "No patients of the library: Z-9" in said
    assert "1 more code may name a person" in said
    assert "Musterfrau" not in offered_text(app)
    assert patient_facts.known(loaded).rows == {code: {"grade": "3"}}
    only = bring(app, b"code,grade\nZ-8,2\nZ-9,3\n")
    assert only.error
    assert patient_facts.known(loaded).rows == {code: {"grade": "3"}}


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"code,grade\n",
        b"\x00\x01\x02" * 50,
        b"PK\x03\x04 an xlsx that was only renamed",
        b'code,grade\n"TOY-H,3\n',
        b"code,grade\nTOY-H,1\nTOY-H,2\n",
        b"code,grade\nTOY-H,1,2,3\n",
    ],
    ids=["empty", "titles alone", "no text", "a workbook", "an open quote", "a patient twice", "fields over"],
)
def test_a_broken_file_says_why_and_changes_nothing(visit: Open, loaded: Library, content: bytes) -> None:
    give(loaded, "code,grade", f"{patient_facts.codes(loaded)[0]},3")
    before = patient_facts.known(loaded)
    app = bring(choose(visit(PAGE), "Groups of patients"), content)
    (error,) = app.error
    assert "patients.csv" in error.value.replace("\\", "")
    assert "Traceback" not in error.value
    assert patient_facts.known(loaded) == before
    assert not app.success
    again = bring(
        app, f"code,grade\n{patient_facts.codes(loaded)[0]},1\n".encode()
    )  # a good one is taken then
    assert not again.error
    assert patient_facts.known(loaded).rows[patient_facts.codes(loaded)[0]] == {"grade": "1"}


# --- what the workers do ----------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["tokens", "types"])
def test_the_task_counts_and_compares_what_the_library_holds(loaded: Library, of: str) -> None:
    ids = tuple(section.id for section in loaded.sections())
    asked = CompareSections(ids, model_of(loaded), of, 19)
    compare.compare_sections(loaded, asked, silent)
    result = find(loaded, asked)
    assert result is not None
    column = {"tokens": keys.TOKEN, "types": keys.CELL_TYPE}[of]
    shares = []
    for section_id in asked.ids:
        cells = loaded.cells(section_id)
        tokens = loaded.tokens(section_id, model_of(loaded))
        assert tokens is not None
        labels = (tokens if of == "tokens" else cells)[column].astype(str)
        shares.append(labels.value_counts(normalize=True))
    table = pd.DataFrame(shares, list(asked.ids)).fillna(0)
    counts = result.table("counts")
    pd.testing.assert_frame_equal(
        counts.div(counts.sum(axis=1), axis=0), table[counts.columns], check_names=False
    )
    expected = [[jensenshannon(a, b, base=2) for b in table.to_numpy()] for a in table.to_numpy()]
    np.testing.assert_allclose(result.table("distance"), expected, atol=1e-7)


def test_scores_are_counted_as_they_are(visit: Open, loaded: Library) -> None:
    visit(PAGE)
    run = next(path.name for path in loaded.results.iterdir() if path.name.startswith("activate"))
    asked = CountScores(tuple(section.id for section in loaded.sections()), run)
    compare.count_scores(loaded, asked, silent)
    result = find(loaded, asked)
    assert result is not None
    table = result.table("scores")
    assert table.groupby("section")["n"].sum().to_dict() == {s.id: s.n_cells for s in loaded.sections()}
    assert table["score"].between(0, 1).all()


def test_a_file_of_patients_is_kept_by_the_worker_and_says_what_was_left_out(
    loaded: Library, tmp_path: Path
) -> None:
    code = patient_facts.codes(loaded)[0]
    path = tmp_path / "given"
    path.write_text(f"code,grade,dob\n{code},3,1950-01-01\nZ-1,2,x\n")
    said = compare.add_patients(loaded, AddPatients(str(path), "p.csv", replace=False, sure=False), silent)
    assert said["n_patients"] == 1
    assert said["unknown"] == ["Z-1"]
    assert list(said["left_out"]) == ["dob"]
    assert patient_facts.known(loaded).rows == {code: {"grade": "3"}}
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match=r"p\.csv is no plain text"):
        compare.add_patients(loaded, AddPatients(str(path), "p.csv", replace=False, sure=False), silent)


# --- planted truth ----------------------------------------------------------------------------------------


def test_a_planted_difference_between_groups_of_patients_is_found(
    visit: Open, library: Library, tmp_path: Path
) -> None:
    """Of six simulated patients, three of each kind, the type that the kinds differ in has the smallest p."""
    adata = datasets.toy(n_cells=1_800, n_sections=6)
    names = adata.obs[keys.SECTION].astype(str)
    codes = {name: f"P-{i}" for i, name in enumerate(names.unique())}
    adata.obs[keys.PATIENT] = names.map(codes).astype("category")
    keep(upload(visit("sections"), adata, tmp_path / "six.h5ad"))
    assert len(library.sections()) == 6
    give(library, "code,kind", *(f"{code},{name.split('-')[1]}" for name, code in codes.items()))
    app = choose(visit(PAGE), "Groups of patients")
    assert not app.error
    head, table = csv_of(app, "patient_groups")
    assert "permutation of patients" in head
    table = table.set_index("measure")
    by_hand = adata.obs.groupby(keys.PATIENT, observed=True)[keys.CELL_TYPE].value_counts(normalize=True)
    share = by_hand.unstack(fill_value=0)
    kinds = pd.Series({code: name.split("-")[1] for name, code in codes.items()})
    means = share.groupby(kinds.reindex(share.index)).mean()
    apart = str((means.loc["H"] - means.loc["L"]).abs().idxmax())
    row = table.loc[f"share of cell type {apart}"]
    assert (row["n_group"], row["n_reference"]) == (3, 3)
    assert row["p"] == pytest.approx(0.1)  # of 20 ways to part six patients, two are as far apart
    assert abs(row["cliffs_delta"]) == 1
    assert abs(row["difference"]) == pytest.approx(abs(means.loc["H", apart] - means.loc["L", apart]))
    assert row["low"] < row["difference"] < row["high"]
    scored = table[table.index.str.contains("score")]
    assert (scored["n_group"] + scored["n_reference"] == 4).all()  # without those who chose the codes
    assert scored["problem"].notna().all()
