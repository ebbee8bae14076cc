"""Transcripts of a section are found in its original, read once for each gene, and gone with the section."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from squint.errors import InputError
from squint.io.content import Answers
from squint.library import adding, transcripts
from squint.library.ingest import Labels
from squint.library.store import Library
from squint.pp import QualityFilter
from tests.helpers.xenium_folder import Run, write_run, write_transcripts

GENES = ["CD3E"] * 20 + ["ACTB"] * 5 + ["NegControlProbe_00001"] * 3


def report(*_: object) -> None:
    """Be told nothing."""


def folder(tmp_path: Path) -> tuple[Path, np.ndarray]:
    places = np.random.default_rng(0).uniform(0, 90, (len(GENES), 2)).astype(np.float32)
    path = write_run(tmp_path / "run", Run(30))
    write_transcripts(path, "transcripts.parquet", GENES, places, np.r_[np.full(26, 30.0), 1, 1])
    return path, places


def keep(library: Library, given: Path, unpacked: Path | None = None) -> str:
    settled = adding.read(unpacked or given, Answers())
    labels = Labels({"": "P-1"}, {})
    kept = adding.keep(library, given, settled, labels, Answers(), QualityFilter(), report)
    return kept[0].section.id


@pytest.mark.parametrize("packed", [False, True])
def test_transcripts_of_a_gene_are_kept_until_the_section_goes(tmp_path: Path, *, packed: bool) -> None:
    path, places = folder(tmp_path)
    given = path
    if packed:
        given = tmp_path / "run.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for file in path.iterdir():
                archive.write(file, f"run/{file.name}")
    library = Library(tmp_path / "home")
    section_id = keep(library, given, path)
    assert transcripts.file_of(library, section_id) == ("run/" if packed else "") + "transcripts.parquet"
    assert transcripts.spots(library, section_id, "CD3E") is None
    transcripts.read(library, section_id, ["CD3E", "MS4A1"], report)
    found = transcripts.spots(library, section_id, "CD3E")
    assert found is not None
    assert (found.n, found.n_low, found.n_other, found.file) == (20, 0, 3, "transcripts.parquet")
    assert sorted(found.places.tolist()) == sorted(places[:20].tolist())
    few = transcripts.spots(library, section_id, "CD3E", 4)
    assert few is not None
    assert (few.n, len(few.places)) == (20, 4)
    none = transcripts.spots(library, section_id, "MS4A1")
    assert none is not None
    assert none.n == 0
    assert transcripts.spots(library, section_id, "ACTB") is None
    library.delete(section_id)
    assert transcripts.spots(library, section_id, "CD3E") is None
    assert not list(library.results.glob("transcripts-*"))


def test_a_section_without_transcripts_is_said_to_have_none(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", Run(30))
    library = Library(tmp_path / "home")
    section_id = keep(library, path)
    assert transcripts.file_of(library, section_id) is None
    with pytest.raises(InputError, match="import folder"):
        transcripts.read(library, section_id, ["CD3E"], report)


def test_a_damaged_original_is_not_read(tmp_path: Path) -> None:
    path, _ = folder(tmp_path)
    library = Library(tmp_path / "home")
    section_id = keep(library, path)
    (file,) = library.originals.rglob("transcripts.parquet")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError):
        transcripts.read(library, section_id, ["CD3E"], report)
