"""Cells of low quality: what leaving them out of an upload does, and taking them back. Runs in the worker."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import squint.io
from app.cell_sets.store import CellSets
from app.requests import TakeBack
from squint import keys, pp
from squint.errors import InputError
from squint.io.boundaries import read_boundaries
from squint.io.facts import Settled
from squint.library import carrying, ingest, keeping
from squint.library.images import Images
from squint.library.results import Report
from squint.library.store import UNFILTERED, UNFILTERED_BOUNDARIES, Library
from squint.pp import QualityFilter


@dataclass(frozen=True)
class Sifted:
    """What can be asked of the cells of an upload, and what the criteria do that are on."""

    offered: tuple[str, ...]  # criteria
    n_off_tissue: int
    n_before: int
    n_after: int
    said: tuple[str, ...] = ()  # what is left out, and what is kept because it is not known
    problem: str = ""  # why the criteria cannot be


def sift(settled: Settled, criteria: QualityFilter) -> tuple[Settled, Sifted]:
    """Leave out cells of an upload, to look at what would be kept; all stay where that cannot be."""
    adata = settled.adata
    offered = pp.quality_criteria(adata)
    off_tissue = QualityFilter(in_tissue="in_tissue" in offered)
    n_off_tissue = int((~pp.quality_filter(adata, off_tissue).mask).sum())
    sifted = Sifted(offered, n_off_tissue, adata.n_obs, adata.n_obs)
    try:
        passed = pp.quality_filter(adata, criteria)
        names: Any = adata.obs[keys.SECTION]
        left = set(names[passed.mask])
        for name in names.cat.categories:
            if name not in left:
                raise ingest.nothing_left(name)
    except InputError as error:
        return settled, replace(sifted, problem=str(error))
    sifted = replace(sifted, n_after=int(passed.mask.sum()), said=tuple(passed.sentences(criteria)))
    if passed.mask.all():
        return settled, sifted
    rings = settled.boundaries
    rings = rings.of(np.flatnonzero(passed.mask)) if rings else None
    return replace(settled, adata=adata[passed.mask].copy(), boundaries=rings), sifted


def take_back(library: Library, asked: TakeBack, report: Report) -> dict[str, Any]:
    """Put the section of all cells in the place of one from which some were left out.

    Pictures and cell sets go along. The section that there was is deleted once all of the other is there.

    Returns
    -------
    Id and title, and whether the section of all cells is new.

    Raises
    ------
    InputError
        If the section is gone, or nothing was left out of it.
    """
    old = library.get(asked.section)
    folder = library.folder(old.id)
    if not library.files.is_recorded(folder / UNFILTERED):
        raise InputError(f"No cells were left out of section {old.title}.")
    carrying.check(library, old.id)
    report(0.1, "reading all cells")
    adata = squint.io.read(library.path(old.id, UNFILTERED), answers=squint.io.Answers(unit=old.unit))
    said = ingest.notes_on(pp.quality_filter(adata, old.quality), old.quality)
    adata.uns[keys.PROVENANCE] = {
        "unit": old.unit,
        "values": old.values,
        "simulated": old.simulated,
        "stack": old.stack,
        "notes": [note for note in old.notes if note not in said],
    }
    rings = folder / UNFILTERED_BOUNDARIES
    known = library.files.is_recorded(rings)
    boundaries = read_boundaries(library.files.checked(rings)) if known else None
    places = adata.obs_names.get_indexer(library.cells(old.id).index)
    report(0.4, "keeping all cells")
    labels = ingest.Labels({}, {}, old.organ, old.assay)
    whole, new = ingest.add(library, adata, labels, boundaries)
    keeping.share_original(library, old.id, whole.id, quality={})
    Images(library).carry(old.id, whole.id)
    CellSets(library).carry(old.id, whole.id, places)
    carrying.carry(library, old.id, whole.id, places)
    library.delete(old.id)
    return {"id": whole.id, "title": whole.title, "new": new}
