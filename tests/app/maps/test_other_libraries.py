"""The same cells in two projects: what one of them says of its cells is never shown in the other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import squint
from app.cell_sets.store import CellSets
from app.maps import views
from app.maps.message import describe
from app.maps.type_colours import type_colours
from app.web.buffers import BUFFERS
from squint import keys
from squint.library import gene_sets, ingest, labelings
from squint.library.place import project_home
from squint.library.store import Library, Section
from squint.pl import LIGHT


@pytest.fixture
def both(section: AnnData, tmp_path: Path) -> list[tuple[Library, Section]]:
    """Put the same section into two projects of a server, its cells named otherwise in each."""
    section.write_h5ad(tmp_path / "upload.h5ad")
    found = []
    for patient, project in (("A", "0" * 16), ("B", "1" * 16)):
        library = Library(project_home(tmp_path / "home", project))
        adata = squint.io.read(tmp_path / "upload.h5ad", answers=squint.io.Answers(unit="um"))
        labels = ingest.Labels({"P1": f"{patient}-1", "P2": f"{patient}-2"}, {})
        added = ingest.add(library, next(iter(ingest.clean(adata, labels))), labels)[0]
        named = pd.Categorical([f"cells of {patient}"] * added.n_cells)
        sure = np.full(added.n_cells, np.nan, dtype=np.float32)
        labelings.add(library, added.id, labelings.Made(f"By {patient}", "own", "by hand", named, sure))
        gene_sets.add(library, "mine.gmt", {f"set of {patient}": ("g1", "g2")})
        CellSets(library).make(f"set of {patient}", {added.id: np.arange(3 if patient == "A" else 5)})
        found.append((library, library.get(added.id)))
    assert found[0][1].id == found[1][1].id
    return found


def test_what_is_kept_in_memory_of_one_is_not_given_to_the_other(both: list[tuple[Library, Section]]) -> None:
    for _ in range(2):  # in turn, so that each finds what the other has left
        for library, section in both:
            own = section.patient[0]
            cells = views.cells_of(library, [section])
            assert set(cells[keys.CELL_TYPE]) == {f"cells of {own}"}
            known = gene_sets.find_sets(library)
            assert [name[-8:] for name in known if "set of" in name] == [f"set of {own}"], known
            assert list(type_colours(library, [f"cells of {own}"])) == [f"cells of {own}"]
            [(made, n)] = CellSets(library).within([section])
            assert (made.name, n) == (f"set of {own}", 3 if own == "A" else 5)


def test_addresses_of_one_name_its_project(both: list[tuple[Library, Section]]) -> None:
    for library, section in both:
        view = views.by_type(library, [section], views.cells_of(library, [section]), [])
        told, _ = describe(library, view, LIGHT)
        addresses = [panel["points"]["url"] for panel in told["panels"]]
        assert all(f"/map/buffer/{library.home.name}/" in address for address in addresses)
    BUFFERS.clear()
