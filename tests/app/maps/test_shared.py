"""Tables, panels and maps: in memory once however many sessions show them, and gone with the last."""

import gc
from weakref import ref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from streamlit.testing.v1 import AppTest

from app.maps import message, shared, tables, views
from app.maps.served import MAPS, Maps, Served
from app.web.garbage import collect
from squint.library.store import CELLS, Library
from squint.pl import LIGHT, Panel
from tests.helpers.app import MAIN, maps


def by_type(library: Library) -> views.MapView:
    sections = library.sections()
    return views.by_type(library, sections, views.cells_of(library, sections))


def test_maps_of_the_same_cells_share_their_table_and_panels(loaded: Library) -> None:
    one, other = by_type(loaded), by_type(loaded)
    assert one.cells is other.cells
    assert all(a is b for a, b in zip(one.panels, other.panels, strict=True))
    orders = [message.describe(loaded, view, LIGHT)[1] for view in (one, other)]
    assert all(a is b for a, b in zip(*orders, strict=True))


def test_maps_of_different_colours_share_their_table(loaded: Library) -> None:
    sections = loaded.sections()
    cells = views.cells_of(loaded, sections)
    gene = views.by_gene(loaded, sections, cells, loaded.genes(sections[0].id)[0])
    again = views.by_gene(loaded, sections, cells, loaded.genes(sections[0].id)[0])
    assert gene.cells is views.by_depth(sections, cells).cells
    assert set(gene.table) - set(cells) == {"unit", *gene.more}
    (name,) = gene.more
    assert gene.more[name] is again.more[name]


def test_the_table_of_one_section_takes_the_columns_of_its_file(loaded: Library) -> None:
    section = loaded.sections()[0]
    cells = views.cells_of(loaded, [section])
    file = tables.read(tables.stamp(loaded.folder(section.id) / CELLS))
    for name in ("x", "y", "n_counts"):
        assert np.shares_memory(cells[name].to_numpy(), file[name].to_numpy())


def test_a_file_that_was_written_anew_is_read_again(loaded: Library) -> None:
    section = loaded.sections()[0]
    path = loaded.folder(section.id) / CELLS
    before = views.cells_of(loaded, [section])
    changed = pd.read_parquet(path).assign(x=lambda table: table["x"] + 1)
    staged = loaded.workspace()
    changed.to_parquet(staged / CELLS)
    loaded.put(staged, path.parent, section.id)
    after = views.cells_of(loaded, [section])
    np.testing.assert_allclose(after["x"], before["x"] + 1)


small = arrays(np.float32, st.integers(0, 3), elements=st.sampled_from([0.0, 1.0, np.nan]))


@given(small, small)
def test_numbers_are_one_object_if_and_only_if_they_are_the_same(one: np.ndarray, other: np.ndarray) -> None:
    same = one.shape == other.shape and np.array_equal(one, other, equal_nan=True)
    assert (shared.values(one) is shared.values(other)) == same


labels = st.lists(st.sampled_from(["a", "b", "a, b", None]), max_size=3)


@given(labels, labels)
def test_panels_are_one_object_if_and_only_if_they_show_the_same(one: list, other: list) -> None:
    first, second = (
        shared.panel(Panel("", np.zeros((len(values), 2)), pd.Categorical(values))) for values in (one, other)
    )
    assert (first is second) == (one == other)
    assert shared.panel(Panel("other", first.coordinates, first.values)) is not first


def test_what_is_shared_cannot_be_changed(loaded: Library) -> None:
    panel = by_type(loaded).panels[0]
    with pytest.raises(ValueError, match="read-only"):
        panel.coordinates[0, 0] = 1


def test_a_panel_goes_with_the_last_who_has_it() -> None:
    panel = shared.panel(Panel("", np.zeros((2, 2)), np.array([1.0, 5.0])))
    gone = ref(panel)
    del panel
    gc.collect()
    assert gone() is None


def test_a_map_goes_with_the_last_who_has_it(loaded: Library) -> None:
    found = Maps()
    served = found.serve("a", Served(loaded, by_type(loaded), ()))
    assert found.get("a") is served
    del served
    gc.collect()
    assert found.get("a") is None


@pytest.mark.usefixtures("loaded")
def test_the_map_of_a_session_that_ended_is_forgotten() -> None:
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not app.exception
    map_id = maps(app)["sections"]["address"]["path"].rsplit("/", 1)[1]
    gc.collect()
    assert MAPS.get(map_id) is not None
    del app
    collect()
    assert MAPS.get(map_id) is None


def test_the_size_of_a_table_counts_its_names_and_numbers(loaded: Library) -> None:
    section = loaded.sections()[0]
    cells = views.cells_of(loaded, [section])
    names = cells["cell"].str.len().sum()
    assert tables.n_bytes(cells) >= names + section.n_cells * 16  # two coordinates
