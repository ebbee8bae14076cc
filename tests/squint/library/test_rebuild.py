"""A damaged section is made again: of its data, or of what was uploaded; and says so where it cannot be."""

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint.errors import InputError
from squint.io.content import Answers
from squint.library import adding, ingest, originals
from squint.library.rebuild import rebuild
from squint.library.records import SectionRow
from squint.library.store import CELLS, DATA, GENES, Library, Section
from squint.pp import QualityFilter


def silent(fraction: float, words: str) -> None:
    """Tell nobody how far a task is."""


@pytest.fixture
def kept(library: Library, section: AnnData) -> list[Section]:
    """Keep the two sections of an upload."""
    path = library.workspace() / "upload.h5ad"
    section.write_h5ad(path)
    quality = QualityFilter(min_counts=8)
    given = Answers(unit="um")
    labels = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {}, "kidney", "Xenium")
    kept = adding.keep(library, path, adding.read(path, given), labels, given, quality, silent)
    ids = [one.section.id for one in kept]
    assert path.exists()  # pictures may still be read from it
    content = path.read_bytes()
    library.unstage(path)
    original = originals.find(library, ids[0])
    assert original is not None
    assert original == originals.find(library, ids[1])
    assert original.read_bytes() == content
    return [library.get(section_id) for section_id in ids]


def spoil(library: Library, section: Section, *names: str) -> None:
    for name in names:
        path = library.folder(section.id) / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(InputError):
            library.path(section.id, name)


@pytest.mark.parametrize("names", [(GENES,), (CELLS, "thumbnail.png"), (DATA,), (DATA, CELLS, GENES)])
@pytest.mark.parametrize("which", [0, 1])
def test_it_is_as_it_was(library: Library, kept: list[Section], names: tuple[str, ...], which: int) -> None:
    section = kept[which]
    cells, gene = library.cells(section.id), library.gene(section.id, "GENE1")
    spoil(library, section, *names)
    assert section not in library.sections()
    made = rebuild(library, section.id, silent)
    assert (made.title, made.files, made.record, made.left) == (
        section.title,
        tuple(sorted(names)),
        False,
        (),
    )
    assert made.source == ("its original" if DATA in names else "its data")
    assert library.damaged() == []
    assert library.get(section.id) == section
    assert library.cells(section.id).equals(cells)
    np.testing.assert_array_equal(library.gene(section.id, "GENE1"), gene)
    assert not list(library.staging.iterdir())
    assert rebuild(library, section.id, silent).source == ""  # nothing is damaged any more


def test_a_damaged_record_is_read_from_the_data(library: Library, kept: list[Section]) -> None:
    with library.database.engine.connect() as connection, connection.begin():
        connection.execute(sa.update(SectionRow.__table__).values(organ="liver"))
    assert library.sections() == []
    assert rebuild(library, kept[0].id, silent).record
    (section,) = library.sections()
    assert (section.patient, section.section, section.organ) == (kept[0].patient, kept[0].section, "")
    assert any("organ and assay are not known" in note for note in section.notes)


def test_what_cannot_be_made_again_is_said(library: Library, kept: list[Section]) -> None:
    original = originals.find(library, kept[0].id)
    assert isinstance(original, Path)
    spoil(library, kept[0], DATA)
    original.write_bytes(b"other")
    with pytest.raises(InputError, match=r"upload\.h5ad in the library is damaged"):
        rebuild(library, kept[0].id, silent)
    library.delete(kept[0].id)
    assert library.sections() == kept[1:]
