"""Transcripts of a section are found in its original, read once for each gene, and gone with the section."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from squint.errors import InputError
from squint.io.content import Answers
from squint.library import adding, transcripts
from squint.library.ingest import Labels
from squint.library.records import SectionRow
from squint.library.store import Library
from squint.library.verify import verify
from squint.pp import QualityFilter
from tests.helpers import cosmx_folder
from tests.helpers.spatialdata_store import N_CELLS, Writer, places, squares, table, to
from tests.helpers.xenium_folder import Run, write_run, write_transcripts

GENES = ["CD3E"] * 20 + ["ACTB"] * 5 + ["NegControlProbe_00001"] * 3


def report(*_: object) -> None:
    """Be told nothing."""


def folder(tmp_path: Path) -> tuple[Path, np.ndarray]:
    places = np.random.default_rng(0).uniform(0, 90, (len(GENES), 2)).astype(np.float32)
    path = write_run(tmp_path / "run", Run(30))
    write_transcripts(path, "transcripts.parquet", GENES, places, np.r_[np.full(26, 30.0), 1, 1])
    return path, places


def keep(library: Library, given: Path, unpacked: Path | None = None, unit: str | None = None) -> str:
    said = Answers(unit=unit)
    settled = adding.read(unpacked or given, said)
    labels = Labels({"": "P-1"}, {})
    kept = adding.keep(library, given, settled, labels, said, QualityFilter(), report)
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
    name = ("run/" if packed else "") + "transcripts.parquet"
    assert transcripts.source_of(library, section_id) == transcripts.Source(name, None)
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


def cosmx(folder: Path) -> tuple[str, str, np.ndarray]:
    """Write a run; give the file of transcripts, a gene, and where its lie with 0.12 um a pixel."""
    run = cosmx_folder.Run(up=True)
    told = run.transcripts()
    cosmx_folder.write_run(run, folder)
    cosmx_folder.write(folder, tx_file=told, ending=".csv.gz")
    own = told[told.target == "RAMP2"][["x_global_px", "y_global_px"]].to_numpy() * (0.12, -0.12)
    return "S1_tx_file.csv.gz", "RAMP2", own


def spatialdata(folder: Path) -> tuple[str, str, np.ndarray]:
    """Write a store; give the same of it."""
    way = to(kind="scale", scale=[2.0, 2.0])
    writer = Writer(folder).table(table()).shapes("cells", squares(places()), range(N_CELLS), [way])
    told = pd.DataFrame(
        {"x": places()[:, 0], "y": places()[:, 1] + 1, "gene": ["A", "B", "?"] * (N_CELLS // 3)}
    )
    writer.points("transcripts", told, [way], "gene")
    return "points/transcripts", "A", 0.12 * 2 * told[told.gene == "A"][["x", "y"]].to_numpy()


@pytest.mark.parametrize("write", [cosmx, spatialdata])
@pytest.mark.parametrize("packed", [False, True])
def test_transcripts_that_their_reader_places(
    tmp_path: Path, write: Callable[[Path], tuple[str, str, np.ndarray]], *, packed: bool
) -> None:
    path = tmp_path / "run.zarr"
    label, gene, wanted = write(path)
    given = path
    if packed:
        given = tmp_path / "run.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for file in path.rglob("*"):
                archive.write(file, f"run.zarr/{file.relative_to(path)}")
    library = Library(tmp_path / "home")
    inside = adding.unpacked(shutil.copy(given, tmp_path / "staged.zip"), 10**9, report) if packed else path
    section_id = keep(library, given, inside, unit="0.12")
    source = transcripts.source_of(library, section_id)
    assert source is not None
    assert (source.label, source.why_not) == (label, "")
    transcripts.read(library, section_id, [gene], report)
    found = transcripts.spots(library, section_id, gene)
    assert found is not None
    assert found.file == label
    np.testing.assert_allclose(
        found.places[np.lexsort(found.places.T)], wanted[np.lexsort(wanted.T)], rtol=1e-5
    )


def test_a_section_without_transcripts_is_said_to_have_none(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", Run(30))
    library = Library(tmp_path / "home")
    section_id = keep(library, path)
    assert transcripts.source_of(library, section_id) is None
    with pytest.raises(InputError, match="import folder"):
        transcripts.read(library, section_id, ["CD3E"], report)


def test_an_original_with_transcripts_takes_the_place_of_one_that_came_without(tmp_path: Path) -> None:
    path, _ = folder(tmp_path)
    without = shutil.copytree(path, tmp_path / "without" / "run")
    (without / "transcripts.parquet").unlink()
    library = Library(tmp_path / "home")
    section_id = keep(library, without)
    assert transcripts.source_of(library, section_id) is None
    assert keep(library, path) == section_id
    assert transcripts.source_of(library, section_id) == transcripts.Source("transcripts.parquet", None)
    (original,) = library.originals.iterdir()
    transcripts.read(library, section_id, ["CD3E"], report)
    assert keep(library, without) == section_id  # it does not go again
    assert list(library.originals.iterdir()) == [original]
    assert verify(library).problems == ()


def test_a_section_that_was_kept_before_transcripts_were_placed_has_them_once_it_is_added_again(
    tmp_path: Path,
) -> None:
    cosmx(path := tmp_path / "run")
    library = Library(tmp_path / "home")
    section_id = keep(library, path, unit="0.12")
    with library.database.writing() as session:
        row = session.get(SectionRow, section_id)
        assert row is not None
        row.recipe = {name: value for name, value in row.recipe.items() if name != "transcripts"}
    assert transcripts.source_of(library, section_id) is None
    assert keep(library, path, unit="0.12") == section_id
    assert transcripts.source_of(library, section_id) is not None
    assert verify(library).problems == ()
    assert len(list(library.originals.iterdir())) == 1


def test_a_damaged_original_is_not_read(tmp_path: Path) -> None:
    path, _ = folder(tmp_path)
    library = Library(tmp_path / "home")
    section_id = keep(library, path)
    (file,) = library.originals.rglob("transcripts.parquet")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError):
        transcripts.read(library, section_id, ["CD3E"], report)
