"""The library: sections with all that is made of them, as files below a folder and rows of a database.

What is kept is complete in the staging folder and hashed before a transaction adds its rows and moves it to
its place; what is deleted loses its rows and its place in one transaction too. So nothing is there by half.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError
from squint.library import (
    counts,
    earlier,
    hiding,
    keeping,
    retention,
    section,
    spare,
    token_runs,
    trainings,
    types_in_use,
)
from squint.library.access import changing
from squint.library.folders import Folders
from squint.library.originals import Incoming
from squint.library.records import Mark, Record, SectionRow
from squint.library.section import Damaged, Section
from squint.library.staging import ABANDONED_S
from squint.library.stored import (
    BOUNDARIES,
    BOUNDARY_TILES,
    CELLS,
    DATA,
    GENES,
    GRAPH,
    PLACES,
    THUMBNAIL,
    TOKENS,
    UNFILTERED,
    UNFILTERED_BOUNDARIES,
)
from squint.library.tables import column_names, read_table
from squint.sensitive import looks_like

__all__ = [
    "BOUNDARIES",
    "BOUNDARY_TILES",
    "CELLS",
    "DATA",
    "GENES",
    "GRAPH",
    "PLACES",
    "THUMBNAIL",
    "UNFILTERED",
    "UNFILTERED_BOUNDARIES",
    "Library",
    "Section",
    "harmless_name",
    "tokens_name",
]

LIBRARY_ID = "library_id"  # column of cells: the hash of their section, whose name is in "section_id"
_SAMPLES = "samples"  # mark


class Library(Folders):
    """Sections, their tokens and their scores, below one folder."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        earlier.take_over(self)

    def samples_imported(self) -> bool:
        """Say whether the samples were imported, so that deleted ones stay away."""
        with self.database.reading() as session:
            return session.get(Mark, _SAMPLES) is not None

    @changing
    def note_samples(self) -> None:
        """Note that the samples were imported, or are not wanted."""
        with self.database.writing() as session:
            session.merge(Mark(name=_SAMPLES, added=keeping.now()))

    @changing
    def forget_samples(self) -> None:
        """Forget that the samples were imported, so that they are imported again."""
        with self.database.writing() as session:
            session.execute(sa.delete(Mark).where(Mark.name == _SAMPLES))

    def sections(self) -> list[Section]:
        """List the sections by patient and name, simulated ones last, but for damaged and hidden ones.

        Whatever is shown, compared, summed up or offered begins here, so that hidden sections have no part
        in it.
        """
        hidden = self._hidden_ids()
        return [one for one in self._whole() if one.id not in hidden]

    def hidden(self) -> list[Section]:
        """List the sections that are put away, in the same order, but for damaged ones."""
        hidden = self._hidden_ids()
        return [one for one in self._whole() if one.id in hidden]

    @changing
    def hide(self, section_ids: Collection[str]) -> None:
        """Put sections away: they are kept, and no part of :meth:`sections` until they are shown again."""
        with self.database.writing() as session:
            there = session.scalars(sa.select(SectionRow.id).where(SectionRow.id.in_(section_ids)))
            hiding.hide(session, there.all(), keeping.now())

    @changing
    def show(self, section_ids: Collection[str]) -> None:
        """Show sections again that were put away."""
        with self.database.writing() as session:
            hiding.show(session, section_ids)

    def _hidden_ids(self) -> set[str]:
        with self.database.reading() as session:
            return hiding.hidden_ids(session)

    def _whole(self) -> list[Section]:
        """List the sections that are not damaged, those of people first."""
        rows = self._rows()
        with self.database.reading() as session:
            named = types_in_use.in_use(session)
        found = [types_in_use.with_names(section.of_row(row), named) for row, why in rows if not why]
        return sorted(found, key=lambda s: (s.simulated, s.patient, s.section, s.id))

    def damaged(self) -> list[Damaged]:
        """List the sections that are damaged, hidden or not, with what is."""
        return [section.damaged(row, why) for row, why in self._rows() if why]

    def get(self, section_id: str) -> Section:
        """Give one section.

        Raises
        ------
        InputError
            If it is gone, or damaged.
        """
        self.folder(section_id)  # refuses what is no id
        with self.database.reading() as session:
            row = session.get(SectionRow, section_id)
            named = types_in_use.in_use(session, section_id)
        if row is None:
            raise InputError(keeping.GONE)
        if why := self.why_damaged(row):
            name = section.damaged(row, why).title
            raise InputError(f"Section {name} is damaged. {why} Look at the page Sections.")
        return types_in_use.with_names(section.of_row(row), named)

    def _rows(self) -> list[tuple[SectionRow, str]]:
        """Give the rows of all sections, each with what is damaged."""
        with self.database.reading() as session:
            rows = session.scalars(sa.select(SectionRow)).all()
        there = {folder.name for folder in self.sections_folder.iterdir()}
        return [(row, section.why_damaged(row, is_there=row.id in there)) for row in rows]

    @changing
    def keep(self, ready: Sequence[keeping.Ready], original: Incoming | None = None) -> list[bool]:
        """Move complete folders into the library, as :func:`squint.library.keeping.keep_sections` does."""
        return keeping.keep_sections(self, ready, original)

    @changing
    def put(self, staged: Path, place: Path, section_id: str, *rows: Record) -> None:
        """Move staged files into a folder of a section; see :func:`squint.library.keeping.put`."""
        keeping.put(self, staged, place, section_id, *rows)

    @changing
    def state_unit(self, section_id: str, unit: str) -> None:
        """Say in what unit the positions of a section are, where that was not known."""
        known = self.get(section_id)
        if known.unit != unit:
            with self.database.writing() as session:
                row = session.get(SectionRow, section_id, with_for_update=True)
                if row is not None and row.intact:
                    section.fill(row, replace(known, unit=unit))

    @changing
    def delete(self, *section_ids: str) -> None:
        """Remove sections, damaged or not, and everything computed from them, in one step.

        Raises
        ------
        InputError
            If none of them is there.
        """
        for section_id in section_ids:
            self.folder(section_id)  # refuses what is no id
        keeping.delete_sections(self, section_ids)

    def sweep(self, older_than_s: float = ABANDONED_S) -> None:
        """Remove what dead processes left, what nobody came back to for so long, and unused results."""
        super().sweep(older_than_s)
        retention.sweep(self)
        trainings.sweep(self)
        spare.keep(self.home)

    def used_bytes(self) -> int:
        """Add up the sizes of all files that are kept."""
        return self.files.used_bytes()

    def path(self, section_id: str, name: str) -> Path:
        """Give a file of a section, once it is sure that it is as it was kept.

        Raises
        ------
        DamagedError
            If it is not; the section is marked as damaged.
        """
        return self.files.checked(self.folder(section_id) / name)

    def cells(self, section_id: str) -> pd.DataFrame:
        """Read positions, cell type by the labeling in use, and depth, indexed by cell."""
        cells = read_table(self.path(section_id, CELLS))
        with self.database.reading() as session:
            found = types_in_use.in_use(session, section_id).get(section_id)
        return cells if found is None else types_in_use.renamed(cells, self._named(section_id, found.naming))

    def types(self, section: Section) -> Any:
        """Read the types (n_cells,) of a section as it was read: by its labeling, or of its file.

        ``None`` where its cells have none, or names that are damaged.
        """
        if section.named is not None:
            return self._named(section.id, section.named)
        path = self.path(section.id, CELLS)
        there = keys.CELL_TYPE in column_names(path)
        return read_table(path, [keys.CELL_TYPE])[keys.CELL_TYPE].array if there else None

    def _named(self, section_id: str, naming: section.Naming) -> Any:
        if not naming.file:
            return None
        path = self.path(section_id, naming.file)
        return read_table(path, [keys.CELL_TYPE])[keys.CELL_TYPE].array

    def is_deep(self, section_id: str) -> bool:
        """Say whether the cells of a section have heights of their own."""
        return "z" in column_names(self.path(section_id, CELLS))

    def genes(self, section_id: str) -> list[str]:
        """List the genes of a section."""
        return counts.read_names(self.path(section_id, GENES))

    def gene(self, section_id: str, name: str) -> NDArray[np.float32] | None:
        """Read the counts (n_cells,) of a gene, or ``None`` if the section lacks it."""
        return counts.read_gene(self.path(section_id, GENES), name)

    def counts_of(self, section_id: str, row: int) -> tuple[list[str], NDArray[np.float32]]:
        """Read the genes of a section and the counts (n_genes,) of one of its cells."""
        genes = self.genes(section_id)
        return genes, counts.read_cell(self.path(section_id, DATA), row, len(genes))

    def tokens_path(self, section_id: str, model: str) -> Path:
        """Return the file of a section's tokens by a model, which need not exist."""
        return self.folder(section_id) / TOKENS / f"{tokens_name(model)}.parquet"

    def tokens(self, section_id: str, model: str) -> pd.DataFrame | None:
        """Read token (-1: none) and distance of each cell; ``None`` if there are none by this model."""
        facts = self.token_facts(section_id, model)
        if facts is None or "problem" in facts:
            return None
        return read_table(self.files.checked(self.tokens_path(section_id, model)))

    def all_token_facts(self, model: str) -> dict[str, dict[str, Any]]:
        """Read what was noted with the tokens by a model, as :meth:`token_facts`, by section."""
        with self.database.reading() as session:
            runs = token_runs.counting(session, model)
        return {section_id: token_runs.facts_of(run) for section_id, run in runs.items()}

    def token_facts(self, section_id: str, model: str) -> dict[str, Any] | None:
        """Read what was noted with the tokens, or the ``"problem"`` for which there are none."""
        return self.all_token_facts(model).get(section_id)

    def stale_tokens(self, model: str, genes_sha256: str, known: Collection[str]) -> dict[str, str]:
        """Say of sections without tokens by a model which stale ones they have, if any: never shown.

        Parameters
        ----------
        model, genes_sha256
            Hashes of the model's weights and of its list of genes.
        known
            Hashes of the weights of all models there are.
        """
        with self.database.reading() as session:
            return token_runs.stale(session, model, genes_sha256, known)

    def tokenised(self, sections: Sequence[Section], model: str) -> list[Section]:
        """Those of ``sections`` that have tokens by a model."""
        facts = self.all_token_facts(model)
        return [s for s in sections if s.id in facts and "problem" not in facts[s.id]]


def tokens_name(model: str) -> str:
    """Name the files of tokens by a model, without ending."""
    return model[:12]


def harmless_name(name: str, otherwise: str = "section") -> str:
    """Return a name without folders, odd characters, or anything that names a person; else another."""
    stem = Path(name.replace("\\", "/")).name
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-")[:60]
    return stem if stem and not looks_like(stem) else otherwise
