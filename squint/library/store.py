"""The library: a folder with one folder per section, each written whole or not at all."""

import json
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.files import move_folder, whole, write_json
from squint.library.database import database
from squint.library.stored import StoredFiles
from squint.model.card import read_records
from squint.pp import QualityFilter
from squint.sensitive import looks_like

DATA, META, CELLS = "section.h5ad", "meta.json", "cells.parquet"
GENES, THUMBNAIL, PLACES, GRAPH = "genes.h5", "thumbnail.png", "places.npz", "graph.npz"
BOUNDARIES = "boundaries.parquet"  # outlines of cells, where the source holds them
UNFILTERED = "unfiltered.h5ad"  # all cells, of a section from which some were left out
UNFILTERED_BOUNDARIES = "unfiltered_boundaries.parquet"
LIBRARY_ID = "library_id"  # column of cells: the hash of their section, whose name is in "section_id"
FACTS = "facts.json"  # of a result over several sections


@dataclass(frozen=True)
class Section:
    """What the library knows of a section without opening it."""

    id: str  # first 16 digits of sha256
    sha256: str  # of its genes, counts and positions
    section: str
    patient: str  # study code
    organ: str
    assay: str
    added: str  # UTC
    n_cells: int
    n_genes: int
    n_cell_types: int
    unit: str
    values: str  # "counts" or "intensities"
    median_depth: float
    simulated: bool
    notes: tuple[str, ...] = ()
    z_um: float | None = None  # height of the section, where the file names one
    stack: str = ""  # name of the stack it came in as a level, if it came in one
    n_regions: int = 0  # parts of the tissue that somebody outlined and named
    n_left_out: int = 0  # cells of low quality, which lie beside it
    quality: QualityFilter = field(default_factory=QualityFilter)  # what left them out

    @property
    def title(self) -> str:
        """Patient and section, the patient not said twice."""
        return self.section if self.section.startswith(self.patient) else f"{self.patient} · {self.section}"

    @property
    def left_out(self) -> str:
        """How many cells are left out and why, in words; nothing if none are."""
        n_cells = f"{self.n_left_out:,} cell{'' if self.n_left_out == 1 else 's'}"
        return f"{n_cells} left out: {', '.join(self.quality.words().values())}" if self.n_left_out else ""


class Library:
    """Sections, their tokens and their scores, below one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        try:
            for folder in (
                self.sections_folder,
                self.staging,
                self.results,
                self.gene_sets_folder,
                self.cell_sets_folder,
                self.models,
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The library folder {home} cannot be used: {error.strerror}. "
                "Set SQUINT_HOME to a folder that can be written."
            ) from error
        self.database = database(home)
        self.files = StoredFiles(home, self.database)

    @property
    def sections_folder(self) -> Path:
        """Folder of the sections."""
        return self.home / "sections"

    @property
    def staging(self) -> Path:
        """Folder of what is not kept yet; nobody minds if it vanishes."""
        return self.home / "staging"

    @property
    def results(self) -> Path:
        """Folder of what was computed over several sections."""
        return self.home / "results"

    @property
    def gene_sets_folder(self) -> Path:
        """Folder of the gene sets that users added."""
        return self.home / "gene_sets"

    @property
    def cell_sets_folder(self) -> Path:
        """Folder of the history of cell sets; their cells lie in the folders of the sections."""
        return self.home / "cell_sets"

    @property
    def models(self) -> Path:
        """Folder of the models that were trained here."""
        return self.home / "models"

    @property
    def samples_marker(self) -> Path:
        """File that says that the samples were imported, so that deleted ones stay away."""
        return self.home / "samples_imported"

    def sweep(self, older_than_s: float = 0) -> None:
        """Remove what an earlier server, or a page that was closed, left unfinished."""
        for leftover in self.staging.iterdir():
            with suppress(FileNotFoundError):  # another page may have swept or kept it just now
                if time.time() - leftover.stat().st_mtime >= older_than_s:
                    shutil.rmtree(leftover, ignore_errors=True)

    def sections(self) -> list[Section]:
        """List the sections by patient and name."""
        folders = [folder for folder in self.sections_folder.iterdir() if (folder / META).exists()]
        found = [self._read_meta(folder) for folder in folders]
        return sorted(found, key=lambda s: (s.patient, s.section, s.id))

    def get(self, section_id: str) -> Section:
        """Give one section."""
        folder = self.folder(section_id)
        if not (folder / META).exists():
            raise InputError("This section is no longer in the library.")
        return self._read_meta(folder)

    def folder(self, section_id: str) -> Path:
        """Return the folder of a section; ids are hexadecimal, so it cannot lead elsewhere."""
        if not section_id or set(section_id) - set("0123456789abcdef"):
            raise InputError("There is no such section.")
        return self.sections_folder / section_id

    @staticmethod
    def _read_meta(folder: Path) -> Section:
        facts = json.loads((folder / META).read_text())
        unit = "um" if facts["unit"] == "um" else "unknown"  # once it was guessed: "um (assumed)"
        quality = QualityFilter(**facts.get("quality", {}))
        return Section(**{**facts, "unit": unit, "notes": tuple(facts["notes"]), "quality": quality})

    def unstage(self, staged: Path) -> None:
        """Remove a staged upload."""
        if staged.parent.parent == self.staging:
            shutil.rmtree(staged.parent, ignore_errors=True)

    def workspace(self) -> Path:
        """Make an empty folder for something that will be kept or served, and then vanish."""
        folder = self.staging / uuid.uuid4().hex
        folder.mkdir()
        return folder

    def keep(self, folder: Path, section: Section) -> bool:
        """Move a complete section folder into the library; ``False`` if the section is there already."""
        (folder / META).write_text(json.dumps(asdict(section), indent=1))
        return move_folder(folder, self.folder(section.id), holds=META)

    def state_unit(self, section_id: str, unit: str) -> None:
        """Say in what unit the positions of a section are, where that was not known."""
        known = self.get(section_id)
        if known.unit != unit:
            write_json(self.folder(section_id) / META, asdict(replace(known, unit=unit)), indent=1)

    def delete(self, section_id: str) -> None:
        """Remove a section and everything computed from it."""
        name = self.get(section_id).section
        away = self.staging / uuid.uuid4().hex
        self.folder(section_id).rename(away)  # at once, so that nobody sees half a section
        shutil.rmtree(away)
        for result in self.results.iterdir():
            shutil.rmtree(result) if result.is_dir() else result.unlink()
        for model in self.models.iterdir():  # trained on a stack, and its card names cells
            if self._was_trained_on(model, name):
                shutil.rmtree(model, ignore_errors=True)

    @staticmethod
    def _was_trained_on(model: Path, name: str) -> bool:
        """Say whether a model's card names a section; one that cannot be read may."""
        try:
            return name in {record.name for record in read_records(model)}
        except InputError:
            return True

    def cells(self, section_id: str) -> pd.DataFrame:
        """Read positions, cell type and depth, indexed by cell."""
        return read_table(self.folder(section_id) / CELLS)

    def is_deep(self, section_id: str) -> bool:
        """Say whether the cells of a section have heights of their own."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - only where cells are shown

        return "z" in pq.read_schema(self.folder(section_id) / CELLS).names

    def genes(self, section_id: str) -> list[str]:
        """List the genes of a section."""
        import h5py  # noqa: PLC0415 - only where a gene is shown

        with h5py.File(self.folder(section_id) / GENES) as file:
            return [str(name) for name in file["names"].asstr()[:]]

    def gene(self, section_id: str, name: str) -> NDArray[np.float32] | None:
        """Read the counts (n_cells,) of a gene, or ``None`` if the section lacks it."""
        import h5py  # noqa: PLC0415 - only where a gene is shown

        with h5py.File(self.folder(section_id) / GENES) as file:
            at = np.flatnonzero(file["names"].asstr()[:] == name)
            if not len(at):
                return None
            start, end = file["indptr"][at[0] : at[0] + 2]
            counts = np.zeros(int(file.attrs["n_cells"]), dtype=np.float32)
            counts[file["indices"][start:end]] = file["data"][start:end]
        return counts

    def counts_of(self, section_id: str, row: int) -> tuple[list[str], NDArray[np.float32]]:
        """Read the genes of a section and the counts (n_genes,) of one of its cells."""
        import h5py  # noqa: PLC0415 - only where a cell is asked for

        genes = self.genes(section_id)
        counts = np.zeros(len(genes), dtype=np.float32)
        with h5py.File(self.folder(section_id) / DATA) as file:
            start, end = file["X/indptr"][row : row + 2]
            counts[file["X/indices"][start:end]] = file["X/data"][start:end]
        return genes, counts

    def tokens_path(self, section_id: str, model: str) -> Path:
        """Return the file of a section's tokens by a model, which need not exist."""
        return self.folder(section_id) / "tokens" / f"{model[:12]}.parquet"

    def tokens(self, section_id: str, model: str) -> pd.DataFrame | None:
        """Read token (-1: none) and distance of each cell; ``None`` if the model has not seen the section."""
        path = self.tokens_path(section_id, model)
        return read_table(path) if path.exists() else None

    def token_facts(self, section_id: str, model: str) -> dict[str, Any] | None:
        """Read what was noted with the tokens, or the ``"problem"`` for which there are none."""
        path = self.tokens_path(section_id, model)
        note = path.with_suffix(".json")
        facts = dict(json.loads(note.read_text())) if note.exists() else {}
        return facts if path.exists() or "problem" in facts else None

    def tokenised(self, sections: Sequence[Section], model: str) -> list[Section]:
        """Those of ``sections`` that have tokens by a model."""
        return [s for s in sections if self.tokens_path(s.id, model).exists()]

    def drop_result(self, name: str) -> None:
        """Remove a folder of results."""
        shutil.rmtree(self.results / name, ignore_errors=True)

    def keep_result(self, folder: Path, name: str) -> None:
        """Move a complete folder of results into place; one that is there already stays."""
        move_folder(folder, self.results / name, holds=FACTS)


def harmless_name(name: str) -> str:
    """Return a name without folders, odd characters, or anything that names a person."""
    stem = Path(name.replace("\\", "/")).name
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-")[:60]
    return stem if stem and not looks_like(stem) else "section"


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or some columns of it, and refuse one with a damaged page."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        frame: pd.DataFrame = pq.read_table(
            path, columns=columns, page_checksum_verification=True
        ).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    return frame


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table as :func:`read_table`, its index as a column and text without an object per row."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    compact = {pa.string(): pd.StringDtype("pyarrow"), pa.large_string(): pd.StringDtype("pyarrow")}
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=compact.get)
    return frame


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} in the library is damaged. Delete the section and add it again.")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table with page checksums, whole or not at all."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are written
    import pyarrow.parquet as pq  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        pq.write_table(pa.Table.from_pandas(frame), temporary, compression="zstd", write_page_checksum=True)
