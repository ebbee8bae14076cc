"""The page of computed perturbations: empty, lacking what it needs, and with a result."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.requests import Perturb, ReadProfile
from app.requests.perturbation import Some
from app.tasks import models, perturbation, profiles
from squint.errors import InputError
from squint.library import gene_sets
from squint.library.results import find
from squint.library.store import Library
from tests.helpers.app import csv_of, links, maps, words
from tests.helpers.sections import model_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "perturbation"


def silent(fraction: float, message: str) -> None:
    del fraction, message


def with_programme(library: Library) -> str:
    gene_sets.add(library, "answer.txt", {"answer": ("CXCL9", "CXCL10", "IDO1", "NOT-MEASURED")})
    return "answer"


def asked(library: Library, **change: object) -> Perturb:
    section = library.sections()[0]
    request = {
        "ids": (section.id,),
        "model": model_of(library),
        "changed": Some(types=("tumour",)),
        "way": "mean",
        "source": Some(types=("proximal tubule",)),
        "values": (),
        "responders": (),
        "programme": ("CXCL9", "CXCL10"),
        "hold_programme": True,
        "labeling": "",
        "n_shams": 19,
        "seed": 0,
    }
    return Perturb(**request | change)


def chosen(app: AppTest, library: Library) -> AppTest:
    """Choose tumour cells, the mean of tubules, and all other cells to answer."""
    section = library.sections()[0].id
    app.selectbox("perturbed").set_value(section).run()
    app.multiselect(f"perturbed-changed-types-{section}").set_value(["tumour"]).run()
    app.multiselect(f"replaced_by-source-types-{section}").set_value(["proximal tubule"]).run()
    app.multiselect(f"responders-{section}").set_value([]).run()
    return app.selectbox("programme").set_value("answer").run()


def test_an_empty_library_leads_to_sections(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert "There are no sections yet" in words(app)
    assert links(app) == ["Go to Sections"]


@pytest.mark.usefixtures("loaded")
def test_what_is_missing_is_said_and_nothing_is_computed(visit: Open, loaded: Library) -> None:
    with_programme(loaded)
    app = visit(PAGE)
    assert not app.exception
    assert "Choose the cells whose mean is taken" in words(app)
    assert app.button("perturb").disabled
    app.segmented_control("replaced_by").set_value("scaled genes").run()
    assert "Choose at least one gene to scale" in words(app)
    app.segmented_control("replaced_by").set_value("a profile file").run()
    assert "Give a file with the expression" in words(app)
    assert not app.exception


def test_numbers_figures_tables_and_map_of_one_result(visit: Open, loaded: Library) -> None:
    with_programme(loaded)
    app = chosen(visit(PAGE), loaded)
    assert not app.exception
    assert not app.get("plotly_chart")
    app.button("perturb").click().run()
    assert not app.exception
    assert not app.error
    said = words(app)
    assert "not a prediction of treatment" in said
    assert "for a rise only" in said
    assert "3 of 4 genes of the programme are measured; not NOT-MEASURED" in said
    assert len(app.get("plotly_chart")) in {3, 4}  # no transitions where nothing moved
    assert maps(app)["perturbation_map"]["title"] == "A computed perturbation"
    head, tokens = csv_of(app, "perturbation_tokens")
    assert "a computed what-if of the model" in head
    assert "shams: 499, seed 0" in head
    assert tokens["before"].sum() == tokens["after"].sum() > 0
    head, cells = csv_of(app, "perturbation_map")
    assert (cells["computed perturbation"] == "perturbed").sum() == len(
        np.flatnonzero(loaded.cells(loaded.sections()[0].id)["cell_type"] == "tumour")
    )
    assert "token_after_the_change" in cells
    app.switch_page("../pages/tokens.py").run()
    again = app.switch_page(f"../pages/{PAGE}.py").run()
    assert not again.exception


def test_a_request_that_cannot_be_done_is_said(visit: Open, loaded: Library) -> None:
    with_programme(loaded)
    app = chosen(visit(PAGE), loaded)
    section = loaded.sections()[0].id
    app.multiselect(f"replaced_by-source-types-{section}").set_value(["tumour"]).run()
    app.button("perturb").click().run()
    assert not app.exception
    assert "there is nothing to see" in "".join(error.value for error in app.error)


def test_a_result_is_kept_with_all_its_tables(loaded: Library, model_folder: Path) -> None:
    models.use(model_folder)
    request = asked(loaded)
    perturbation.perturb(loaded, request, silent)
    result = find(loaded, request)
    assert result is not None
    cells = result.table("cells")
    assert len(cells) == loaded.sections()[0].n_cells
    assert (cells["role"] == "perturbed").sum() == result.facts["n_perturbed"]
    assert len(result.table("shams")) == 19
    with pytest.raises(InputError, match="Cell types were changed"):
        perturbation.perturb(loaded, asked(loaded, labeling="other"), silent)
    with pytest.raises(InputError, match="cell set was changed"):
        perturbation.perturb(loaded, asked(loaded, changed=Some(members="gone")), silent)
    scaled = asked(loaded, way="scale", values=(("CA9", 0.0),), source=Some())
    perturbation.perturb(loaded, scaled, silent)
    assert find(loaded, scaled) is not None


def test_a_profile_given_on_the_page_is_used(visit: Open, loaded: Library) -> None:
    with_programme(loaded)
    app = chosen(visit(PAGE), loaded)
    app.segmented_control("replaced_by").set_value("a profile file").run()
    genes = loaded.genes(loaded.sections()[0].id)
    content = "\n".join(f"{gene},{i % 5}" for i, gene in enumerate(genes))
    app.file_uploader("_replaced_by-profile-file").set_value(("p.csv", content.encode(), "text/csv")).run()
    app.button("_replaced_by-profile-read").click().run()
    assert not app.exception
    assert f"{len(genes)} genes" in words(app)
    app.button("perturb").click().run()
    assert not app.exception
    assert not app.error
    head, _ = csv_of(app, "perturbation_shams")
    assert f"replaced by: a profile of {len(genes)} genes" in head


def test_a_profile_is_read_by_a_worker(library: Library, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("gene,expression\nCA9,2.5\nLDHA,0\n")
    assert profiles.read_profile(library, ReadProfile(str(tmp_path / "given"), "p.csv"), silent) == [
        ["CA9", 2.5],
        ["LDHA", 0.0],
    ]
    for content, says in (
        ("CA9,2\nCA9,3\n", "twice"),
        ("", "names no gene"),
        ("CA9,-1\nLDHA,2\nX,x\n", "no gene and number"),
        ("CA9;1;2\n", "no gene and number"),
    ):
        (tmp_path / "given").write_text(content)
        with pytest.raises(InputError, match=says):
            profiles.read_profile(library, ReadProfile(str(tmp_path / "given"), "p.csv"), silent)
