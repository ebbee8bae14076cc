"""From a file to a section of the library: reported, labelled, kept and tokenised, or refused in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.library.store import Library
from tests.helpers.app import keep, one_section, send, staged, upload, words

Open = Callable[..., AppTest]


def test_upload_is_reported_then_kept_then_tokenised(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    app = upload(visit("sections"), one_section(toy), tmp_path / "new.h5ad")
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Cells"] == "60"
    (fits,) = (table.value for table in app.table)
    assert fits["Its genes measured"].str.contains("100%").all()
    assert library.sections() == []  # a report, and nothing kept
    app.text_input("patient-TOY-H-" + app.session_state["_upload"].file_id).set_value("K-1").run()
    keep(app)
    assert not app.exception
    (section,) = library.sections()
    assert (section.patient, section.section, section.n_cells) == ("K-1", "TOY-H-1", 60)
    assert section.simulated
    assert not staged(library)
    tokens = app.switch_page("../pages/tokens.py").run()
    assert "n = 60 cells, 1 section, 1 patient" in words(tokens)


def test_a_study_code_is_needed_and_looked_at(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    section = one_section(toy)
    section.obs["patient_id"] = "Jane Doe"
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    field = "patient-Jane Doe-" + app.session_state["_upload"].file_id
    assert app.text_input(field).value == ""
    assert app.button("keep").disabled
    app.text_input(field).set_value("Doe, Jane").run()
    assert any("a person's name" in warning.value for warning in app.warning)
    assert app.button("keep").disabled
    app.text_input(field).set_value("K-2").run()
    assert not app.button("keep").disabled
    assert library.sections() == []


def test_columns_with_other_names_are_mapped(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    section = one_section(toy)
    section.obs = section.obs.rename(
        columns={"section_id": "slide", "patient_id": "case", "cell_type": "label"}
    )
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    file_id = app.session_state["_upload"].file_id
    for key, column in (("section_id", "slide"), ("patient_id", "case"), ("cell_type", "label")):
        app.selectbox(f"column-{key}-{file_id}").set_value(column).run()
    assert {metric.label: metric.value for metric in app.metric}["Cell types"] != "none"
    keep(app)
    (kept,) = library.sections()
    assert (kept.section, kept.patient) == ("TOY-H-1", "TOY-H")
    assert kept.n_cell_types > 0


def test_a_known_column_name_that_holds_something_else_is_mapped_away(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    section = one_section(toy)
    section.obs = section.obs.rename(
        columns={"section_id": "slide", "patient_id": "case", "cell_type": "label"}
    )
    section.obs["sample"] = [f"lane {i % 3}" for i in range(section.n_obs)]
    section.obs["patient"] = [f"pool {i % 2}" for i in range(section.n_obs)]
    section.obs["cell_type"] = "not annotated"
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    numbers = {metric.label: metric.value for metric in app.metric}
    assert (numbers["Sections"], numbers["Patients"], numbers["Cell types"]) == ("3", "2", "1")
    file_id = app.session_state["_upload"].file_id
    for key, column in (("section_id", "slide"), ("patient_id", "case"), ("cell_type", "label")):
        app.selectbox(f"column-{key}-{file_id}").set_value(column).run()
    keep(app)
    (kept,) = library.sections()
    assert (kept.section, kept.patient) == ("TOY-H-1", "TOY-H")
    assert kept.n_cell_types > 1
    assert "lane" not in str(library.cells(kept.id))


def test_the_same_data_under_other_labels_are_told_and_change_nothing(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    section = one_section(toy)
    app = upload(visit("sections"), section, tmp_path / "new.h5ad")
    keep(app)
    (before,) = library.sections()
    assert "already in the library" not in words(app)
    section.obs["patient_id"], section.obs["section_id"] = "OTHER", "other"
    app = upload(app, section, tmp_path / "again.h5ad")
    keep(app)
    assert not app.exception
    assert "Already in the library as **TOY-H-1**; its cells were not changed." in words(app)
    assert library.sections() == [before]


def _log_normalised(section: AnnData) -> None:
    section.X = np.log1p(section.X.toarray() * 1.7)


def _negative(section: AnnData) -> None:
    section.X.data[3] = -1


def _nan(section: AnnData) -> None:
    section.X.data[3] = np.nan  # type: ignore[call-overload]


def _nowhere(section: AnnData) -> None:
    del section.obsm["spatial"]


BAD: dict[str, tuple[Callable[[AnnData], None], str]] = {
    "log-normalised": (_log_normalised, "counts"),
    "negative": (_negative, "counts"),
    "NaN": (_nan, "counts"),
    "no coordinates": (_nowhere, "spatial"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_told_and_not_kept(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path, kind: str
) -> None:
    spoil, said = BAD[kind]
    section = one_section(toy)
    spoil(section)
    app = upload(visit("sections"), section, tmp_path / "bad.h5ad")
    assert not app.exception
    assert said in words(app)
    assert app.error
    assert "Traceback" not in words(app)
    assert library.sections() == []
    assert "keep" not in [button.key for button in app.button]


def test_a_section_without_cells_is_refused(visit: Open, toy: AnnData, tmp_path: Path) -> None:
    app = upload(visit("sections"), one_section(toy)[:0].copy(), tmp_path / "none.h5ad")
    assert not app.exception
    assert app.error
    assert "no cells" in words(app).lower() or "0 cells" in words(app)


def test_without_shared_genes_it_can_only_be_viewed(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    section = one_section(toy)
    section.var_names = [f"OTHER{i}" for i in range(section.n_vars)]
    app = upload(visit("sections"), section, tmp_path / "other.h5ad")
    (fits,) = (table.value for table in app.table)
    assert fits["Its genes measured"].str.startswith("0 of ").all()
    assert app.button("keep").label == "Keep for viewing"
    keep(app)
    (kept,) = library.sections()
    assert "does not fit the model" in words(app)
    assert not list(library.folder(kept.id).glob("tokens/*.parquet"))
    assert not any("okenise" in button.label for button in app.button)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("counts.csv", b"1,2", "One table by itself"),
        ("outs.tar.gz", b"\x1f\x8b", "unpack it, and give the folder"),
        ("experiment.xenium", b"{}", "give the whole folder"),
        ("photo.png", b"\x89PNG", "cannot be read"),
        ("empty.h5ad", b"", "empty"),
    ],
)
def test_files_of_other_kinds_are_refused_plainly(
    visit: Open, library: Library, name: str, content: bytes, said: str
) -> None:
    app = visit("sections")
    assert said in send(app, name, content).json()["problem"]
    assert not app.run().exception
    assert not staged(library)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("section.zarr.zip", b"PK\x03\x04", "incomplete"),
        ("photo.h5ad", b"\x89PNG\r\n\x1a\n" + b"0" * 100, "not an .h5ad file"),
    ],
)
def test_files_that_are_not_what_they_say_are_refused_plainly(
    visit: Open, library: Library, name: str, content: bytes, said: str
) -> None:
    app = visit("sections")
    assert send(app, name, content).status_code == 201
    app.run()
    assert not app.exception
    assert app.error
    assert said in words(app)
    assert library.sections() == []
