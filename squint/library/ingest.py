"""Sections on their way into the library: cleaned of what names persons, and stored."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

import squint.io
from squint import keys, pp
from squint.errors import InputError
from squint.io.boundaries import Boundaries, write_boundaries
from squint.io.units import UNKNOWN
from squint.library.boundary_tiles import write_tiles
from squint.library.counts import write_genes
from squint.library.graphs import write_graph
from squint.library.keeping import Ready
from squint.library.originals import Incoming
from squint.library.points import progressive_order
from squint.library.privacy import KEPT_COLUMNS, PLANTED_COLUMNS, rename_parts
from squint.library.store import (
    BOUNDARIES,
    BOUNDARY_TILES,
    CELLS,
    DATA,
    GENES,
    GRAPH,
    PLACES,
    THUMBNAIL,
    UNFILTERED,
    UNFILTERED_BOUNDARIES,
    Library,
    Section,
)
from squint.library.tables import write_table
from squint.library.thumbnail import thumbnail
from squint.model.section_hash import section_sha256
from squint.pl import spacing
from squint.pp import QualityFilter


@dataclass(frozen=True)
class Labels:
    """What the user says of an upload."""

    patients: Mapping[str, str]  # patient in the file ("" where it names none) -> study code
    sections: Mapping[str, str]  # section in the file -> name to keep
    organ: str = ""
    assay: str = ""


@dataclass(frozen=True)
class Whole:
    """A section before cells of low quality were left out of it."""

    adata: ad.AnnData  # clean
    boundaries: Boundaries | None
    quality: QualityFilter


def clean(adata: ad.AnnData, labels: Labels, *, planted: bool = False) -> Iterator[ad.AnnData]:
    """Yield each section alone, with allow-listed content only.

    Raises
    ------
    InputError
        If a section holds cells of several patients.
    """
    kept = [*KEPT_COLUMNS, *(PLANTED_COLUMNS if planted else ())]
    stacks = name_stacks(adata)
    for name in adata.obs[keys.SECTION].cat.categories:
        part: Any = adata[(adata.obs[keys.SECTION] == name).to_numpy()]
        found = part.obs[keys.PATIENT].dropna().unique() if keys.PATIENT in part.obs else []
        if len(found) > 1:
            raise InputError(
                f"Section {name!r} holds cells of {len(found)} patients. A section is one piece of "
                "one patient's tissue: choose another column for the section."
            )
        code = labels.patients[found[0] if len(found) else ""]
        # names of cells and of stacks often hold those of their section and patient
        renamed = {str(name): labels.sections.get(name, name), **({found[0]: code} if len(found) else {})}
        cells, n_renamed = rename_parts(part.obs_names, renamed)
        obs = pd.DataFrame({key: part.obs[key] for key in kept if key in part.obs}, index=part.obs_names)
        obs[keys.SECTION] = pd.Categorical([labels.sections.get(name, name)] * part.n_obs)
        obs[keys.PATIENT] = pd.Categorical([code] * part.n_obs)
        obs.index = pd.Index(cells)
        if keys.CELL_ID in obs:
            ids = obs[keys.CELL_ID].astype(str)
            known = ids.unique()
            obs[keys.CELL_ID] = ids.map(dict(zip(known, rename_parts(known, renamed)[0], strict=True)))
        provenance = part.uns[keys.PROVENANCE]
        facts = {key: provenance[key] for key in ("unit", "values", "simulated") if key in provenance}
        facts["notes"] = [*provenance["notes"]]
        if n_renamed:
            facts["notes"].append(
                f"{n_renamed:,} names of cells held that of a patient or section: now its code."
            )
        facts["stack"] = rename_parts([stacks.get(str(name), "")], renamed)[0][0]
        alone = ad.AnnData(
            X=part.X.copy(),
            obs=obs,
            var=pd.DataFrame(index=part.var_names),
            uns={keys.PROVENANCE: facts},
        )
        alone.obsm[keys.SPATIAL] = np.asarray(part.obsm[keys.SPATIAL])
        yield alone


def name_stacks(adata: ad.AnnData) -> dict[str, str]:
    """Name the stack of each section that is one of several levels of a patient: what their names share."""
    if keys.Z not in adata.obs:
        return {}
    columns = [key for key in (keys.SECTION, keys.PATIENT, keys.Z) if key in adata.obs]
    table: Any = adata.obs
    levels = table[columns].astype({keys.SECTION: str}).drop_duplicates(keys.SECTION)
    levels = levels[levels[keys.Z].notna()]
    named: dict[str, str] = {}
    for _, own in levels.groupby(keys.PATIENT, observed=True) if keys.PATIENT in levels else [("", levels)]:
        if own[keys.Z].nunique() > 1:
            same = takewhile(lambda letters: len(set(letters)) == 1, zip(*own[keys.SECTION], strict=False))
            shared = "".join(letters[0] for letters in same).rstrip("0123456789-_. ")
            named |= dict.fromkeys(own[keys.SECTION], shared or "stack")
    return named


def leave_out(
    adata: ad.AnnData, boundaries: Boundaries | None, criteria: QualityFilter
) -> tuple[ad.AnnData, Boundaries | None, Whole | None]:
    """Split a clean section into what is kept and, if that is not all of it, the whole.

    Raises
    ------
    InputError
        If no cell passes, or the section says nothing of a criterion.
    """
    passed = pp.quality_filter(adata, criteria)
    if not passed.mask.any():
        raise nothing_left(adata.obs[keys.SECTION].iloc[0])
    if passed.mask.all():
        return adata, boundaries, None
    kept = adata[passed.mask].copy()
    facts = adata.uns[keys.PROVENANCE]
    kept.uns[keys.PROVENANCE] = {**facts, "notes": [*facts["notes"], *notes_on(passed, criteria)]}
    rings = boundaries.of(np.flatnonzero(passed.mask)) if boundaries else None
    return kept, rings, Whole(adata, boundaries, criteria)


def notes_on(passed: pp.Passed, criteria: QualityFilter) -> list[str]:
    """Say what is left out of a section, as its notes do."""
    return [f"{said}." for said in passed.sentences(criteria)]


def nothing_left(name: object) -> InputError:
    """Make the error about a section of which no cell passes."""
    return InputError(f"No cell of section {name} would be left. Ask for less.")


@dataclass(frozen=True)
class Part:
    """A section of a source, as it is to be kept."""

    adata: ad.AnnData  # clean
    boundaries: Boundaries | None = None  # outlines of its cells
    whole: Whole | None = None  # where cells were left out of it, so that they can be taken back
    recipe: Mapping[str, Any] = field(default_factory=dict)  # to make it of its original again


def add_all(
    library: Library, parts: Iterable[Part], labels: Labels, original: Incoming | None = None
) -> list[tuple[Section, bool]]:
    """Put clean sections into the library, all or none, with the original that they were made of.

    Returns
    -------
    Each as the library has it, and whether it is new: the same data under other labels are not.
    """
    with ExitStack() as stack:
        ready = []
        for part in parts:
            folder = stack.enter_context(library.staged())
            section = write(folder, part.adata, labels, part.boundaries, part.whole)
            ready.append(Ready(folder, section, part.recipe))
        new = library.keep(ready, original)
    added = []
    for (_, section, _), is_new in zip(ready, new, strict=True):
        if not is_new and section.unit != UNKNOWN:
            library.state_unit(section.id, section.unit)  # it may have been kept before its unit was known
        added.append((section if is_new else library.get(section.id), is_new))
    return added


def add(
    library: Library, adata: ad.AnnData, labels: Labels, boundaries: Boundaries | None = None
) -> tuple[Section, bool]:
    """Put one clean section into the library, as :func:`add_all` does."""
    return add_all(library, [Part(adata, boundaries)], labels)[0]


def write(
    folder: Path,
    adata: ad.AnnData,
    labels: Labels,
    boundaries: Boundaries | None = None,
    whole: Whole | None = None,
) -> Section:
    """Write all files of a section to an empty folder; return what is known of it."""
    sha256 = section_sha256(adata)
    facts = adata.uns[keys.PROVENANCE]
    counts: Any = adata.X
    depth = np.asarray(counts.sum(axis=1)).ravel()
    squint.io.write(adata, folder / DATA)
    _write_cells(adata, depth, folder)
    write_genes(adata, folder / GENES)
    write_graph(folder / GRAPH, np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64))
    if boundaries is not None:
        write_boundaries(boundaries, folder / BOUNDARIES)
        with np.load(folder / PLACES) as places:
            order, xy = places["order"], np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
        write_tiles(boundaries, xy, order, folder / BOUNDARY_TILES)
    if whole is not None:
        squint.io.write(whole.adata, folder / UNFILTERED)
        if whole.boundaries is not None:
            write_boundaries(whole.boundaries, folder / UNFILTERED_BOUNDARIES)
    return Section(
        id=sha256[:16],
        sha256=sha256,
        section=str(adata.obs[keys.SECTION].iloc[0]),
        patient=str(adata.obs[keys.PATIENT].iloc[0]),
        organ=labels.organ,
        assay=labels.assay,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        n_cells=adata.n_obs,
        n_genes=adata.n_vars,
        n_cell_types=int(adata.obs[keys.CELL_TYPE].nunique()) if keys.CELL_TYPE in adata.obs else 0,
        unit=str(facts["unit"]),
        values=str(facts["values"]),
        median_depth=float(np.median(depth)),
        simulated=bool(facts.get("simulated", False)),
        notes=tuple(str(note) for note in facts["notes"]),
        z_um=_height(adata),
        stack=str(facts.get("stack", "")),
        n_regions=int(adata.obs[keys.REGION].nunique()) if keys.REGION in adata.obs else 0,
        n_left_out=whole.adata.n_obs - adata.n_obs if whole else 0,
        quality=whole.quality if whole else QualityFilter(),
    )


def _height(adata: ad.AnnData) -> float | None:
    heights = adata.obs[keys.Z].dropna().unique() if keys.Z in adata.obs else []
    return float(heights[0]) if len(heights) == 1 else None


def _write_cells(adata: ad.AnnData, depth: "np.ndarray[Any, np.dtype[Any]]", folder: Path) -> None:
    spatial = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
    cells = pd.DataFrame({"x": spatial[:, 0], "y": spatial[:, 1], "n_counts": depth}, index=adata.obs_names)
    if spatial.shape[1] == 3:
        cells.insert(2, "z", spatial[:, 2])
    cells.index.name = "cell"
    for key in (keys.CELL_TYPE, keys.REGION):
        if key in adata.obs:
            labels: Any = adata.obs[key]
            cells[key] = labels.astype("category")
    write_table(cells, folder / CELLS)
    np.savez(folder / PLACES, order=progressive_order(spatial[:, :2]), spacing=spacing(spatial[:, :2]))
    types = cells[keys.CELL_TYPE].astype(object).to_numpy() if keys.CELL_TYPE in cells else None
    thumbnail(spatial[:, :2], types).save(folder / THUMBNAIL)
