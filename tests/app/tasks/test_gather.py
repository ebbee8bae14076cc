"""Sections on one axis: names and hashes, genes that all measure, and who is to be left out."""

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from app.tasks.gather import ROW, gather, genes_of_all
from squint import keys, pp, read
from squint.errors import InputError
from squint.library import ingest
from squint.library.store import DATA, LIBRARY_ID, Library


def test_only_genes_that_all_measure_are_kept() -> None:
    assert genes_of_all(["ABC", "BCD"], ["one", "two"]) == ["B", "C"]


@pytest.mark.parametrize(
    ("panels", "said"),
    [
        (("AB", "BC", "XY"), "^S3 shares no gene with S1, S2. Leave it out"),
        (("XY", "AB", "BC", "Z"), "^S1, S4 share no gene with S2, S3. Leave them out"),
        (("AB", "BC", "CA"), "^No gene is measured in all of S1, S2, S3"),
    ],
)
def test_the_odd_sections_are_named(panels: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        genes_of_all(panels, [f"S{i + 1}" for i in range(len(panels))])


def put(library: Library, section: AnnData, patients: dict[str, str], names: dict[str, str]) -> list[str]:
    """Keep the two sections of a file; return their ids."""
    path = library.home / "upload.h5ad"
    section.write_h5ad(path)
    labels = ingest.Labels(patients, names)
    return [ingest.add(library, part, labels)[0].id for part in ingest.clean(read(path), labels)]


def test_section_id_is_the_name_and_library_id_the_hash(library: Library, section: AnnData) -> None:
    ids = put(library, section, {"P1": "A", "P2": "B"}, {})
    adata = gather(library, ids, counts=True)
    names = [library.get(section_id).section for section_id in ids]
    assert adata.obs[keys.SECTION].unique().tolist() == names
    assert adata.obs[LIBRARY_ID].unique().tolist() == ids
    assert adata.obs[keys.PATIENT].unique().tolist() == ["A", "B"]
    for section_id in ids:
        part = adata[(adata.obs[LIBRARY_ID] == section_id).to_numpy()]
        whole = read(library.folder(section_id) / DATA)
        assert part.obs[ROW].tolist() == list(range(whole.n_obs))
        np.testing.assert_array_equal(csr_matrix(part.X).toarray(), csr_matrix(whole.X).toarray())
        np.testing.assert_array_equal(part.obsm[keys.SPATIAL], whole.obsm[keys.SPATIAL])


def test_sections_of_one_name_are_told_apart(library: Library, section: AnnData) -> None:
    ids = put(library, section, {"P1": "A", "P2": "B"}, {"left": "S1", "right": "S1"})
    names = gather(library, ids, counts=False).obs[keys.SECTION]
    assert names.unique().tolist() == ["A \u00b7 S1", "B \u00b7 S1"]


def test_some_rows_are_taken_alone(library: Library, section: AnnData) -> None:
    ids = put(library, section, {"P1": "A", "P2": "B"}, {})
    rows = {section_id: np.arange(15) % 4 == 0 for section_id in ids}
    some, whole = gather(library, ids, counts=True, rows=rows), gather(library, ids, counts=True)
    np.testing.assert_array_equal(
        csr_matrix(some.X).toarray(), csr_matrix(whole.X).toarray()[np.concatenate(list(rows.values()))]
    )
    assert some.obs[ROW].tolist() == [0, 4, 8, 12] * 2


@pytest.mark.parametrize("kept", [True, False])
def test_the_graph_of_each_section_is_kept_beside_its_positions(
    library: Library,
    section: AnnData,
    kept: bool,  # noqa: FBT001
) -> None:
    ids = put(library, section, {"P1": "A", "P2": "B"}, {})
    if not kept:  # as in a library of an earlier version
        for section_id in ids:
            (library.folder(section_id) / "graph.npz").unlink()
    adata = gather(library, ids, counts=False)
    found = csr_matrix(adata.obsp[keys.CONNECTIVITIES])
    del adata.obsp[keys.CONNECTIVITIES]
    pp.spatial_neighbors(adata)
    assert (found != csr_matrix(adata.obsp[keys.CONNECTIVITIES])).nnz == 0
    assert all((library.folder(section_id) / "graph.npz").exists() for section_id in ids)
