"""The page that compares two groups of cells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from app.cell_sets.split import GROUP, REFERENCE, Split
from app.requests import Align
from app.tasks.comparison import gather_groups
from squint import keys, tl
from squint.errors import InputError
from squint.library import gene_sets, results
from squint.library.database import database
from squint.library.store import Library
from tests.helpers.app import compare_by, csv_of, genes, keep, maps, one_section, upload, words
from tests.helpers.sections import model_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "differential_expression"


@pytest.mark.usefixtures("loaded")
def test_high_and_low_tumour_cells_are_compared_and_counted_by_patient(visit: Open) -> None:
    app = visit(PAGE)
    app.slider("thresholds").set_value((0.5, 0.6)).run()
    assert not app.exception
    assert app.multiselect("within").value == ["tumour"]
    said = words(app)
    assert "high score (above 0.6)" in said
    assert "low score (below 0.5)" in said
    assert "2 patients (TOY-H" in said
    assert said.count("· simulated") == 2  # of each group
    assert "Cells are not independent" in said
    assert len(genes(app)) == 40  # every gene, not only those that differ


@pytest.mark.usefixtures("loaded")
def test_planted_types_differ_in_their_markers_with_the_sign_of_the_group(visit: Open) -> None:
    app = compare_by(visit(PAGE), "Cell type")
    app.multiselect(f"group-{keys.CELL_TYPE}").set_value(["tumour"]).run()
    app.multiselect(f"reference_group-{keys.CELL_TYPE}").set_value(["proximal tubule"]).run()
    assert not app.exception
    table = genes(app).set_index("Gene")
    assert table.index[0].split()[0] in {"CA9", "NDUFA4L2", "VIM", "KRT18", "VEGFA"}
    assert set(table.index[-3:]) <= {"LRP2", "CUBN", "SLC34A1", "ALDOB", "GATM", "SLC22A6"}
    assert (table["auc"].iloc[:3] > 0.7).all()
    assert (table["log2_fold_change"].iloc[-3:] < -1).all()
    assert "each patient with itself" in words(app)  # both patients have both types


@pytest.mark.usefixtures("loaded")
def test_a_table_of_genes_says_what_was_tested_on_how_many_and_how_it_was_corrected(visit: Open) -> None:
    app = compare_by(visit(PAGE), "Cell type")
    app.multiselect(f"group-{keys.CELL_TYPE}").set_value(["tumour"]).run()
    head, table = csv_of(app, "genes")
    assert "test: Wilcoxon rank sum, cells as observations, which are not independent" in head
    assert "correction: Benjamini-Hochberg over 40 genes" in head
    assert "pseudo-count: 0.05" in head
    assert f"n = {table['n_group'][0]:,}" in head
    assert len(table) == 40
    head, table = csv_of(app, "pseudobulk")
    assert "patients: 2 in the group, 2 in the reference" in head
    assert f"correction: Benjamini-Hochberg over the {table['q'].notna().sum()} genes" in head
    assert len(table) == 40


@pytest.mark.usefixtures("loaded")
def test_the_gene_chosen_is_shown_by_group_and_on_the_map(visit: Open) -> None:
    app = compare_by(visit(PAGE), "Cell type")
    app.selectbox("gene").set_value("LRP2").run()
    assert not app.exception
    assert "LRP2: log2 fold change" in words(app).replace("**", "")
    assert len(app.get("plotly_chart")) == 3  # volcano, violins, dots
    assert maps(app)["gene_map"]["title"] == "Gene LRP2"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("what", ["Token", "Region", "Patient", "Section"])
def test_groups_are_made_of_any_label(visit: Open, what: str) -> None:
    app = compare_by(visit(PAGE), what)
    app.multiselect("within").set_value([]).run()
    assert not app.exception
    assert "all other cells" in words(app)
    assert len(genes(app)) == 40


@pytest.mark.usefixtures("loaded")
def test_patients_cannot_be_compared_across_one_each(visit: Open) -> None:
    app = compare_by(visit(PAGE), "Patient")
    assert "No patient has cells in both groups" in words(app)
    assert "not independent" in words(app)
    assert "at least 2 in each" in words(app)


@pytest.mark.usefixtures("loaded")
def test_too_few_cells_are_told_with_what_to_do(visit: Open) -> None:
    app = visit(PAGE)
    app.slider("thresholds").set_value((0.0, 1.0)).run()
    assert not app.exception
    assert not app.error
    assert "At least 3 cells are needed in each group" in words(app)
    assert not app.get("plotly_chart")


def test_without_cell_types_all_cells_are_compared(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    bare = one_section(toy)
    del bare.obs["cell_type"]
    app = upload(visit("sections"), bare, tmp_path / "bare.h5ad")
    keep(app)
    assert len(library.sections()) == 1
    app = app.switch_page(f"../pages/{PAGE}.py").run()
    app = compare_by(app, "Token")
    assert "no cell types" in words(app)
    assert "Name them on the page Cell types" in words(app)
    assert len(genes(app)) == 40


def test_sections_that_the_model_does_not_fit_are_compared_by_what_they_have(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    other = one_section(toy)
    other.var_names = [f"OTHER{i}" for i in range(other.n_vars)]
    app = upload(visit("sections"), other, tmp_path / "other.h5ad")
    keep(app)
    assert len(library.sections()) == 1
    app = app.switch_page(f"../pages/{PAGE}.py").run()
    assert not app.exception
    assert not app.error
    assert app.segmented_control("compare_by").options == ["Cell type"]
    said = words(app)
    assert "scores and tokens cannot be compared" in said
    assert "The model does not fit TOY-H-1" in said  # to tokenise it would be of no use
    assert "on the page Models" in said
    assert len(genes(app)) == 40


@pytest.mark.usefixtures("filled")
def test_the_worker_compares_what_the_page_counts(loaded: Library, toy: AnnData) -> None:
    ids = [section.id for section in loaded.sections()]
    model = model_of(loaded)
    split = Split(keys.CELL_TYPE, ("tumour",), ("proximal tubule",))
    adata = gather_groups(loaded, ids, model, split)
    types = toy.obs["cell_type"].astype(str).to_numpy()
    for arm, name in ((GROUP, "tumour"), (REFERENCE, "proximal tubule")):
        mine = np.sort(np.asarray(adata[adata.obs["arm"] == arm].X.sum(axis=1)).ravel())
        np.testing.assert_array_equal(mine, np.sort(np.asarray(toy[types == name].X.sum(axis=1)).ravel()))
    tl.differential_expression(adata, "arm", group=GROUP, reference=REFERENCE)
    with pytest.raises(InputError, match="No cell is in either group"):
        gather_groups(loaded, ids, model, Split(keys.CELL_TYPE, ("nobody",), ("nothing",)))


def test_a_result_of_a_section_deleted_meanwhile_does_not_stay(loaded: Library) -> None:
    ids = [section.id for section in loaded.sections()]
    asked = Align(tuple(ids))
    loaded.delete(ids[0])
    with pytest.raises(InputError, match="no longer in the library"):
        results.keep(loaded, asked, {}, {"genes": pd.DataFrame({"p": [1.0]})})
    assert not list(loaded.results.iterdir())


def test_gene_sets_that_are_damaged_are_said_and_can_be_removed(visit: Open, loaded: Library) -> None:
    gene_sets.add(loaded, "tubules.csv", {"tubules": ("LRP2",)})
    gene_sets.add(loaded, "mine.csv", {"mine": ("VIM",)})
    app = compare_by(visit(PAGE), "Cell type")
    with database(loaded.home).engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE gene_sets SET sets = '{', \"check\" = 'x' WHERE name = 'tubules.csv'")
        )
    app.run()
    assert not app.exception
    assert [error.value for error in app.error] == [
        r"The gene sets of tubules\.csv are damaged. Remove that file, and add it again."
    ]
    assert any("mine" in option for option in app.selectbox("gene_set").options)
    app.selectbox("gene_sets_gone").set_value("tubules.csv").run()
    app.button("gene_sets_remove").click().run()
    assert not app.error


@pytest.mark.usefixtures("loaded")
def test_an_added_set_is_marked(visit: Open, library: Library) -> None:
    app = compare_by(visit(PAGE), "Cell type")
    app.file_uploader("gene_sets_file").set_value(
        ("tubules.csv", b"gene\nLRP2\nNOT-HERE\n", "text/csv")
    ).run()
    app.button("gene_sets_add").click().run()
    assert not app.exception
    assert not app.error
    assert not list(library.staging.iterdir())
    app.selectbox("gene_set").set_value("tubules").run()
    assert not app.exception
    assert "LRP2 ◆" in set(genes(app)["Gene"])
    assert "Not measured here: NOT-HERE" in words(app)


@pytest.mark.usefixtures("loaded")
def test_a_file_of_no_gene_sets_is_refused_in_words_and_one_put_there_by_hand_is_read(
    visit: Open, library: Library
) -> None:
    (library.gene_sets_folder / "by hand.csv").write_text("gene\nLRP2\n")
    app = compare_by(visit(PAGE), "Cell type")
    app.selectbox("gene_set").set_value("by_hand").run()
    assert "LRP2 ◆" in set(genes(app)["Gene"])
    bomb = b"{}," * 600_000
    app.file_uploader("gene_sets_file").set_value(("sets.gmt", bomb, "text/plain")).run()
    app.button("gene_sets_add").click().run()
    assert not app.exception
    assert "holds more than 400,000 fields" in app.error[0].value.replace("\\", "")
