"""The names that a section's file gives: read, and copied into a labeling that can be changed."""

from pathlib import Path

import anndata as ad
import pandas as pd
import pytest

from squint import keys
from squint.errors import InputError
from squint.library import instrument, labelings, relabeling
from squint.library.store import DATA, Library
from squint.stats import labelings as names_of
from tests.helpers.cell_sets import A, B, put


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def test_a_copy_is_in_use_and_the_file_stays_as_it_is(library):
    section = put(library, A)
    before = library.cells(section.id)[keys.CELL_TYPE].tolist()
    copy = labelings.copy_of_file(library, section.id)
    assert (copy.method, copy.name, copy.in_use) == ("own", "From the file", True)
    assert library.cells(section.id)[keys.CELL_TYPE].tolist() == before
    changed = names_of.rename(labelings.of_file(library, section.id), "tumour", "carcinoma")
    relabeling.change(library, copy, "renamed", changed)
    assert "carcinoma" in library.cells(section.id)[keys.CELL_TYPE].tolist()
    assert "carcinoma" not in labelings.of_file(library, section.id).names


def test_a_second_copy_has_a_name_of_its_own_and_none_is_made_upon_a_labeling(library):
    section = put(library, A)
    labelings.copy_of_file(library, section.id)
    with pytest.raises(InputError, match="meanwhile"):
        labelings.copy_of_file(library, section.id)
    labelings.use(library, section.id, None)
    assert labelings.copy_of_file(library, section.id).name == "From the file 2"


def test_a_file_without_names_gives_none(library):
    section = put(library, A)
    folder = library.folder(section.id)
    staged = library.workspace()
    cells = pd.read_parquet(folder / "cells.parquet").drop(columns=keys.CELL_TYPE)
    cells.to_parquet(staged / "cells.parquet")
    library.put(staged, folder, section.id)
    assert labelings.of_file(library, section.id) is None
    with pytest.raises(InputError, match="names no cells"):
        labelings.copy_of_file(library, section.id)


@pytest.mark.parametrize("column", [instrument.CLUSTER, "score"])
def test_whether_the_instrument_gave_clusters_is_seen_without_its_counts(library, column):
    section = put(library, B)
    staged = library.workspace()
    ad.AnnData(obs=pd.DataFrame({column: pd.Categorical(["1", "2"])}, index=["a", "b"])).write_h5ad(
        staged / DATA
    )
    library.put(staged, library.folder(section.id), section.id)
    assert instrument.has_clusters(library, section.id) == (column == instrument.CLUSTER)


def test_a_section_whose_file_is_gone_is_said_to_be_damaged(library):
    section = put(library, A)
    with pytest.raises(InputError):
        instrument.has_clusters(library, section.id)
