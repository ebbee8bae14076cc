"""What a file holds, as facts for people and machines."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from scipy import sparse

from squint import keys
from squint.io import checks
from squint.io.facts import Settled
from squint.io.findings import Item, Question
from squint.sensitive import Sensitive


@dataclass(frozen=True)
class SectionReport:
    """One section of a file."""

    section_id: str
    n_cells: int
    patients: tuple[str, ...]
    median_depth: float  # counts per cell
    n_empty_cells: int
    median_spacing: float | None  # to the nearest cell, in the file's unit; None for a single cell


@dataclass(frozen=True)
class Report:
    """What :func:`squint.read` reads from a file."""

    file: str
    n_cells: int
    n_genes: int
    n_dimensions: int
    unit: str
    values: str
    median_depth: float
    n_empty_cells: int
    patients: tuple[str, ...]
    n_cell_types: int
    sections: tuple[SectionReport, ...]
    sensitive: tuple[Sensitive, ...]
    found: tuple[Item, ...]
    left_out: tuple[Item, ...]
    assumed: tuple[Item, ...]
    asked: tuple[Question, ...]
    notes: tuple[str, ...]
    assay: str
    n_boundaries: int
    pictures: tuple[str, ...]
    source_sha256: str

    def lines(self) -> list[str]:
        """Give the report as lines of text."""
        patients = f", patients {', '.join(self.patients)}" if self.patients else ""
        sections = "1 section" if len(self.sections) == 1 else f"{len(self.sections)} sections"
        return [
            f"{self.file}: {self.n_cells:,} cells, {self.n_genes:,} genes, {sections}{patients}",
            f"{self.values}: median {self.median_depth:g} per cell, {self.n_empty_cells:,} empty cells",
            f"coordinates: {self.n_dimensions}-D, unit {self.unit}",
            *(
                f"section {s.section_id}: {s.n_cells:,} cells, median {s.median_depth:g} per cell, "
                + ("one cell" if s.median_spacing is None else f"spacing {s.median_spacing:.4g}")
                for s in self.sections
            ),
            *([f"from {self.assay}"] if self.assay else []),
            *([f"outlines of {self.n_boundaries:,} cells"] if self.n_boundaries else []),
            *(f"picture: {picture}" for picture in self.pictures),
            *(_line("left out", item) for item in self.left_out),
            *(_line("assumed", item) for item in self.assumed),
            *(f"open: {question}" for question in self.asked),
            *(f"may identify a person: {s.where} {s.key!r} {s.why}" for s in self.sensitive),
            *(f"note: {note}" for note in self.notes),
        ]


def _line(kind: str, item: Item) -> str:
    number = f"{item.n:,} x " if item.n is not None else ""
    source = f" [{item.file}]" if item.file else ""
    return f"{kind}: {number}{item.what}{': ' if item.why else ''}{item.why}{source}"


def summarise(settled: Settled, file: str, sensitive: tuple[Sensitive, ...] = ()) -> Report:
    """Describe a source that was read.

    Parameters
    ----------
    settled
        As :func:`squint.io.facts.settle` gives it, with ``source_sha256`` in its provenance.
    file
        Name to show.
    sensitive
        What may identify a person.

    Returns
    -------
    The facts.
    """
    adata, findings = settled.adata, settled.findings
    obs = cast("pd.DataFrame", adata.obs)
    depth = checks.row_sums(cast("sparse.csr_matrix", adata.X))
    spatial: checks.Floats = np.asarray(adata.obsm[keys.SPATIAL])
    column = obs[keys.SECTION].cat
    sections = []
    for code, section_id in enumerate(column.categories):
        inside = (column.codes == code).to_numpy()
        distances = checks.spacings(spatial[inside], np.zeros(inside.sum(), np.int8))
        sections.append(
            SectionReport(
                section_id=str(section_id),
                n_cells=int(inside.sum()),
                patients=_patients(obs[inside]),
                median_depth=float(np.median(depth[inside])),
                n_empty_cells=int((depth[inside] == 0).sum()),
                median_spacing=float(np.median(distances)) if len(distances) else None,
            )
        )
    provenance = adata.uns[keys.PROVENANCE]
    return Report(
        file=file,
        n_cells=adata.n_obs,
        n_genes=adata.n_vars,
        n_dimensions=spatial.shape[1],
        unit=provenance["unit"],
        values=provenance["values"],
        median_depth=float(np.median(depth)),
        n_empty_cells=int((depth == 0).sum()),
        patients=_patients(obs),
        n_cell_types=obs[keys.CELL_TYPE].nunique() if keys.CELL_TYPE in obs else 0,
        sections=tuple(sections),
        sensitive=sensitive,
        found=tuple(findings.found),
        left_out=tuple(findings.left_out),
        assumed=tuple(findings.assumed),
        asked=tuple(findings.asked),
        notes=tuple(findings.notes),
        assay=str(provenance.get("assay", "")),
        n_boundaries=len(settled.boundaries.cells) if settled.boundaries else 0,
        pictures=tuple(picture.name for picture in settled.pictures),
        source_sha256=provenance["source_sha256"],
    )


def _patients(obs: pd.DataFrame) -> tuple[str, ...]:
    if keys.PATIENT not in obs:
        return ()
    return tuple(sorted(obs[keys.PATIENT].dropna().unique()))
