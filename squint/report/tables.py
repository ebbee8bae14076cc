"""All numbers of a report, as tables: of its recipe and its sections alone, on the page and by command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_matrix, vstack

from squint import keys, pp, tl
from squint.columns import UNKNOWN
from squint.errors import InputError
from squint.geometry.outlines import Polygon
from squint.pl import activation_table, composition_table, levels
from squint.report.pieces import Piece, depth, named_types
from squint.report.recipe import Activation, Comparison, Recipe
from squint.stats.token_profiles import add_up, describe, sorted_tokens

GROUP, REFERENCE, BOTH = "group", "reference", "both"
SHOWN, DEPTH, X, Y = "shown", "n_counts", "x", "y"
_PLAIN = {  # column of a report's tables, by the slot that it is of
    keys.SECTION: "section",
    keys.PATIENT: "patient",
    keys.TOKEN: "token",
    keys.DISTANCE: "distance_to_token",
    keys.ACTIVATION: "activation_score",
}

Sets = Mapping[str, Mapping[str, set[str]]]  # name of a cell set -> name of a section -> names of its cells
Outlines = Mapping[str, Mapping[str, Sequence[Polygon]]]  # of those that were drawn, likewise


@dataclass
class Computed:
    """What a report says."""

    recipe: Recipe
    pieces: Sequence[Piece]  # of the sections shown
    cells: pd.DataFrame  # one row per cell of the sections shown
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)  # by name, without index
    about: dict[str, str] = field(default_factory=dict)  # of each table, in words
    facts: dict[str, Any] = field(default_factory=dict)  # how codes were ranked; who was compared, or why not
    arms: "pd.Series[Any] | None" = None  # of each cell: in which group it was compared, if in any
    outlines: Outlines = field(default_factory=dict)  # that cell sets were drawn with

    def put(self, name: str, table: pd.DataFrame, about: str) -> None:
        """Keep a table."""
        plain = table.rename(columns=_PLAIN).reset_index(drop=True)
        self.tables[name], self.about[name] = plain, about


def compute(
    recipe: Recipe, pieces: Sequence[Piece], sets: Sets, outlines: Outlines | None = None
) -> Computed:
    """Compute every table of a report.

    Parameters
    ----------
    recipe
        What is asked.
    pieces
        The sections of the recipe, in its order, with tokens where it names a model.
    sets
        The cells of its sets.
    outlines
        Where they were drawn: for the maps; no number rests on them.

    Returns
    -------
    The tables, those of them that the sections allow, and the facts beside them.

    Raises
    ------
    InputError
        If what the recipe asks cannot be computed of these sections.
    """
    every = _cells(pieces)
    found = Computed(recipe, [one for one in pieces if one.record.shown], every, outlines=outlines or {})
    if recipe.activation is not None:
        every[keys.ACTIVATION] = _scores(recipe.activation, pieces, every, found)
    found.cells = cells = every[every[SHOWN]].drop(columns=SHOWN).reset_index(drop=True)
    found.put("sections", _sections(found), "One row per section.")
    if cells[keys.CELL_TYPE].notna().any():
        about = "Cells of each type, and their share of the section's cells."
        found.put("cell_types", _shares(cells, keys.CELL_TYPE), about)
    if recipe.model is not None:
        _put_tokens(found)
    if recipe.activation is not None:
        _put_activation(recipe.activation, found)
    if recipe.comparison is not None and "comparison" in recipe.parts:
        _put_comparison(recipe.comparison, found, sets)
    if "cells" in recipe.parts:
        for number, piece in enumerate(found.pieces, 1):
            own = cells[cells[keys.SECTION] == piece.record.name].dropna(axis="columns", how="all")
            found.put(f"cells_{number}", own, f"Every cell of section {piece.record.name}.")
    return found


def _cells(pieces: Sequence[Piece]) -> pd.DataFrame:
    """Put the cells of sections below each other, with all that is known of each."""
    parts = []
    for piece in pieces:
        adata, obs = piece.adata, piece.adata.obs
        at = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
        part = pd.DataFrame(
            {
                keys.SECTION: piece.record.name,
                keys.PATIENT: piece.record.patient,
                "cell": adata.obs_names.astype(str),
                X: at[:, 0],
                Y: at[:, 1],
                **{key: _labels(obs, key) for key in (keys.CELL_TYPE, keys.REGION)},
                DEPTH: depth(adata),
                keys.TOKEN: _labels(obs, keys.TOKEN),
                SHOWN: piece.record.shown,
            }
        )
        if keys.DISTANCE in obs:
            part[keys.DISTANCE] = obs[keys.DISTANCE].to_numpy(dtype=np.float64)
        parts.append(part)
    cells = pd.concat(parts, ignore_index=True)
    if (cells[DEPTH] % 1 == 0).all():
        cells[DEPTH] = cells[DEPTH].astype(np.int64)
    cells[keys.CELL_TYPE] = named_types(cells)
    return cells


def _labels(obs: pd.DataFrame, key: str) -> NDArray[np.object_]:
    if key not in obs:
        return np.full(len(obs), None, dtype=object)
    column = obs[key].astype(object)
    return np.asarray(column.where(column.notna(), None).to_numpy(dtype=object))


def _scores(
    asked: Activation, pieces: Sequence[Piece], cells: pd.DataFrame, found: Computed
) -> NDArray[np.float64]:
    """Score all cells (n,), and note how codes were ranked."""
    ranks = np.repeat([piece.record.ranks for piece in pieces], [piece.adata.n_obs for piece in pieces])
    together = AnnData(
        csr_matrix((len(cells), 0), dtype=np.float32),
        obs=cells[[keys.TOKEN, keys.PATIENT]].set_axis(cells.index.astype(str)),
    )
    together.obsp[keys.CONNECTIVITIES] = block_diag(
        [_graph(piece.adata, asked.n_neighbors) for piece in pieces], format="csr"
    )
    tl.activate(
        together, reference=asked.reference, against=asked.against, n_codes=asked.n_codes, ranked=ranks
    )
    how = dict(together.uns[keys.PROVENANCE]["activation"])
    mine = cells[(cells[keys.PATIENT] == asked.reference) & ranks & cells[keys.TOKEN].notna()]
    share = mine[keys.TOKEN].value_counts(normalize=True)
    about = f"The codes that count, best first, and their share of the cells of patient {asked.reference}."
    rows = [
        {"rank": i, "token": code, "share_of_reference": float(share.get(code, 0.0))}
        for i, code in enumerate(how["codes"], 1)
    ]
    found.put("activation_codes", pd.DataFrame(rows, columns=["rank", "token", "share_of_reference"]), about)
    found.facts["activation"] = how | {"n_reference": len(mine)}
    return together.obs[keys.ACTIVATION].to_numpy(dtype=np.float64)


def _graph(adata: AnnData, n_neighbors: int) -> csr_matrix:
    alone = AnnData(csr_matrix((adata.n_obs, 0), dtype=np.float32))
    alone.obsm[keys.SPATIAL] = adata.obsm[keys.SPATIAL]
    pp.spatial_neighbors(alone, n_neighbors=n_neighbors)
    return csr_matrix(alone.obsp[keys.CONNECTIVITIES])


def _sections(found: Computed) -> pd.DataFrame:
    rows = []
    for piece in found.pieces:
        own = found.cells[found.cells[keys.SECTION] == piece.record.name]
        noted = piece.noted
        row: dict[str, Any] = {
            "section": piece.record.name,
            "patient": piece.record.patient,
            "simulated": piece.record.simulated,
            "n_cells": len(own),
            "n_genes": piece.adata.n_vars,
            "median_counts": float(own[DEPTH].median()),
            "n_without_counts": int((own[DEPTH] == 0).sum()),
            "n_with_type": int(own[keys.CELL_TYPE].notna().sum()),
            "width": float(np.ptp(own[X])),
            "height": float(np.ptp(own[Y])),
            "unit": piece.record.unit,
        }
        if found.recipe.model is not None:
            row |= {
                "n_genes_shared": int(noted["n_genes_shared"]),
                "gene_overlap": float(noted["gene_overlap"]),
                "n_without_token": int(own[keys.TOKEN].isna().sum()),
                "n_tokens_used": int(own[keys.TOKEN].nunique()),
                "share_new_to_model": piece.share_new,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _shares(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count the labels of a column by section, most frequent first; shares are of the cells that have one."""
    known = cells[cells[column].notna()]
    counts = known.groupby([keys.SECTION, keys.PATIENT, column], sort=False).size().rename("n_cells")
    table = counts.reset_index()
    table["share"] = table["n_cells"] / table.groupby(keys.SECTION)["n_cells"].transform("sum")
    order = {name: place for place, name in enumerate(dict.fromkeys(cells[keys.SECTION]))}
    table = table.assign(place=table[keys.SECTION].map(order))
    table = table.sort_values(["place", "n_cells", column], ascending=[True, False, True], kind="stable")
    return table.drop(columns="place")


def _put_tokens(found: Computed) -> None:
    cells, model = found.cells, found.recipe.model
    found.put("token_usage", _shares(cells, keys.TOKEN), "Cells of each token, by section.")
    sums = {}
    for piece in found.pieces:
        own = cells[cells[keys.SECTION] == piece.record.name]
        types = own[keys.CELL_TYPE] if own[keys.CELL_TYPE].notna().any() else None
        tokens = own[keys.TOKEN].astype(object).where(own[keys.TOKEN].notna(), UNKNOWN).astype(str)
        genes = [str(gene) for gene in piece.adata.var_names]
        sums[piece.record.name] = add_up(csr_matrix(piece.adata.X), genes, tokens, types)
    words = describe(sums, n_genes=found.recipe.n_token_genes).reset_index()
    if found.recipe.token_names:
        words.insert(1, "name", [found.recipe.token_names.get(str(token), "") for token in words["token"]])
    about = (
        f"What each token is, over the sections of this report; {model.n_codes if model else 0} tokens are "
        "known to the model. Top genes: largest share of the token's counts relative to all cells'."
    )
    found.put("tokens", words.sort_values("n_cells", ascending=False, kind="stable"), about)
    known = cells[cells[keys.TOKEN].notna() & cells[keys.CELL_TYPE].notna()]
    if len(known):
        counts = known.groupby([keys.TOKEN, keys.CELL_TYPE]).size().rename("n_cells").reset_index()
        counts["share_of_token"] = counts["n_cells"] / counts.groupby(keys.TOKEN)["n_cells"].transform("sum")
        rank = {token: place for place, token in enumerate(sorted_tokens(set(counts[keys.TOKEN])))}
        counts = counts.assign(place=counts[keys.TOKEN].map(rank))
        counts = counts.sort_values(["place", "n_cells", keys.CELL_TYPE], ascending=[True, False, True])
        found.put("token_composition", counts.drop(columns="place"), "Cell types of each token.")


def _put_activation(asked: Activation, found: Computed) -> None:
    low, high = asked.low, asked.high
    said = f"low: a score below {asked.low:g}; high: above {asked.high:g}"
    cells = found.cells
    by_section = activation_table(cells, [keys.PATIENT, keys.SECTION], low=low, high=high)
    found.put("activation_by_section", by_section, f"Activation scores by section; {said}.")
    by_patient = activation_table(cells, [keys.PATIENT], low=low, high=high)
    found.put("activation_by_patient", by_patient, f"Activation scores by patient; {said}.")
    edges = np.linspace(0, 1, asked.n_bins + 1)
    rows = []
    for patient, own in cells.groupby(keys.PATIENT, sort=True):
        scores = own[keys.ACTIVATION].dropna().to_numpy()
        counts, _ = np.histogram(scores, edges)
        rows += [
            {"patient": patient, "from": a, "to": b, "n_cells": int(n), "share": n / max(1, len(scores))}
            for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
    found.put("activation_histogram", pd.DataFrame(rows), "Cells by activation score, by patient.")
    if (cells[keys.CELL_TYPE].notna() & cells[keys.ACTIVATION].notna()).any():
        table = composition_table(cells, low=low, high=high).rename_axis("cell_type").reset_index()
        found.put("activation_types", table, f"Cell types among low and among high cells; {said}.")


def arms_of(
    cells: pd.DataFrame, asked: Comparison, activation: Activation | None, sets: Sets
) -> "pd.Series[Any]":
    """Say of each cell (n,) in which group it is, if in any; cells without counts never are."""
    if asked.by == "cell_set":
        first, second = (_in_sets(cells, names, sets) for names in (asked.group, asked.reference))
        second = second if asked.reference else ~first
        first, second = first & ~second, second & ~first
    else:
        label = _label(cells, asked, activation)
        first = label.isin(asked.group)
        second = label.isin(asked.reference) if asked.reference else label.notna() & ~first
    counted = cells[DEPTH] != 0
    if asked.types:
        counted &= cells[keys.CELL_TYPE].isin(asked.types)
    arm = pd.Series(None, index=cells.index, dtype=object)
    arm[first & counted], arm[second & counted] = GROUP, REFERENCE
    return arm


def _label(cells: pd.DataFrame, asked: Comparison, activation: Activation | None) -> "pd.Series[Any]":
    if asked.by == "score" and activation is not None:
        scores = cells[keys.ACTIVATION].astype(float)
        return levels(scores, low=activation.low, high=activation.high).astype(object)
    columns = {
        "token": keys.TOKEN,
        "cell_type": keys.CELL_TYPE,
        "region": keys.REGION,
        "patient": keys.PATIENT,
        "section": keys.SECTION,
    }
    return cells[columns[asked.by]]


def _in_sets(cells: pd.DataFrame, names: Sequence[str], sets: Sets) -> "pd.Series[bool]":
    inside = cells["cell"].isna()
    for name in names:
        for section, members in sets.get(name, {}).items():
            inside |= (cells[keys.SECTION] == section) & cells["cell"].isin(members)
    return inside


def _put_comparison(asked: Comparison, found: Computed, sets: Sets) -> None:
    """Compare the genes of two groups, or note why they cannot be compared."""
    found.arms = arm = arms_of(found.cells, asked, found.recipe.activation, sets)
    both = found.cells.assign(arm=arm)[arm.notna()]
    n_cells = both.groupby([keys.PATIENT, keys.SECTION, "arm"]).size().unstack("arm", fill_value=0)
    n_cells = n_cells.reindex(columns=[GROUP, REFERENCE], fill_value=0)
    n_cells.columns = pd.Index([f"n_{name}" for name in n_cells])
    found.put("compared_cells", n_cells.reset_index(), "Cells of both groups, by section.")
    facts: dict[str, Any] = {name: int((arm == name).sum()) for name in (GROUP, REFERENCE)}
    facts |= {
        f"patients_{name}": int(both[both["arm"] == name][keys.PATIENT].nunique())
        for name in (GROUP, REFERENCE)
    }
    found.facts["comparison"] = facts
    try:
        adata = _counts(found, arm)
        tl.differential_expression(
            adata, "arm", group=GROUP, reference=REFERENCE, test=asked.test, pseudo_count=asked.pseudo_count
        )
    except InputError as error:
        facts["problem"] = str(error)
        return
    genes = adata.uns[keys.DEGS]
    facts["n_genes"] = len(genes)
    facts["median_depth"] = float(genes.attrs["median_depth"])
    about = "Genes of the group against the reference, cells as observations; largest AUC first."
    found.put("differential_expression", genes.rename_axis("gene").reset_index(), about)
    for number, one in enumerate(found.recipe.gene_sets, 1):
        inside = genes[genes.index.isin(one.genes)].rename_axis("gene").reset_index()
        said = f"The genes of the set {one.name} that were compared: {len(inside)} of {len(one.genes)}."
        found.put(f"gene_set_{number}", inside, said)
    try:
        tl.pseudobulk(adata, "arm", group=GROUP, reference=REFERENCE, min_cells=asked.min_cells)
    except InputError as error:
        facts["pseudobulk_problem"] = str(error)
        return
    across = adata.uns[keys.PSEUDOBULK]
    facts["pseudobulk"] = {
        key: across.attrs[key] for key in ("design", "patients_group", "patients_reference")
    }
    about = "The same across patients, whose counts are added up; DESeq2, smallest p first."
    found.put("pseudobulk", across.rename_axis("gene").reset_index(), about)


def _counts(found: Computed, arm: "pd.Series[Any]") -> AnnData:
    """Put the counts of both groups on one axis, over the genes that all sections with such cells measure."""
    parts = []
    for piece in found.pieces:
        here = (found.cells[keys.SECTION] == piece.record.name).to_numpy()
        own = arm[here].to_numpy(dtype=object)
        if pd.notna(own).any():
            if piece.values != "counts":
                raise InputError(f"Section {piece.record.name} holds intensities, not counts. Leave it out.")
            parts.append((piece, own, pd.notna(own)))
    if not parts:
        raise InputError("No cell is in either group. Choose other groups or more sections.")
    measured = [set(map(str, piece.adata.var_names)) for piece, *_ in parts]
    genes = [str(gene) for gene in parts[0][0].adata.var_names if all(str(gene) in own for own in measured)]
    if not genes:
        raise InputError("No gene is measured in all sections that are compared. Leave some out.")
    counts = vstack([csr_matrix(piece.adata[rows, genes].X) for piece, _, rows in parts], format="csr")
    obs = pd.DataFrame(
        {
            "arm": np.concatenate([own[rows] for _, own, rows in parts]),
            keys.PATIENT: np.concatenate([[p.record.patient] * int(rows.sum()) for p, _, rows in parts]),
        }
    )
    return ad.AnnData(
        counts, obs=obs.set_axis(obs.index.astype(str)), var=pd.DataFrame(index=pd.Index(genes))
    )
