"""Cells that a command leaves out, in memory and in files."""

from dataclasses import asdict

import numpy as np

from squint import datasets, io, keys, pp
from squint.cli.quality import leave_out
from squint.cli.terminal import joined
from squint.io.mapped import folder_of
from squint.pp import QualityFilter


def write(folder):
    adata = datasets.toy(n_cells=120)
    adata.obs["cell_area"] = np.linspace(10, 129, 120)
    io.write(adata, folder / "toy.h5ad")
    return folder / "toy.h5ad"


def test_counts_that_lie_in_files_stay_there_and_are_the_same(tmp_path):
    path = write(tmp_path)
    criteria = QualityFilter(min_area=50)
    plain = leave_out(io.read(path), criteria, "toy")
    mapped = leave_out(io.read(path, scratch=tmp_path), criteria, "toy")
    assert folder_of(mapped.X) is not None
    assert plain.n_obs == 80
    assert (plain.X != mapped.X).nnz == 0
    assert (io.read(path).X[40:] != plain.X).nnz == 0
    assert (plain.obsm[keys.SPATIAL] == mapped.obsm[keys.SPATIAL]).all()
    assert list(plain.obs_names) == list(mapped.obs_names)


def test_the_graph_of_all_cells_goes_with_those_left_out(tmp_path):
    adata = io.read(write(tmp_path))
    pp.spatial_neighbors(adata)
    assert leave_out(adata, QualityFilter(), "toy") is adata
    kept = leave_out(adata, QualityFilter(min_area=50), "toy")
    assert not kept.obsp
    assert "spatial_neighbors" not in kept.uns
    assert adata.n_obs == 120


def test_a_section_that_is_left_out_whole_is_no_label_any_more(tmp_path):
    adata = io.read(write(tmp_path))
    first = adata.obs[keys.SECTION].cat.categories[0]
    adata.obs["in_tissue"] = (adata.obs[keys.SECTION] != first).astype(int).to_numpy()
    kept = leave_out(adata, QualityFilter(in_tissue=True), "toy")
    assert first not in kept.obs[keys.SECTION].cat.categories


def test_files_put_together_note_what_was_left_out_of_each(tmp_path):
    path = write(tmp_path)
    parts = [leave_out(io.read(path), QualityFilter(min_area=area), "toy") for area in (50, 60)]
    made = joined(parts).uns[keys.PROVENANCE]["filter"]
    assert [one["n_after"] for one in made] == [80, 70]
    assert QualityFilter(**made[0]["criteria"]) == QualityFilter(min_area=50)
    assert asdict(QualityFilter(min_area=50))["in_tissue"] is False
