"""Tokens and domains against labels of tissue, beside plain k-means and the groups of other programs.

What a scientist will ask first: do the groups of a model follow layers, regions and kinds of cells that
somebody has labelled, better than k-means on what cells and their neighbours express? Labels are read by the
scorer alone.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from squint import keys, pp, tl
from squint.benchmarks.stages import Row, claim
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.files import write_json, write_text
from squint.model.bundle import Bundle, versions
from squint.model.section_hash import section_sha256
from squint.spreadsheet import csv_text
from squint.stats.expression import log_counts
from squint.stats.partitions import agreement, coherence, mean_pair_ari
from squint.stats.ranksum import median_depth
from squint.training.run import train

TABLE, TEXT, JSON = "table.csv", "table.md", "table.json"
FEWER = "bundle_fewer"  # trained without a fifth of the cells
NEIGHBOURS = (0, 8, 30, 100)  # that k-means averages over, beside the cell itself
N_COMPONENTS = 30
N_STARTS = 10  # of k-means
SCORES = ("nmi", "ari", "homogeneity", "coherence")
LEFT_OUT = 0.2  # of the cells, to see whether a model trained on the others groups them alike
FINE, COARSE = "K", "as many as labels"
TOKENS, GROUPED, DOMAINS = "tokens", "tokens, grouped", "domains"
NO_LABEL = frozenset({"", "nan", "none", "na", "<na>"})

Codes = NDArray[np.int64]
Groups = Mapping[tuple[str, str], Codes]  # by method and by how many


class _Judge(NamedTuple):
    """The labels of some cells, and the graph among all."""

    labels: NDArray[np.str_]  # (n,)
    labelled: NDArray[np.bool_]  # (n,)
    graph: csr_matrix

    def score(self, groups: Codes) -> Row:
        """Score groups (n,), -1 for none: on cells that have a label and a group."""
        known = self.labelled & (groups >= 0)
        grouped = np.flatnonzero(groups >= 0)
        return {
            "n": int(known.sum()),
            "n_groups": len(np.unique(groups[known])),
            **agreement(self.labels[known], groups[known])._asdict(),
            "coherence": coherence(groups[grouped], csr_matrix(self.graph[grouped][:, grouped])),
        }


class Structure:
    """Train on sections with labels, and score what the model groups.

    Parameters
    ----------
    adata
        Raw counts of one or several sections, as `squint.read` gives them.
    column
        Of ``obs``, the labels.
    folder
        Where bundles and tables are kept, made if missing. Bundles that are there are not trained again.
    model, choices
        Of the model and its training; its seed is that of each run.
    device
        As for `squint.train`.
    without
        Labels that say nothing, such as ``"Excluded"``. Cells without a label are trained on like others, and
        not scored.
    others
        By name, groups that other programs found, one of each seed: of each cell (n,), -1 for none.

    Raises
    ------
    InputError
        If there is no such column, or fewer than two labels, or the folder holds results of something else.
    """

    def __init__(
        self,
        adata: AnnData,
        column: str,
        folder: Path,
        *,
        model: ModelConfig,
        choices: TrainConfig,
        device: str = "auto",
        without: Sequence[str] = (),
        others: Mapping[str, Sequence[Codes]] | None = None,
    ) -> None:
        if column not in adata.obs:
            known = ", ".join(map(str, adata.obs.columns))
            raise InputError(f"The section has no column {column!r}, but {known}. Name one with --labels.")
        labels = adata.obs[column].astype(str).to_numpy(dtype=np.str_)
        if unknown := set(without) - set(labels):
            raise InputError(f"No cell of the section is labelled {min(unknown)!r} in {column!r}.")
        labelled = ~np.isin(np.char.lower(labels), list(NO_LABEL)) & ~np.isin(labels, list(without))
        self.n_labels = len(np.unique(labels[labelled]))
        if self.n_labels < 2:
            raise InputError(f"Column {column!r} holds {self.n_labels} labels; two or more can be compared.")
        pp.spatial_neighbors(adata, n_neighbors=model.n_neighbors)
        self.judge = _Judge(labels, labelled, csr_matrix(adata.obsp[keys.CONNECTIVITIES]))
        self.adata, self.column, self.folder = adata, column, folder
        self.model, self.choices, self.device, self.others = model, choices, device, others or {}
        self.table = pd.DataFrame()
        self.text = ""

    def run(self, seeds: Sequence[int]) -> Iterator[str]:
        """Train and score by each seed, and write the tables.

        Parameters
        ----------
        seeds
            Of trainings and of k-means. The first one's model is trained once more without a fifth of the
            cells.

        Yields
        ------
        What was done. After the last, `table` and `text` hold what ``table.csv`` and ``table.md`` do.
        """
        claim(self.folder, self._request(), "benchmark")
        seeds = list(dict.fromkeys(seeds))
        found: dict[tuple[str, str], list[Codes]] = {}
        rows: list[Row] = []
        for words, seed, groups in self._all(seeds):
            for (method, size), codes in groups.items():
                found.setdefault((method, size), []).append(codes)
                rows.append({"method": method, "groups": size, "seed": seed} | self.judge.score(codes))
            yield words
        kept = self._kept()
        fewer = yield from self._without_a_fifth(kept, seeds[0])
        self.table = _summarise(
            rows,
            {key: mean_pair_ari(list(codes)) for key, codes in found.items()},
            {key: _ari(found[key][0][kept], codes) for key, codes in fewer.items()},
        )
        self.text = _to_markdown(self.table, self._said(seeds))
        write_text(self.folder / TABLE, csv_text(self.table))
        write_text(self.folder / TEXT, self.text)
        write_json(self.folder / JSON, {"rows": rows, "summary": self.table.to_dict("records")}, indent=1)

    def _all(self, seeds: Sequence[int]) -> Iterator[tuple[str, int, Groups]]:
        """Group the cells in all ways: words on how far it is, the seed, and groups, if any yet."""
        for seed in seeds:
            name = f"bundle_seed{seed}"
            yield from ((words, seed, {}) for words in self._train(seed, name, self.adata))
            groups = self._of_model(self.adata, Bundle.load(self.folder / name), seed)
            yield f"model, seed {seed}: scored", seed, groups
        for n_neighbours, values in self._means():
            for seed in seeds:
                groups = self._of_kmeans(n_neighbours, values, seed)
                yield f"k-means over {n_neighbours} neighbours, seed {seed}: scored", seed, groups
        for name, by_seed in self.others.items():
            for seed, codes in enumerate(by_seed):
                yield f"{name}: scored", seed, {(name, COARSE): codes}

    def _without_a_fifth(
        self, kept: NDArray[np.int64], seed: int
    ) -> Generator[str, None, dict[tuple[str, str], Codes]]:
        """Group some cells as if there were no others."""
        part = self.adata[kept].copy()
        del part.obsp  # neighbours of cells that are gone
        part.uns.pop("spatial_neighbors", None)
        yield from self._train(seed, FEWER, part)
        fewer = dict(self._of_model(part, Bundle.load(self.folder / FEWER), seed))
        for n_neighbours, values in self._means(part):
            fewer |= self._of_kmeans(n_neighbours, values, seed)
        return fewer

    def _kept(self) -> NDArray[np.int64]:
        n_kept = round((1 - LEFT_OUT) * self.adata.n_obs)
        return np.sort(np.random.default_rng(0).permutation(self.adata.n_obs)[:n_kept])

    def _train(self, seed: int, name: str, adata: AnnData) -> Iterator[str]:
        """Train and save a bundle, unless it was before."""
        path = self.folder / name
        if path.exists():
            yield f"{name}: trained before"
            return
        bundle = None
        choices = replace(self.choices, seed=seed)
        for epoch in train(adata, model=self.model, train=choices, device=self.device):
            bundle = epoch.bundle
            yield f"{name}: epoch {epoch.number}/{epoch.n_epochs}, {epoch.seconds:.1f} s"
        if bundle is None:
            raise InputError("No epoch was run.")
        bundle.save(path)

    def _of_model(self, adata: AnnData, bundle: Bundle, seed: int) -> Groups:
        out = tl.tokenize(adata, bundle, domains=self.n_labels, copy=True)
        if out is None:
            raise TypeError("a copy was asked for")
        every: NDArray[np.float32] = np.asarray(out.obsm[keys.LATENT])
        tokens: NDArray[np.int32] = np.asarray(out.obsm[keys.TOKENS])
        told = np.isfinite(every).all(axis=1)
        latents = every[told]
        latents /= np.linalg.norm(latents, axis=1, keepdims=True)
        grouped = np.full(adata.n_obs, -1)
        grouped[told] = _kmeans(latents, self.n_labels, seed)
        return {
            (TOKENS, FINE): tokens[:, 0].astype(np.int64),
            (GROUPED, COARSE): grouped,
            (DOMAINS, COARSE): out.obs[keys.DOMAIN].cat.codes.to_numpy().astype(np.int64),
        }

    def _means(self, adata: AnnData | None = None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give components of log counts, averaged over more and more neighbours: (n, c)."""
        adata = self.adata if adata is None else adata
        counts = csr_matrix(adata.X)
        logs = log_counts(counts, median_depth(np.asarray(counts.sum(axis=1)).ravel()))
        n_components = min(N_COMPONENTS, *(side - 1 for side in logs.shape))
        components = PCA(n_components, random_state=0).fit_transform(logs.toarray()).astype(np.float32)
        points = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
        section = pp.section_codes(adata)
        for n_neighbours in NEIGHBOURS:
            yield n_neighbours, _near_means(components, points, section, n_neighbours)

    def _of_kmeans(self, n_neighbours: int, values: NDArray[np.float32], seed: int) -> Groups:
        method = "k-means, own cell" if n_neighbours == 0 else f"k-means, mean over {n_neighbours} neighbours"
        return {
            (method, size): _kmeans(values, n, seed)
            for size, n in ((FINE, self.model.n_codes), (COARSE, self.n_labels))
        }

    def _said(self, seeds: Sequence[int]) -> str:
        judge = self.judge
        return (
            f"{judge.labelled.sum():,} of {len(judge.labels):,} cells are labelled by {self.column!r} "
            f"({self.n_labels} labels); seeds {', '.join(map(str, seeds))}; K = {self.model.n_codes}."
        )

    def _request(self) -> Row:
        choices = asdict(self.choices)
        del choices["seed"]
        return {
            "sections": section_sha256(self.adata),
            "labels": self.column,
            "model": asdict(self.model),
            "training": choices,
            "versions": versions(),
        }


def _near_means(
    values: NDArray[np.float32], points: NDArray[np.float64], section: Codes, n_neighbours: int
) -> NDArray[np.float32]:
    """Average values (n, c) over each cell and the nearest of its section."""
    means = np.empty_like(values)
    for code in np.unique(section):
        cells = np.flatnonzero(section == code)
        k = min(n_neighbours + 1, len(cells))
        nearest = cKDTree(points[cells]).query(points[cells], np.arange(1, k + 1))[1]
        step = csr_matrix((np.full(nearest.size, 1 / k), nearest.ravel(), np.arange(0, nearest.size + 1, k)))
        means[cells] = step @ values[cells]
    return means


def _kmeans(values: NDArray[np.float32], n_groups: int, seed: int) -> Codes:
    groups: Codes = KMeans(n_groups, n_init=N_STARTS, random_state=seed).fit_predict(values).astype(np.int64)
    return groups


def _ari(one: Codes, other: Codes) -> float:
    """Compare two partitions of the cells that have a group in both."""
    known = (one >= 0) & (other >= 0)
    return agreement(one[known], other[known]).ari


def _summarise(
    rows: Sequence[Row], over_seeds: Mapping[tuple[str, str], float], fewer: Mapping[tuple[str, str], float]
) -> pd.DataFrame:
    """Put the seeds together: a row per method and number of groups, means and s.d. over seeds."""
    groups = pd.DataFrame(rows).groupby(["groups", "method"], sort=False)
    table = groups[["n", "n_groups"]].first().assign(seeds=groups["seed"].nunique())
    for score in SCORES:
        table[score] = groups[score].mean()
        table[f"{score}_sd"] = groups[score].std(ddof=1)
    table = table.reset_index()
    pairs = list(zip(table["method"], table["groups"], strict=True))
    table["ari_over_seeds"] = [over_seeds.get(pair, np.nan) for pair in pairs]
    table["ari_fewer_cells"] = [fewer.get(pair, np.nan) for pair in pairs]
    return table.sort_values("groups", key=lambda column: column == COARSE, kind="stable", ignore_index=True)


def _to_markdown(table: pd.DataFrame, said: str) -> str:
    """Write the table for a reader; the best of each score is bold."""
    lines = [said]
    for size, part in table.groupby("groups", sort=False):
        lines += [
            "",
            f"| {size} | NMI | ARI | homogeneity | coherence | ARI over seeds | ARI, a fifth left out |",
            "|---|---|---|---|---|---|---|",
        ]
        best = {score: part[score].max() for score in ("nmi", "ari")}
        for row in part.to_dict("records"):
            cells = []
            for score in (*SCORES, "ari_over_seeds", "ari_fewer_cells"):
                text = f"{row[score]:.3f}" if np.isfinite(row[score]) else "-"
                if np.isfinite(row.get(f"{score}_sd", np.nan)):
                    text += f" ± {row[f'{score}_sd']:.3f}"
                cells.append(f"**{text}**" if score in best and row[score] == best[score] else text)
            lines.append(f"| {row['method']} | {' | '.join(cells)} |")
    lines += [
        "",
        "± is the s.d. over seeds. Coherence: how much more often neighbours share a group than by chance. "
        "ARI over seeds: mean over pairs. A fifth left out: the groups of a model, or of k-means, that never "
        "saw these cells, beside those of the first seed, on the other cells.",
        "",
    ]
    return "\n".join(lines)
