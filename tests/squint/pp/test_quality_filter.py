"""Cells of low quality, by hand and by what must hold for any cells."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from squint import pp
from squint.errors import InputError
from squint.pp import QualityFilter

OFF = QualityFilter()
NAMES = tuple(item.name for item in fields(QualityFilter))


def section(**columns: object) -> AnnData:
    counts = csr_matrix(np.array([[0, 0], [3, 0], [4, 5], [10, 10]], np.float32))
    return AnnData(counts, obs=pd.DataFrame(columns, index=pd.Index(list("abcd"))))


def by_hand() -> AnnData:
    return section(cell_area=[20.0, np.nan, 50.0, 80.0], control_counts=[0, 1, 1, 0], in_tissue=[1, 0, 1, 1])


@pytest.mark.parametrize(
    ("criteria", "kept", "said"),
    [
        (OFF, "abcd", []),
        (QualityFilter(min_counts=9), "cd", ["2 of 4 cells left out: fewer than 9 counts"]),
        (
            QualityFilter(min_area=30),
            "bcd",
            ["1 of 4 cells left out: smaller than 30 µm²", "1 cell is kept: its area is not known"],
        ),
        (
            QualityFilter(max_area=50.5),
            "abc",
            ["1 of 4 cells left out: larger than 50.5 µm²", "1 cell is kept: its area is not known"],
        ),
        (
            QualityFilter(max_control_share=0.2),  # of nothing at all, 1 / 4, 1 / 10, 0
            "acd",
            [
                "1 of 4 cells left out: more than 20% controls",
                "1 cell is kept: its share of controls is not known",
            ],
        ),
        (QualityFilter(max_control_share=0.1), "acd", None),
        (QualityFilter(in_tissue=True), "acd", ["1 of 4 cells left out: not in tissue"]),
        (
            QualityFilter(min_counts=5, max_control_share=0.2),
            "cd",
            [
                "2 of 4 cells left out: fewer than 5 counts (2), more than 20% controls (1); "
                "some for several of these",
                "1 cell is kept: its share of controls is not known",
            ],
        ),
        (
            QualityFilter(min_counts=3, min_area=20, max_area=70, in_tissue=True),
            "c",
            [
                "3 of 4 cells left out: fewer than 3 counts (1), smaller than 20 µm² (0), "
                "larger than 70 µm² (1), not in tissue (1)",
                "1 cell is kept: its area is not known",
            ],
        ),
    ],
)
def test_cells_pass_as_counted_by_hand(criteria, kept, said):
    adata = by_hand()
    passed = pp.quality_filter(adata, criteria)
    assert "".join(adata.obs_names[passed.mask]) == kept
    assert said is None or passed.sentences(criteria) == said


def test_only_what_the_section_says_something_of_is_offered_and_accepted():
    assert pp.quality_criteria(by_hand()) == NAMES
    assert pp.quality_criteria(section()) == ("min_counts",)
    with pytest.raises(InputError, match=r"^max_area needs obs\['cell_area'\], which the section does not "):
        pp.quality_filter(section(), QualityFilter(max_area=5))
    words = section(in_tissue=["yes", "yes", "no", "no"], cell_area=[np.nan] * 4)
    assert pp.quality_criteria(words) == ("min_counts",)
    with pytest.raises(InputError, match="holds other than numbers"):
        pp.quality_filter(words, QualityFilter(in_tissue=True))
    assert pp.quality_filter(words, QualityFilter(min_area=1)).n_missing == {"cell_area": 4}


def test_intensities_have_no_least_counts_and_no_share_of_controls():
    adata = by_hand()
    adata.uns["squint"] = {"values": "intensities"}
    assert pp.quality_criteria(adata) == ("min_area", "max_area", "in_tissue")
    with pytest.raises(InputError, match="of counts, but the section holds intensities"):
        pp.quality_filter(adata, QualityFilter(min_counts=1))


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True, None],
        pd.array([1, 0, 1, None], "Int64"),
        pd.Categorical(["1", "0", "1", None]),
        [1.0, 0.0, 1.0, np.nan],
    ],
)
def test_a_column_is_read_however_a_file_stores_it(values):
    passed = pp.quality_filter(section(in_tissue=values), QualityFilter(in_tissue=True))
    assert list(passed.mask) == [True, False, True, True]
    assert passed.n_missing == {"in_tissue": 1}


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        ({"min_counts": -1}, "min_counts is -1"),
        ({"min_area": float("nan")}, "min_area is nan"),
        ({"max_area": float("inf")}, "max_area is inf"),
        ({"max_control_share": 5}, "max_control_share is 5: give a share"),
        ({"min_area": 5, "max_area": 4}, "at least 5 and at most 4 um2"),
    ],
)
def test_what_no_cell_can_be_asked_for_is_refused(criteria, said):
    with pytest.raises(InputError, match=said):
        QualityFilter(**criteria)


NUMBERS = st.floats(0, 100)
CELLS = st.lists(
    st.tuples(
        st.integers(0, 9),
        NUMBERS | st.just(np.nan),
        st.integers(0, 9),
        st.sampled_from([0.0, 1.0, np.nan]),
    ),
    min_size=1,
    max_size=12,
)


def of_cells(cells) -> AnnData:
    counts, area, controls, tissue = map(np.array, zip(*cells, strict=True))
    obs = pd.DataFrame({"cell_area": area, "control_counts": controls, "in_tissue": tissue})
    return AnnData(csr_matrix(counts[:, None].astype(np.float32)), obs=obs.set_index(obs.index.astype(str)))


STRICTER = {
    "min_counts": (0, 1),
    "min_area": (0, 1),
    "max_area": (200, -1),
    "max_control_share": (1, -0.005),
}


@given(CELLS, st.sampled_from([*STRICTER]), st.lists(NUMBERS, min_size=2, max_size=2).map(sorted))
def test_a_stricter_criterion_never_keeps_another_cell(cells, name, bounds):
    start, step = STRICTER[name]
    loose, strict = (QualityFilter(**{name: start + step * bound}) for bound in bounds)
    adata = of_cells(cells)
    assert (pp.quality_filter(adata, strict).mask <= pp.quality_filter(adata, loose).mask).all()


@given(CELLS, NUMBERS, st.floats(0, 1))
def test_all_criteria_together_keep_what_each_alone_keeps(cells, bound, share):
    adata = of_cells(cells)
    together = QualityFilter(bound / 10, bound / 4, bound, share, in_tissue=True)
    alone = [
        pp.quality_filter(adata, replace(OFF, **{name: value})) for name, value in together.given().items()
    ]
    passed = pp.quality_filter(adata, together)
    assert (passed.mask == np.all([one.mask for one in alone], axis=0)).all()
    assert list(passed.n_alone.values()) == [int((~one.mask).sum()) for one in alone]
    assert pp.quality_filter(adata, OFF).mask.all()
