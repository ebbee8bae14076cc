"""Units are stated or said, and never guessed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import io
from squint.errors import InputError
from squint.io.annotated import um_of_bins
from squint.io.findings import Findings
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


@pytest.mark.parametrize(("said", "factor"), [("um", 1), ("mm", 1000), ("nm", 0.001), ("0.2125", 0.2125)])
def test_an_answer_converts_positions(tmp_path, said, factor):
    path = saved(cells(tissue()), tmp_path)
    read = io.read(path, answers=io.Answers(unit=said))
    assert read.uns["squint"]["unit"] == "um"
    np.testing.assert_allclose(read.obsm["spatial"], tissue() * factor)
    assert read.uns["squint"]["answers"] == {"unit": said}


@pytest.mark.parametrize("said", ["parsec", "-1", "0", "nan", "inf", ""])
def test_an_answer_that_is_no_unit_is_refused(tmp_path, said):
    with pytest.raises(InputError, match="is no unit"):
        io.read(saved(cells(tissue()), tmp_path), answers=io.Answers(unit=said))


def test_without_an_answer_the_unit_is_unknown_and_asked(tmp_path):
    report = facts(saved(cells(tissue()), tmp_path))
    assert report.unit == "unknown"
    assert [question.option for question in report.asked] == ["unit"]
    assert not facts(saved(cells(tissue()), tmp_path), unit="unknown").asked


def test_pixels_are_converted_where_the_file_states_their_size(tmp_path):
    adata = cells(tissue())
    adata.uns["spatial"] = {"lib": {"scalefactors": {"microns_per_pixel": 0.5}}}
    read = io.read(saved(adata, tmp_path))
    assert read.uns["squint"]["unit"] == "um"
    np.testing.assert_allclose(read.obsm["spatial"], tissue() * 0.5)


@given(
    width=st.sampled_from([2, 8, 16]),
    pitch=st.floats(0.1, 100),
    angle=st.floats(0, 2 * np.pi),
    mirrored=st.booleans(),
)
def test_bins_of_visium_hd_state_their_width(width, pitch, angle, mirrored):
    rows, columns = np.divmod(np.arange(60), 10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    positions = pitch * np.column_stack([columns, -rows if mirrored else rows]) @ turn + 1234.5
    names = pd.Index([f"s_{width:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(rows, columns, strict=True)])
    assert um_of_bins(names, positions, Findings()) == pytest.approx(width / pitch)
    assert um_of_bins(names, np.random.default_rng(0).permutation(positions), Findings()) is None
