"""What a map is coloured by before anybody chooses: never by what its sections do not have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from squint.library.store import Library, Section
from tests.helpers.app import keep, maps, one_section, upload
from tests.helpers.sections import forget_tokens

Open = Callable[..., AppTest]
KEYS = {"sections": "plain_colour", "in_painting": "mark_colour"}


@pytest.fixture
def bare(visit: Open, loaded: Library, toy: AnnData, tmp_path: Path) -> Section:
    """Add a section without cell types, with tokens, to sections that have both."""
    known = {section.id for section in loaded.sections()}
    untyped = one_section(toy)
    untyped.obs = untyped.obs[["section_id"]].assign(patient_id="NEW")
    untyped.obsm["spatial"] = untyped.obsm["spatial"] + 7.0  # else it is one that the library has
    untyped.uns["squint"]["simulated"] = False
    app = upload(visit("sections"), untyped, tmp_path / "bare.h5ad")
    keep(app)
    assert not app.exception
    app.button("show-simulated").click().run()  # which stepped aside for the first that is none
    (added,) = (section for section in loaded.sections() if section.id not in known)
    assert added.n_cell_types == 0
    return added


def is_coloured(app: AppTest, place: str) -> bool:
    """Whether any cell of the map has a value."""
    scale: dict[str, Any] = maps(app)[place]["scale"]
    n_cells = sum(panel["n"] for panel in maps(app)[place]["panels"])
    return bool(scale["missing"]["n"] < n_cells)


@pytest.mark.parametrize(("page", "place"), [("sections", "sections"), ("in_painting", "marking")])
def test_a_section_without_types_opens_coloured(
    visit: Open, loaded: Library, bare: Section, page: str, place: str
) -> None:
    app = visit(page)
    if page == "in_painting":
        app.selectbox("marked_section").set_value(bare.id).run()
    else:
        app.multiselect("shown").set_value([bare.id]).run()
    assert not app.exception
    control = app.segmented_control(KEYS[page])
    assert control.value == "Token"
    assert "Cell type" not in control.options
    assert is_coloured(app, place)
    forget_tokens(loaded, bare.id)
    app.run()
    assert not app.exception
    assert app.segmented_control(KEYS[page]).value == "Counts per cell"
    assert is_coloured(app, place)


def test_the_first_colour_is_what_all_sections_shown_have_until_one_is_chosen(
    visit: Open, loaded: Library, bare: Section
) -> None:
    typed = next(section for section in loaded.sections() if section.n_cell_types)
    app = visit("sections")
    app.multiselect("shown").set_value([typed.id]).run()
    assert app.segmented_control("plain_colour").value == "Cell type"
    app.multiselect("shown").set_value([typed.id, bare.id]).run()
    assert app.segmented_control("plain_colour").value == "Token"
    app.segmented_control("plain_colour").set_value("Cell type").run()
    app.multiselect("shown").set_value([bare.id, typed.id]).run()
    assert app.segmented_control("plain_colour").value == "Cell type"
    app.multiselect("shown").set_value([bare.id]).run()  # which has none to be coloured by
    assert app.segmented_control("plain_colour").value == "Token"
