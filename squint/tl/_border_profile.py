from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from squint import keys, pp
from squint.columns import UNKNOWN, labels
from squint.errors import InputError, NothingFoundError
from squint.geometry import borders
from squint.geometry.outlines import Polygon
from squint.stats import arms, border
from squint.stats.expression import scaled_counts
from squint.tl._differential_expression import refuse_intensities

N_BINS = 10  # on each side, where nobody said how far
_DRAWN = "the outline that was drawn"
_HALFWAY = "halfway between cells inside, by most of their neighbourhood, and the nearest outside"


@dataclass(frozen=True)
class Measures:
    """What of cells is averaged by their distance to a border.

    Parameters
    ----------
    genes
        Genes whose expression is averaged, in counts scaled to the median depth of the cells with a distance.
    scores
        Name -> column of ``obs`` with numbers to be averaged, such as the scores of gene sets.
    shares
        Column of ``obs`` with tokens or cell types -> labels whose share of the cells with a label is taken.
    """

    genes: Sequence[str] = ()
    scores: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class DistanceBins:
    """How cells are put together by their distance to a border.

    Parameters
    ----------
    width, reach
        Of a bin, and how far bins go on each side; in the unit of the positions. By default a round number
        from twice the distance between neighbouring cells up, and ten bins.
    min_cells
        Cells of a section in a bin, below which it has no mean there.
    """

    width: float | None = None
    reach: float | None = None
    min_cells: int = border.MIN_CELLS


def border_profile(
    adata: AnnData,
    groupby: str,
    *,
    group: str | Sequence[str],
    measures: Measures,
    bins: DistanceBins | None = None,
    outlines: Mapping[str, Sequence[Polygon]] | None = None,
    min_patch: int = borders.MIN_PATCH,
    copy: bool = False,
) -> AnnData | None:
    """Say what cells are like by their distance to a border.

    The border is the outline that was drawn, in sections that have one. Else cells are inside where most of
    their closed neighbourhood is of the group, in patches that are large enough, and the border runs halfway
    between a cell inside and the nearest one outside; the edge of the tissue is none. Means are taken in each
    section and bin, and then over sections, each with one vote: sections are repeated, cells are not.

    Parameters
    ----------
    adata
        Sections with raw counts in ``X`` and positions, all in one unit.
    groupby
        Column of ``obs`` with the labels. Cells without one are left out.
    group
        A label or several: these cells are inside.
    measures
        What is averaged.
    bins
        How cells are put together; by default ten bins on each side.
    outlines
        Section -> polygons, as drawn around its cells of the group. Cells inside are those of the outline.
    min_patch
        Cells of a patch of the group, or of a hole in it, below which that makes no border. Not where an
        outline was drawn.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_border_distance"]`` : float32 (n,)
        Distance to the border, in the unit of the positions; negative inside. NaN without a label, and in
        sections without a border.
    ``adata.uns["squint_border_profile"]`` : dict
        ``profile``, a table over sections, as `squint.stats.border.over_sections` gives it; ``sections``, one
        of each section; ``cells``, of their number in each bin; ``border``, how each section's border was
        found; ``n_left_out`` cells of the group outside such a border, and ``n_filled`` others inside;
        ``width``, ``reach``, ``unit``, ``min_cells``, ``min_patch``, and ``n_beyond``, cells beyond reach.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.

    Raises
    ------
    InputError
        If a column, a label, a gene or the positions are missing, nothing is asked, or genes are asked of
        intensities.
    NothingFoundError
        If no section has cells on both sides.

    References
    ----------
    SQUINT, section 5.3, for what regions of high activation are like. Student (1908), The probable error of a
    mean, for the interval.
    """
    if measures.genes:
        refuse_intensities(adata)
    if keys.SPATIAL not in adata.obsm:
        raise InputError(f"`adata.obsm` has no {keys.SPATIAL!r}: positions (n, 2) or (n, 3) are needed.")
    of_cell = labels(adata, groupby)
    section = _sections(adata)
    wanted = arms.listed(group)
    if absent := sorted(set(wanted) - set(of_cell)):
        raise InputError(f"`adata.obs[{groupby!r}]` has no {', '.join(absent)}. Choose other labels.")
    adata = adata.copy() if copy else adata
    if keys.CONNECTIVITIES not in adata.obsp:
        pp.spatial_neighbors(adata)
    found = _distances(
        adata,
        section,
        of_cell,
        set(wanted),
        outlines or {},
        csr_matrix(adata.obsp[keys.CONNECTIVITIES]),
        min_patch,
    )
    distance = found.pop("distance")
    bins = bins or DistanceBins()
    width, reach, min_cells = bins.width, bins.reach, bins.min_cells
    if width is None:
        width = border.nice_width(_spacing(np.asarray(adata.obsm[keys.SPATIAL], float), section))
    reach = N_BINS * width if reach is None else reach
    values = _values(adata, np.isfinite(distance), measures)
    sections = border.by_section(distance, section, values, width=width, reach=reach, min_cells=min_cells)
    adata.obs[keys.BORDER_DISTANCE] = distance.astype(np.float32)
    _, there = border.bins(distance, width, reach)
    adata.uns[keys.BORDER_PROFILE] = {
        "profile": border.over_sections(sections),
        "sections": sections,
        "cells": border.cells_in_bins(distance, section, width=width, reach=reach),
        **found,
        "width": float(width),
        "reach": float(reach),
        "unit": adata.uns.get(keys.PROVENANCE, {}).get("unit", "unknown"),
        "min_cells": int(min_cells),
        "min_patch": int(min_patch),
        "n_beyond": int((np.isfinite(distance) & ~there).sum()),
    }
    return adata if copy else None


def _sections(adata: AnnData) -> NDArray[np.object_]:
    """Name the section of each cell (n,)."""
    if keys.SECTION not in adata.obs:
        return np.full(adata.n_obs, "all cells", dtype=object)
    return labels(adata, keys.SECTION).to_numpy(dtype=object)


def _distances(
    adata: AnnData,
    section: NDArray[np.object_],
    of_cell: "pd.Series[str]",
    wanted: set[str],
    outlines: Mapping[str, Sequence[Polygon]],
    graph: csr_matrix,
    min_patch: int,
) -> dict[str, Any]:
    """Give the distance of each cell (n,) to the border of its section, and how that was found."""
    coordinates = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
    known = (of_cell != UNKNOWN).to_numpy()
    members = of_cell.isin(wanted).to_numpy()
    distance = np.full(adata.n_obs, np.nan)
    how: dict[str, str] = {}
    n_left_out = n_filled = 0
    for name in pd.unique(section):
        here = np.flatnonzero((section == name) & known)
        if outlines.get(name):
            distance[here] = borders.distance_to_outline(outlines[name], coordinates[here])
            how[name] = _DRAWN
            continue
        own = csr_matrix(graph[here][:, here])
        patches = borders.without_small_patches(
            borders.by_majority(members[here], own), own, min_cells=min_patch
        )
        inside = patches.inside
        if inside.all() or not inside.any():
            how[name] = "none: all cells are on one side"
            continue
        distance[here] = borders.distance_to_others(inside, coordinates[here])
        how[name] = _HALFWAY
        n_left_out += int((members[here] & ~inside).sum())
        n_filled += int((inside & ~members[here]).sum())
    if np.isnan(distance).all():
        raise NothingFoundError(
            "No section has cells on both sides of a border, in patches of "
            f"{min_patch:,} cells or more. Choose another border, or smaller patches."
        )
    return {"distance": distance, "border": how, "n_left_out": n_left_out, "n_filled": n_filled}


def _spacing(coordinates: NDArray[np.float64], section: NDArray[np.object_]) -> float:
    """Give the distance between neighbouring cells: the median, in the section where it is largest."""
    found = [0.0]
    for name in pd.unique(section):
        own = np.unique(coordinates[section == name], axis=0)
        if len(own) > 1:
            found.append(float(np.median(cKDTree(own).query(own, 2)[0][:, 1])))
    return max(found)


def _values(adata: AnnData, counted: NDArray[np.bool_], measures: Measures) -> pd.DataFrame:
    """Give what is averaged: columns (kind, name) of numbers (n,)."""
    columns: dict[tuple[str, str], NDArray[np.float64]] = {}
    genes = list(measures.genes)
    if genes:
        counts = csr_matrix(adata.X)
        scaled = np.full((adata.n_obs, len(genes)), np.nan)
        filled = counted & (np.asarray(counts.sum(axis=1)).ravel() > 0)
        scaled[filled] = scaled_counts(counts[filled], list(adata.var_names), genes).toarray()
        columns |= {(border.GENE, gene): scaled[:, i] for i, gene in enumerate(genes)}
    for name, column in measures.scores.items():
        if column not in adata.obs:
            raise InputError(f"`adata.obs` has no {column!r}. Run `squint.tl.score_gene_set` first.")
        columns[border.SET, name] = adata.obs[column].to_numpy(dtype=np.float64)
    for column, wanted in measures.shares.items():
        of_cell = labels(adata, column)
        kind = border.TOKEN if column == keys.TOKEN else border.TYPE
        known = (of_cell != UNKNOWN).to_numpy()
        for label in wanted:
            columns[kind, label] = np.where(known, (of_cell == label).to_numpy(dtype=np.float64), np.nan)
    if not columns:
        raise InputError("Nothing is asked. Name genes, scores, tokens or cell types.")
    table = pd.DataFrame(dict(enumerate(columns.values())))
    table.columns = pd.MultiIndex.from_tuples(list(columns), names=["kind", "name"])
    return table
