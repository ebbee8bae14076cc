from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import datasets
from squint.errors import InputError
from squint.formats import gene_sets
from squint.stats import marker_scores
from squint.stats.clusters import find_clusters
from squint.tl._named import Named

_STATE = "state"


@dataclass(frozen=True)
class Markers:
    """Names that marker genes propose, for clusters or for cells; none where they say little.

    Parameters
    ----------
    sets
        Genes of each type, or a GMT, CSV or text file of them; by default the well-known ones of
        :func:`squint.datasets.markers`.
    species
        Of those, ``"human"`` or ``"mouse"``; by default told from how the genes are written.
    tissue
        Whose own lineages of those are looked for as well, such as ``"breast"``; by default only the lineages
        that most organs have.
    groupby
        Column of ``obs`` with the labels of clusters to be named; by default clusters are found.
    per
        ``"cluster"``, or ``"cell"``: each cell by itself, which few counts say little of.
    resolution
        Of the clusters that are found.
    min_measured
        Markers that the panel must measure of a type.
    bounds
        Score that a name must have at least, a t, and its lead before the second.
    """

    sets: Mapping[str, Sequence[str]] | str | Path | None = None
    species: str | None = None
    tissue: str | None = None
    groupby: str | None = None
    per: Literal["cluster", "cell"] = "cluster"
    resolution: float = 1.0
    min_measured: int = marker_scores.MIN_MEASURED
    bounds: tuple[float, float] = (marker_scores.MIN_SCORE, marker_scores.MIN_MARGIN)

    word = "markers"

    def __post_init__(self) -> None:
        if self.per not in {"cluster", "cell"}:
            raise InputError(f"Names are given per cluster or per cell, not per {self.per!r}.")
        if self.min_measured < 1:
            raise InputError("At least 1 marker of a type must be measured.")

    def name(self, adata: AnnData, seed: int) -> Named:
        """Score clusters or cells for each set, and name those where one leads."""
        counts, genes = csr_matrix(adata.X), [str(gene) for gene in adata.var_names]
        known, facts = self._sets(genes)
        types = marker_scores.measured(
            known[known["kind"] != _STATE].pipe(_as_sets), genes, self.min_measured
        )
        states = _as_sets(known[known["kind"] == _STATE])
        some = {name: [gene for gene in own if gene in set(genes)] for name, own in states.items()}
        some = {name: own for name, own in some.items() if len(own) >= self.min_measured}
        facts |= {"n_measured": types.n_measured, "n_markers": types.n_markers, "states": sorted(some)}
        if self.per == "cell":
            groups = np.where(np.diff(counts.indptr) > 0, np.arange(adata.n_obs), -1)
            titles = list(map(str, adata.obs_names))
            scores = marker_scores.cell_scores(counts, genes, types.genes)
            evidence = None
        else:
            groups, titles = self._groups(adata, counts, seed)
            profiles = marker_scores.group_profiles(counts, groups, genes)
            both = marker_scores.ulm(profiles, {**types.genes, **some})
            scores = both[list(types.genes)]
        proposed = marker_scores.propose(scores, min_score=self.bounds[0], min_margin=self.bounds[1])
        if self.per == "cluster":
            evidence = _evidence(both, proposed, titles, groups, types, set(some))
        n_none = int(proposed["name"].isna().sum())
        notes = [] if self.per == "cell" else [f"{n_none} of {len(proposed)} clusters stay unknown."]
        of_cell = pd.Series(proposed["name"].to_numpy(dtype=object)[groups]).where(groups >= 0, None)
        confidence = np.where(groups >= 0, proposed["confidence"].to_numpy()[groups], np.nan)
        return Named(
            pd.Categorical(of_cell), confidence.astype(np.float32), self._parameters(), facts, notes, evidence
        )

    def _sets(self, genes: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Give the sets as a table of lineage, kind and gene, and where they are from."""
        if self.sets is not None:
            own = self.sets if isinstance(self.sets, Mapping) else gene_sets.read(self.sets)
            rows = [(name, "type", gene) for name, listed in own.items() for gene in listed]
            where = "given" if isinstance(self.sets, Mapping) else Path(self.sets).name
            return pd.DataFrame(rows, columns=["lineage", "kind", "gene"]), {"sets": where}
        species = self.species or marker_scores.find_species(genes)
        if not species:
            raise InputError(
                "How the genes are written does not say whether they are of human (CD3E) or mouse (Cd3e). "
                "Say it: species='human' or 'mouse', on the command line --species, or give sets of your own."
            )
        table = datasets.markers(species)
        organs = sorted(set(table["tissue"]) - {""})
        if self.tissue is not None and self.tissue not in organs:
            raise InputError(f"There are lineages of {', '.join(organs)}, not of {self.tissue!r}.")
        kept = table[table["tissue"].isin(["", self.tissue or ""])]
        return kept, {"sets": "squint.datasets.markers", "species": species, "tissue": self.tissue}

    def _groups(self, adata: AnnData, counts: csr_matrix, seed: int) -> tuple[NDArray[np.int64], list[str]]:
        if self.groupby is None:
            codes = find_clusters(counts, resolution=self.resolution, seed=seed).codes
            return codes, [str(code + 1) for code in range(codes.max() + 1)]
        if self.groupby not in adata.obs:
            raise InputError(f"`adata.obs` has no {self.groupby!r}. Name a column with clusters.")
        counted = np.diff(counts.indptr) > 0
        column = pd.Categorical(adata.obs[self.groupby].where(counted)).remove_unused_categories()
        if len(column.categories) < 2:
            raise InputError(f"obs[{self.groupby!r}] has fewer than 2 labels: there is nothing to compare.")
        return np.asarray(column.codes, dtype=np.int64), [str(label) for label in column.categories]

    def _parameters(self) -> dict[str, Any]:
        asked = asdict(self)
        asked["bounds"] = list(self.bounds)
        del asked["sets"]  # in the facts, by name
        return asked


def _as_sets(table: pd.DataFrame) -> dict[str, list[str]]:
    grouped = table.groupby("lineage", sort=False)["gene"]
    return {str(name): [str(gene) for gene in genes] for name, genes in grouped}


def _evidence(
    scores: pd.DataFrame,
    proposed: pd.DataFrame,
    titles: Sequence[str],
    groups: NDArray[np.int64],
    sets: marker_scores.Sets,
    states: set[str],
) -> pd.DataFrame:
    """Put all that names rest on into one table: a row per cluster and set, the best set first."""
    long = scores.set_axis(list(titles), axis=0).rename_axis("cluster").reset_index()
    long = long.melt("cluster", var_name="set", value_name="score")
    at = {title: number for number, title in enumerate(titles)}
    place = long["cluster"].map(at).to_numpy()
    sizes = np.bincount(groups[groups >= 0], minlength=len(titles))
    long["n_cells"] = sizes[place]
    long["kind"] = np.where(long["set"].isin(states), _STATE, "type")
    long["n_measured"] = long["set"].map(sets.n_measured)
    long["n_markers"] = long["set"].map(sets.n_markers)
    long["margin"] = np.where(
        long["set"].to_numpy() == proposed["best"].to_numpy()[place],
        proposed["margin"].to_numpy()[place],
        np.nan,
    )
    long["named"] = long["set"].to_numpy() == proposed["name"].to_numpy(dtype=object)[place]
    order = np.lexsort([-long["score"].to_numpy(), place])
    return long.iloc[order].reset_index(drop=True)
