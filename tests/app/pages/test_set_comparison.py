"""Two cell sets compared, gene by gene."""

from collections.abc import Callable

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.cell_sets.split import CELL_SET, GROUP, REFERENCE, Split, assign, count, split_sets, with_sets
from app.cell_sets.store import ADD, CellSets
from app.maps import views
from app.tasks.comparison import gather_groups
from squint import keys
from squint.errors import InputError
from squint.library.store import Library
from tests.helpers.app import compare_by, csv_of, genes, words

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "differential_expression"
rows = st.frozensets(st.integers(0, 59), max_size=30)


def in_types(library: Library, name: str, per_section: int = 10) -> dict[str, np.ndarray]:
    """Give the first rows of a cell type in each section."""
    tables = {section.id: library.cells(section.id) for section in library.sections()}
    found = {
        key: np.flatnonzero(cells[keys.CELL_TYPE] == name)[:per_section] for key, cells in tables.items()
    }
    return {key: at for key, at in found.items() if len(at)}


def test_a_cell_of_both_sets_is_in_neither_group(loaded: Library) -> None:
    sets, sections = CellSets(loaded), loaded.sections()[:2]
    ids = [section.id for section in sections]
    cells = views.cells_of(loaded, sections)

    @given(rows, rows)
    def check(first: frozenset[int], second: frozenset[int]) -> None:
        one = sets.make("one", {ids[0]: list(first)})
        other = sets.make("other", {ids[0]: list(second), ids[1]: [0]})
        n_cells = loaded.get(ids[0]).n_cells
        for reference, expected in (
            (other.members, (second - first) | {n_cells}),
            (None, set(range(len(cells))) - first),
        ):
            split = split_sets(ids, one.members, reference)
            arm = assign(with_sets(loaded, cells, sections, split), split).to_numpy()
            assert set(np.flatnonzero(arm == GROUP)) == (first - second if reference else first)
            assert set(np.flatnonzero(arm == REFERENCE).tolist()) == expected
        sets.delete(one.id)
        sets.delete(other.id)

    check()


def test_the_request_changes_with_the_cells_and_not_with_the_name(loaded: Library) -> None:
    sets, section = CellSets(loaded), loaded.sections()[0]
    one = sets.make("one", {section.id: [0, 1]})
    before = split_sets([section.id], one.members, None)
    sets.rename(one.id, "renamed")
    assert split_sets([section.id], sets.get(one.id).members, None) == before
    after = sets.change(one.id, {section.id: [2]}, mode=ADD)
    assert split_sets([section.id], after.members, None) != before
    assert Split(**{**vars(before), "members": [list(one) for one in before.members]}) == before


def test_the_worker_compares_the_cells_of_the_sets(loaded: Library, toy: AnnData) -> None:
    sets, ids = CellSets(loaded), [section.id for section in loaded.sections()]
    tumour, tubule = in_types(loaded, "tumour"), in_types(loaded, "proximal tubule")
    one, other = sets.make("one", tumour), sets.make("other", tubule)
    adata = gather_groups(loaded, ids, None, split_sets(ids, one.members, other.members))
    for arm, members, name in ((GROUP, tumour, "tumour"), (REFERENCE, tubule, "proximal tubule")):
        names = [cell for key, at in members.items() for cell in loaded.cells(key).index[at]]
        assert sorted(adata.obs_names[adata.obs["arm"] == arm]) == sorted(names)
        assert set(toy.obs.loc[names, "cell_type"]) == {name}
        np.testing.assert_array_equal(adata[names].X.toarray(), toy[names, adata.var_names].X.toarray())


def test_cells_that_are_gone_are_not_compared_as_none(loaded: Library) -> None:
    section = loaded.sections()[0]
    split = split_sets([section.id], {section.id: "0" * 16}, None)
    with pytest.raises(InputError, match="changed meanwhile"):
        with_sets(loaded, views.cells_of(loaded, [section]), [section], split)


def test_sets_are_offered_once_there_are_some(visit: Open, loaded: Library) -> None:
    assert "Cell set" not in visit(PAGE).segmented_control("compare_by").options
    CellSets(loaded).make("Core", in_types(loaded, "tumour"))
    assert "Cell set" in visit(PAGE).segmented_control("compare_by").options


def test_two_sets_are_compared_and_those_in_both_are_said(visit: Open, loaded: Library) -> None:
    sets = CellSets(loaded)
    tumour, tubule = in_types(loaded, "tumour"), in_types(loaded, "proximal tubule")
    core = sets.make("Core", tumour)
    other = sets.make("Tubule", {key: np.union1d(at, tumour.get(key, [])[:1]) for key, at in tubule.items()})
    app = compare_by(visit(PAGE), "Cell set")
    app.multiselect("within").set_value([]).run()
    assert "all other cells" in words(app)
    app.selectbox("reference_set").set_value(other.id).run()
    assert not app.exception
    assert not app.error
    said = words(app)
    assert "cell set Core" in said
    assert "cell set Tubule" in said
    n_both = sum(key in tumour for key in tubule)
    assert f"{n_both} cells in both sets belong to neither group" in said
    head, table = csv_of(app, "genes")
    assert f"in both sets, left out: {n_both}" in head
    assert core.members[next(iter(tumour))] in head
    assert len(table) == len(genes(app)) == 40
    assert genes(app)["Gene"].iloc[0].split()[0] in {"CA9", "NDUFA4L2", "VIM", "KRT18", "VEGFA"}
    first = table["n_group"].iloc[0]
    sets.change(core.id, {next(iter(tumour)): tumour[next(iter(tumour))][1:3]}, mode="subtract")
    app.run()
    assert not app.exception
    assert csv_of(app, "genes")[1]["n_group"].iloc[0] < first  # another request, not the old result


def test_counts_by_patient_add_up(loaded: Library) -> None:
    sections = loaded.sections()
    one = CellSets(loaded).make("Core", in_types(loaded, "tumour", 3))
    split = split_sets([section.id for section in sections], one.members, None)
    cells = with_sets(loaded, views.cells_of(loaded, sections), sections, split)
    assert set(cells[CELL_SET]) == {"group", "neither"}
    assert count(cells, assign(cells, split), [keys.PATIENT]).to_numpy().sum() == len(cells)
