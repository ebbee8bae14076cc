"""The panel of cell sets on a page, what a map posts to it, and cells coloured by their sets."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from app.cell_sets import drawn
from app.cell_sets.store import CellSets
from app.maps.message import describe
from app.maps.views import IN_NONE, IN_SEVERAL, by_cell_set, cells_of
from app.session import PLAIN_COLOUR
from squint.library.store import Library
from squint.pl import LIGHT
from tests.helpers.app import MAIN, csv_of, maps, words
from tests.helpers.cell_sets import draw
from tests.helpers.engine import Worker

pytestmark = pytest.mark.slow


def panel() -> None:
    """Show the panel alone; runs as a page."""
    from app import session  # noqa: PLC0415
    from app.components.map.cell_sets import show_cell_sets  # noqa: PLC0415
    from app.maps import views  # noqa: PLC0415
    from tests.helpers import sections as made  # noqa: PLC0415

    library = session.library()
    sections = library.sections()
    model = made.model_of(library)
    cells = views.cells_of(library, sections, model)
    cells["squint_activation"] = [None, *([0.5] * (len(cells) - 1))]
    show_cell_sets(library, sections, cells, "sets")


@pytest.fixture
def shown(loaded: Library, worker: Worker) -> Callable[[], AppTest]:
    """Open the panel on the toy sections."""
    worker.wait_ready()
    del loaded

    def show() -> AppTest:
        app = AppTest.from_function(panel, default_timeout=60).run()
        assert not app.exception
        return app

    return show


def click(app: AppTest, key: str) -> AppTest:
    app.button(key).click().run()
    assert not app.exception
    return app


def test_the_panel_says_what_to_do_where_there_are_no_sets(shown: Callable[[], AppTest]) -> None:
    app = shown()
    assert "There are no cell sets yet" in app.info[0].value
    assert app.button("sets-undo").disabled
    assert app.button("sets-redo").disabled


def named(app: AppTest, name: str) -> TextInput:
    """Find the field of a set's name."""
    return next(field for field in app.text_input if field.value == name)


def test_sets_are_renamed_deleted_and_brought_back(shown: Callable[[], AppTest], loaded: Library) -> None:
    sets, section = CellSets(loaded), loaded.sections()[0]
    one, other = sets.make("Core", {section.id: range(10)}), sets.make("*Rim*", {section.id: [0]})
    app = shown()
    assert "10 cells here" in words(app)
    assert "saved " in words(app)
    named(app, "Core").set_value("*Rim*").run()
    assert not app.exception
    assert sets.get(one.id).name == "*Rim* 2"
    assert app.button("sets-undo").label.replace("\\", "") == "Undo: renamed Core to *Rim* 2"
    click(app, "sets-undo")
    assert named(app, "Core")
    click(app, "sets-redo")
    named(app, "*Rim* 2").set_value("MRN 1234567").run()
    assert "Choose one that identifies nobody" in words(app)
    named(app, "*Rim* 2").set_value("*Rim*").run()  # the number that makes it unique is already there
    assert named(app, "*Rim* 2")
    click(app, f"sets-delete-{other.id}")
    assert [found.id for found in sets.all()] == [one.id]
    sets.make("Meanwhile", {section.id: [5]})
    click(app, "sets-undo")  # of what this page shows, which is no longer last
    assert "changed meanwhile" in words(app)
    assert len(sets.all()) == 2


def test_the_numbers_of_a_set_are_shown_and_exported(shown: Callable[[], AppTest], loaded: Library) -> None:
    sets, sections = CellSets(loaded), loaded.sections()
    low, high = (loaded.cells(sections[0].id)[["x", "y"]].agg(how) for how in ("min", "max"))
    middle = ((low + high) / 2).tolist()
    corners = [low.tolist(), [middle[0], low["y"]], middle, [low["x"], middle[1]]]
    made = draw(loaded, corners, section=sections[0].id, name="Core")
    app = click(shown(), f"sets-choose-{made.id}")
    metrics = {metric.label: metric.value for metric in app.metric}
    n = sets.n_cells(made, sections[0].id)
    assert metrics["Cells"] == f"{n:,}"
    assert (metrics["Sections"], metrics["Patients"]) == ("1", "1")
    assert "mm²" in metrics["Area"]
    assert "of the outline drawn" in words(app)
    assert "1 cell without a score" in words(app) or "median 0.50 [0.50, 0.50]" in words(app)
    assert len(app.get("plotly_chart")) == 2
    head, table = csv_of(app, "sets_composition")
    assert f"cell set: Core, n = {n} cells, 1 patient" in head
    assert made.members[sections[0].id] in head
    assert table["n"].sum() == n
    assert table["n_all"].sum() == sum(section.n_cells for section in sections)
    app.segmented_control("sets-composition-by").set_value("Token").run()
    assert not app.exception
    app.selectbox(f"sets-colour-{made.id}-{made.colour}").set_value("#009E73").run()
    assert sets.get(made.id).colour == "#009E73"
    assert not app.exception
    app.segmented_control("sets-unit").set_value("pixels, for QuPath").run()
    assert not app.exception
    click(app, f"sets-choose-{made.id}")
    assert not app.metric


def test_a_file_is_loaded_and_what_was_found_is_said(shown: Callable[[], AppTest], loaded: Library) -> None:
    section = loaded.sections()[0]
    names = loaded.cells(section.id).index[:3]
    content = "cell_id,group\n" + "".join(f"{name},Mine\n" for name in names) + "zz,Mine\n"
    app = shown()
    app.file_uploader("sets-file-0").set_value(("g.csv", content.encode(), "text/csv")).run()
    click(app, "sets-load")
    assert "this section lacks 1: 'zz'" in words(app)
    app.checkbox("sets-skip").check().run()
    click(app, "sets-load")
    assert "Mine: 3 cells, 1 that are not here left out" in app.success[0].value.replace("\\", "")
    assert [one.name for one in CellSets(loaded).all()] == ["Mine"]
    assert app.file_uploader("sets-file-1").value is None


def test_what_a_map_posts_makes_the_set_that_is_looked_at(loaded: Library) -> None:
    def post() -> None:

        from app import session  # noqa: PLC0415
        from app.components.map.set_events import set_events  # noqa: PLC0415
        from app.maps import views  # noqa: PLC0415
        from app.maps.served import Served  # noqa: PLC0415

        library = session.library()
        sections = library.sections()[:2]
        view = views.by_type(library, sections, views.cells_of(library, sections))
        act, served = set_events("here"), Served(library, view, ())
        label = view.scale.highlighted[0]
        act["entry"](served, {"mode": "new", "label": label})
        everywhere = [[-1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, 1e4]]
        act["area"](served, {"mode": "add", "panel": 1, "polygon": everywhere})
        act["area"](served, {"mode": "new", "panel": 7, "polygon": everywhere})

    app = AppTest.from_function(post).run()
    assert not app.exception
    (made,) = CellSets(loaded).all()
    assert app.session_state["cell_set"] == made.id
    first, second = loaded.sections()[:2]
    n_of_type = int((loaded.cells(first.id)["cell_type"] == made.name).sum())
    assert CellSets(loaded).n_cells(made, first.id) == n_of_type > 0
    assert CellSets(loaded).n_cells(made, second.id) == second.n_cells
    assert "no section of this map" in app.session_state["_here-sets-told"][1]


def test_an_area_that_takes_long_is_left_to_the_worker(
    loaded: Library, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post() -> None:
        import streamlit as st  # noqa: PLC0415

        from app import session  # noqa: PLC0415
        from app.components.map.set_events import finish_area, set_events  # noqa: PLC0415
        from app.maps import views  # noqa: PLC0415
        from app.maps.served import Served  # noqa: PLC0415

        library = session.library()
        sections = library.sections()[:1]
        if "cell_set" not in st.session_state:
            served = Served(library, views.by_type(library, sections, views.cells_of(library, sections)), ())
            everywhere = [[-1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, 1e4]]
            set_events("here")["area"](served, {"mode": "new", "panel": 0, "polygon": everywhere})
        finish_area(library, "here")

    worker.wait_ready()
    monkeypatch.setattr(drawn, "QUICK_CORNERS", 3)
    app = AppTest.from_function(post, default_timeout=60)
    app.run()
    (made,) = CellSets(loaded).all()
    assert app.session_state["cell_set"] == made.id
    section = loaded.sections()[0]
    assert CellSets(loaded).n_cells(made, section.id) == section.n_cells
    assert "_here-area" not in app.session_state


def test_an_undo_on_a_map_leaves_what_others_did(loaded: Library) -> None:
    def post(events: list[tuple[str, int]]) -> None:
        from app import session  # noqa: PLC0415
        from app.components.map.set_events import set_events  # noqa: PLC0415
        from app.maps.served import Served  # noqa: PLC0415

        act, served = set_events("here"), Served(session.library(), None, ())
        for name, seen in events:
            act[name](served, {"seen": seen})

    sets, section = CellSets(loaded), loaded.sections()[0]
    for name in ("A", "B", "C"):
        sets.make(name, {section.id: [0]})
    seen = sets.version
    app = AppTest.from_function(post, args=([("undo", seen), ("undo", seen), ("redo", seen)],)).run()
    assert not app.exception  # strokes of the key before the page has caught up
    assert "_here-sets-told" not in app.session_state
    assert [one.name for one in sets.all()] == ["A", "B"]
    seen = sets.version
    sets.make("another's", {section.id: [1]})
    app = AppTest.from_function(post, args=([("undo", seen)],)).run()
    assert "changed meanwhile" in app.session_state["_here-sets-told"][1]
    assert [one.name for one in sets.all()] == ["A", "B", "another's"]


@pytest.mark.parametrize("meanwhile", [False, True])
def test_what_was_just_drawn_is_undone_before_the_page_shows_it(loaded: Library, *, meanwhile: bool) -> None:
    def post(seen: int, another: bool) -> None:  # noqa: FBT001 - arguments of a script
        from app import session  # noqa: PLC0415
        from app.cell_sets.store import CellSets  # noqa: PLC0415
        from app.components.map.set_events import set_events  # noqa: PLC0415
        from app.maps import views  # noqa: PLC0415
        from app.maps.served import Served  # noqa: PLC0415

        library = session.library()
        sections = library.sections()[:1]
        view = views.by_type(library, sections, views.cells_of(library, sections))
        act, served = set_events("here"), Served(library, view, ())
        everywhere = [[-1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, 1e4]]
        for _ in range(2):
            act["area"](served, {"mode": "new", "panel": 0, "polygon": everywhere})
        if another:
            CellSets(library).make("another's", {sections[0].id: [1]})
        act["undo"](served, {"seen": seen})

    sets = CellSets(loaded)
    sets.make("A", {loaded.sections()[0].id: [0]})
    app = AppTest.from_function(post, args=(sets.version, meanwhile)).run()
    assert not app.exception
    if meanwhile:
        assert "changed meanwhile" in app.session_state["_here-sets-told"][1]
        assert len(sets.all()) == 4
    else:
        assert "_here-sets-told" not in app.session_state
        assert [one.name for one in sets.all()] == ["A", "Set"]


def test_cells_are_coloured_by_the_sets_they_are_in(loaded: Library) -> None:
    sections = loaded.sections()[:2]
    first, second = (section.id for section in sections)
    sets = CellSets(loaded)
    left = sets.make("Left", {first: [0, 1, 2], second: [4]})
    right = sets.make("Right", {first: [2, 3]})
    sets.recolour(right.id, "#123456")
    view = by_cell_set(loaded, sections, cells_of(loaded, sections), sets.all())
    labels = [np.asarray(panel.labels) for panel in view.panels]
    assert labels[0][:5].tolist() == ["Left", "Left", IN_SEVERAL, "Right", IN_NONE]
    assert np.flatnonzero(labels[1] == "Left").tolist() == [4]
    assert view.table["cell set"].tolist() == np.concatenate(labels).tolist()

    told, _ = describe(loaded, view, LIGHT)
    scale = told["scale"]
    assert scale["kind"] == "labels"
    entries = {entry["label"]: (entry["colour"], entry["n"]) for entry in scale["entries"]}
    assert entries["Left"] == (left.colour, 3)
    assert entries["Right"] == ("#123456", 1)
    assert entries[IN_SEVERAL][1] == 1
    assert len({colour for colour, _ in entries.values()}) == 3
    assert scale["rest"]["n"] == sum(section.n_cells for section in sections) - 5
    assert scale["missing"]["n"] == 0

    sets.make(IN_NONE, {first: [7]})  # as a click on that entry of the legend does
    view = by_cell_set(loaded, sections, cells_of(loaded, sections), sets.all())
    assert np.asarray(view.panels[0].labels)[[7, 8]].tolist() == [IN_NONE, f"{IN_NONE} 2"]


def test_the_page_offers_colours_by_cell_set(visit: Callable[[str], AppTest], loaded: Library) -> None:
    app = visit("sections")
    colours = next(group for group in app.get("button_group") if group.key == PLAIN_COLOUR)
    colours.set_value("Cell set").run()
    assert "No cell set has cells in these sections" in words(app)
    shown = loaded.sections()[0].id
    made = CellSets(loaded).make("Mine", {shown: [0, 1, 2]})
    assert not app.run().exception
    assert [entry["n"] for entry in maps(app)["sections"]["scale"]["entries"]] == [3]
    assert app.multiselect("sets").value == [made.id]


def test_the_panel_imports_neither_torch_nor_scanpy_nor_anndata_nor_shapely() -> None:
    code = "import sys, app.components.map.cell_sets, app.components.comparison.groups; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(MAIN).parents[1], capture_output=True, text=True, check=True
    )
    assert not {"torch", "scanpy", "anndata", "shapely", "kaleido"} & set(done.stdout.split())
