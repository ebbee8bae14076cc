"""The paper's experiments of task A and appendix C: one choice changed at a time, each run a file.

All are made with the paper's own in-painting (`squint.benchmarks.masked`): hidden cells enter under the mask
token, their codes are decoded, and closed neighbourhoods are averaged. `squint.model.context` takes no part.
"""

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from squint import keys, pp
from squint.baselines import catalogue
from squint.baselines.nearest import graph_mean
from squint.benchmarks import ablation_report, masked
from squint.benchmarks.ablation_report import SITES, draw, summarise, to_markdown, write_figure
from squint.benchmarks.stages import Row, claim, do
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.files import write_text
from squint.geometry.regions import Fraction, Region, hidden_cells
from squint.model.bundle import Bundle, versions
from squint.model.cohort import prepare, section_names
from squint.model.section_hash import section_sha256
from squint.spreadsheet import csv_text
from squint.stats.metrics import Judge, Scores, mmd, shares
from squint.training.run import train

ALL, ONE, RANDOM = SITES
MODEL = ModelConfig(n_codes=512)
TRAIN = TrainConfig(n_epochs=20, batch_size=256, context_steps=0)
SWEEPS = 4  # that look for the ends of a graph
TABLE, TEXT, FIGURE = "ablations.csv", "ablations.md", "ablations"

Mask = NDArray[np.bool_]


class Trial(NamedTuple):
    """A setting that differs from the base, and what it hides."""

    name: str  # of its files
    model: Mapping[str, Any] = {}
    train: Mapping[str, Any] = {}
    site: str = ALL


class Factor(NamedTuple):
    """What is changed, one level at a time."""

    title: str
    levels: Mapping[str, Trial]


BASE = Trial(ablation_report.BASE)
# What the decoder knows of a whole section, one factor a gene, stays: it is no condition of a cell.
WITHOUT_C = {"n_distance_features": 0, "n_section_features": 0}
FACTORS = {
    "sites": Factor(
        "condition C and hidden cells",
        {
            "C, all regions": BASE,
            "no C, all regions": Trial("no_c", WITHOUT_C),
            "C, one region": Trial("one", site=ONE),
            "no C, one region": Trial("no_c_one", WITHOUT_C, site=ONE),
            "C, random cells": Trial("random", site=RANDOM),
            "no C, random cells": Trial("no_c_random", WITHOUT_C, site=RANDOM),
        },
    ),
    "backbone": Factor(
        "backbone",
        {"SAGE": BASE, "GIN": Trial("gin", {"backbone": "gin"}), "GAT": Trial("gat", {"backbone": "gat"})},
    ),
    "mlp": Factor(
        "MLP layers",
        {"0": Trial("mlp0", {"n_mlp_layers": 0}), "1": Trial("mlp1", {"n_mlp_layers": 1}), "2": BASE},
    ),
    "gnn": Factor(
        "GNN layers", {"1": BASE, **{str(n): Trial(f"gnn{n}", {"n_hops": n}) for n in range(2, 5)}}
    ),
    "mask": Factor(
        "mask",
        {
            "learned": BASE,
            "learned, not kept small": Trial("mask_free", train={"mask_weight": 0.0}),
            "zero": Trial("mask_zero", {"learned_mask": False}),
        },
    ),
    "codes": Factor(
        "codes",
        {"50": Trial("codes50", {"n_codes": 50}), "512": BASE, "5000": Trial("codes5000", {"n_codes": 5000})},
    ),
    "heads": Factor(
        "heads",
        {
            "1": BASE,
            "5": Trial("heads5", {"n_heads": 5}),
            "10": Trial("heads10", {"n_heads": 10}),
        },
    ),
}


class Ablations:
    """Train and score each setting without the hidden cells, which are hidden all at once.

    Parameters
    ----------
    sections
        Raw counts, as `squint.read` gives them; one or several sections each.
    regions
        Per element of ``sections``, those that lie in it. All of them are hidden, or only the first, or as
        many random cells of the same sections.
    folder
        Where results are kept, made if missing.
    model, choices
        The base setting; its seed is that of each run.
    device
        As for `squint.train`.

    Raises
    ------
    InputError
        If no cell is hidden, or the folder holds results of something else.
    """

    def __init__(
        self,
        sections: Sequence[AnnData],
        regions: Sequence[Sequence[Region]],
        folder: Path,
        model: ModelConfig = MODEL,
        choices: TrainConfig = TRAIN,
        device: str = "auto",
    ) -> None:
        self.sections, self.folder, self.device = list(sections), folder, device
        self.model, self.choices = model, choices
        self.hidden = _sites(self.sections, regions)
        self._judges: dict[str, dict[str, Judge]] = {}
        self.text = ""

    def run(self, seeds: Sequence[int], only: Iterable[str] = ()) -> Iterator[str]:
        """Do what is not done yet, all of one seed before the next, and keep the tables up to date.

        Parameters
        ----------
        seeds
            Of trainings.
        only
            Names of `FACTORS`; all if none is named.

        Yields
        ------
        What was done.
        """
        factors = _chosen(only)
        claim(self.folder, self._request(), "set of experiments")
        trials = {trial.name: trial for factor in factors.values() for trial in factor.levels.values()}
        for site in dict.fromkeys(trial.site for trial in trials.values()):
            yield from do(self._floor_path(site), self._of_floor(site))
        for seed in dict.fromkeys(seeds):
            for trial in trials.values():
                path = self._path(trial, seed)
                before = path.exists()
                yield from do(path, self._of_trial(trial, seed))
                if not before:
                    self.write_tables(seeds, factors)
        self.write_tables(seeds, factors)
        yield f"figure: {', '.join(write_figure(draw(self.table), self.folder / FIGURE))}"

    def write_tables(self, seeds: Sequence[int], only: Iterable[str] = ()) -> None:
        """Write ``ablations.csv`` and ``ablations.md`` from the runs that are finished."""
        factors = _chosen(only)
        rows: list[Row] = []
        for name, factor in factors.items():
            for label, trial in factor.levels.items():
                for path in (self._path(trial, seed) for seed in dict.fromkeys(seeds)):
                    found = json.loads(path.read_text()) if path.exists() else []
                    rows += [{"factor": name, "title": factor.title, "level": label} | row for row in found]
        paths = {site: self._floor_path(site) for site in SITES}
        of_floor = {site: json.loads(path.read_text()) for site, path in paths.items() if path.exists()}
        self.table = summarise(rows, of_floor)
        setting = {"model": asdict(self.model), "training": asdict(self.choices)}
        self.text = to_markdown(self.table, self.facts, setting)
        write_text(self.folder / TABLE, csv_text(self.table))
        write_text(self.folder / TEXT, self.text)

    @cached_property
    def facts(self) -> list[Row]:
        """Say of each section with hidden cells what is hidden, and how far its graph reaches."""
        found = []
        for adata, mask in zip(self.sections, self.hidden[ALL], strict=True):
            codes = pp.section_codes(adata)
            for code, name in enumerate(section_names(adata)):
                cells = np.flatnonzero(codes == code)
                if mask[cells].any():
                    position = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[cells]
                    graph = pp.knn_graph(position, self.model.n_neighbors)
                    found.append(
                        {
                            "section": name,
                            "n_cells": len(cells),
                            "n_hidden": int(mask[cells].sum()),
                            "mean_degree": graph.nnz / max(len(cells), 1),
                            "diameter": diameter(graph),
                        }
                    )
        return found

    def _of_floor(self, site: str) -> Iterator[Row | str]:
        """Score the means of nearest observed cells, in every K."""
        genes = self._genes(site)
        for adata, mask in zip(self.sections, self.hidden[site], strict=True):
            for part in catalogue.hidden_in(adata, genes, mask):
                judge = self._judge(site)[part.name]
                for method, values in catalogue.averages(part):
                    if method.startswith("knn"):
                        row = _row(part.name, site, judge.score(values[part.told]), n=len(judge.truth))
                        yield row | {"method": method}
                        yield f"{part.name}, {method}"

    def _of_trial(self, trial: Trial, seed: int) -> Iterator[Row | str]:
        """Train one setting and score what it says of the hidden cells."""
        hidden = self.hidden[trial.site]
        config = replace(self.model, **trial.model)
        choices = replace(self.choices, **trial.train, seed=seed)
        start = time.perf_counter()
        bundle = None
        with warnings.catch_warnings():
            # Without C, layers that look at it have no weight to start.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors", UserWarning)
            for epoch in train(self.sections, model=config, train=choices, hidden=hidden, device=self.device):
                bundle = epoch.bundle
                yield f"epoch {epoch.number}/{epoch.n_epochs}, {epoch.seconds:.1f} s"
        if bundle is None:
            raise InputError("No epoch was run.")
        facts = {
            "trial": trial.name,
            "seed": seed,
            "train_s": time.perf_counter() - start,
            "codes_used": bundle.metrics["codes_used"],
            "perplexity": bundle.metrics["perplexity"],
        }
        for adata, mask in zip(self.sections, hidden, strict=True):
            if mask.any():
                start = time.perf_counter()
                parts = list(_in_paint(adata, mask, bundle))
                facts["inpaint_s"] = time.perf_counter() - start
                for name, predicted, empty in parts:
                    judge = self._judge(trial.site)[name]
                    scores = judge.score(predicted)
                    penalised = _penalised(judge, predicted, empty, scores)
                    yield _row(name, trial.site, scores, n=len(predicted)) | facts | penalised

    def _genes(self, site: str) -> list[str]:
        return pp.shared_genes(self.sections, n_genes=self.model.n_genes, hidden=self.hidden[site])

    def _judge(self, site: str) -> dict[str, Judge]:
        """Give the judge of each section with hidden cells."""
        if site not in self._judges:
            genes, masks = self._genes(site), self.hidden[site]
            self._judges[site] = {
                part.name: catalogue.judge_of(part)
                for adata, mask in zip(self.sections, masks, strict=True)
                for part in catalogue.hidden_in(adata, genes, mask)
            }
        return self._judges[site]

    def _path(self, trial: Trial, seed: int) -> Path:
        return self.folder / f"{trial.name}_seed{seed}.json"

    def _floor_path(self, site: str) -> Path:
        return self.folder / f"knn_{site}.json"

    def _request(self) -> Row:
        """Name everything that decides the results, but for the seeds."""
        choices = asdict(self.choices)
        del choices["seed"]
        return {
            "sections": [section_sha256(adata) for adata in self.sections],
            "hidden cells": {site: _digest(self.sections, masks) for site, masks in self.hidden.items()},
            "model": asdict(self.model),
            "training": choices,
            "versions": versions(),
            "device": self.device,
        }


def diameter(graph: csr_matrix) -> int:
    """Estimate the longest of the shortest paths in the largest component of a graph (n, n), in hops.

    A few sweeps, each from the cell that the last one found to be farthest. The truth is at least this.
    """
    if graph.shape[0] == 0:
        return 0
    _, component = connected_components(graph, directed=False)
    end = int(np.argmax(component == np.bincount(component).argmax()))
    longest = 0
    for _ in range(SWEEPS):
        hops = dijkstra(graph, directed=False, indices=end, unweighted=True)
        hops[~np.isfinite(hops)] = -1
        end, longest = int(hops.argmax()), max(longest, int(hops.max()))
    return longest


def _chosen(only: Iterable[str]) -> dict[str, Factor]:
    named = list(only)
    unknown = [name for name in named if name not in FACTORS]
    if unknown:
        raise InputError(f"No experiment is named {unknown[0]!r}. There are: {', '.join(FACTORS)}.")
    return {name: factor for name, factor in FACTORS.items() if not named or name in named}


def _sites(sections: Sequence[AnnData], regions: Sequence[Sequence[Region]]) -> dict[str, list[Mask]]:
    """Mark the cells (n,) of each file that each site hides."""
    of_all = [hidden_cells(adata, inside) for adata, inside in zip(sections, regions, strict=True)]
    if not any(mask.any() for mask in of_all):
        raise InputError("The regions hide no cell, so there is nothing to score. Name areas or cells.")
    first = next(i for i, mask in enumerate(of_all) if mask.any())
    of_one = [np.zeros(adata.n_obs, dtype=bool) for adata in sections]
    for region in regions[first]:
        of_one[first] = hidden_cells(sections[first], [region])
        if of_one[first].any():
            break
    of_random = [_as_many(adata, mask) for adata, mask in zip(sections, of_all, strict=True)]
    return {ALL: of_all, ONE: of_one, RANDOM: of_random}


def _as_many(adata: AnnData, mask: Mask) -> Mask:
    """Draw as many cells (n,) of each section as are marked there, whatever the order of cells."""
    codes = pp.section_codes(adata)
    drawn = np.zeros(adata.n_obs, dtype=bool)
    for code, name in enumerate(section_names(adata)):
        cells = np.flatnonzero(codes == code)
        n_hidden = int(mask[cells].sum())
        if n_hidden:
            chance = np.random.default_rng([0, *name.encode()])
            share = Fraction(name, n_hidden / len(cells))
            position = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[cells]
            drawn[cells[share.mask(adata.obs_names[cells], position, chance)]] = True
    return drawn


def _in_paint(adata: AnnData, mask: Mask, bundle: Bundle) -> Iterator[tuple[str, NDArray[np.float32], Mask]]:
    """Predict the hidden cells of one file by their codes.

    Yields
    ------
    A section's name, the mean counts of its hidden cells' closed neighbourhoods (m, g), and whether all
    counts predicted of the cell itself round to zero (m,); of the m hidden cells that have counts.
    """
    told = np.asarray(csr_matrix(adata[mask, bundle.genes].X).sum(axis=1) > 0).ravel()
    given = adata.copy()
    pp.spatial_neighbors(given, n_neighbors=catalogue.N_NEIGHBORS)
    cohort = prepare(
        given,
        bundle.genes,
        bundle.model_config,
        scale=bundle.scale,
        categories=bundle.categories,
        hidden=mask,
    )
    number = {record.name: i for i, record in enumerate(bundle.sections, start=1)}
    conditions = np.array([number[name] for name in cohort.section_names])
    profiles = masked.cell_profiles(bundle, cohort, conditions)
    means = graph_mean(cohort.counts, cohort.graph, mask, profiles)
    empty = np.rint(profiles).sum(axis=1) == 0
    section = cohort.section[mask]
    for code in np.unique(section):
        here = (section == code) & told
        yield cohort.section_names[code], means[here], empty[here]


def _penalised(judge: Judge, predicted: NDArray[np.float32], empty: Mask, scores: Scores) -> Row:
    """Score MMD as appendix C.3 does: of cells that express anything, plus a penalty for the share of others.

    The penalty is the MMD between the truth and the profile in which all genes are alike.
    """
    share = float(empty.mean())
    if share == 0:
        return {"zero_share": share, "mmd_penalised": scores.mmd}
    flat = np.full((1, judge.truth.shape[1]), 1 / judge.truth.shape[1])
    expressed = 0.0 if empty.all() else Judge(judge.truth[~empty]).score(predicted[~empty]).mmd
    return {"zero_share": share, "mmd_penalised": expressed + share * mmd(shares(judge.truth), flat)}


def _digest(sections: Sequence[AnnData], masks: Sequence[Mask]) -> str:
    names = [
        name
        for adata, mask in zip(sections, masks, strict=True)
        for name in ["", *sorted(adata.obs_names[mask])]
    ]
    return sha256("\n".join(names).encode()).hexdigest()


def _row(section: str, site: str, scores: Scores, *, n: int) -> Row:
    return {"section": section, "site": site, "n": n, **scores._asdict()}
