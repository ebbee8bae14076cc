"""Benchmarks in stages: each stage's result is a file, and what is there is not done again."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys, pp, tl
from squint.baselines import catalogue
from squint.baselines.catalogue import Hidden
from squint.benchmarks.score_table import MODEL, summarise, to_markdown
from squint.benchmarks.stages import Row, claim, do
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.files import write_text
from squint.model.bundle import Bundle, versions
from squint.model.card import TRAINED_WITHOUT
from squint.model.cohort import section_names
from squint.model.section_hash import section_sha256
from squint.spreadsheet import csv_text
from squint.stats.metrics import Judge, Scores
from squint.training.run import train

EXPECTED, DRAW = "squint_expected", "squint_draw"
TABLE, TEXT = "table.csv", "table.md"

Mask = NDArray[np.bool_]


class Inpainting:
    """Train without the hidden cells, predict them, and score the model beside every baseline.

    The strict protocol: all hidden cells are hidden at once; of them only positions are known, to the model
    and to the baselines. What is predicted are the mean raw counts of a hidden cell's closed neighbourhood in
    the symmetric graph of 8 nearest neighbours. Sections are scored one by one.

    Parameters
    ----------
    sections
        Raw counts, as `squint.read` gives them; one or several sections each.
    hidden
        Per element of ``sections``, the cells (n,) to predict.
    folder
        Where results are kept, made if missing.
    model, choices
        Of the model and its training; its seed is that of each run.
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
        hidden: Sequence[Mask],
        folder: Path,
        model: ModelConfig,
        choices: TrainConfig,
        device: str = "auto",
    ) -> None:
        if not any(mask.any() for mask in hidden):
            raise InputError("The regions hide no cell, so there is nothing to score. Name areas or cells.")
        if choices.cells_held_out:
            raise InputError("The regions say which cells are hidden: cells_held_out must be 0.")
        self.sections, self.hidden, self.folder = list(sections), list(hidden), folder
        self.facts = [
            facts
            for adata, mask in zip(sections, hidden, strict=True)
            for facts in _facts(adata, np.asarray(mask))
        ]
        for facts in self.facts:
            if facts["n_hidden"] == facts["n_cells"]:
                raise InputError(f"All cells of section {facts['section']!r} are hidden: leave some to see.")
        self.model, self.choices, self.device = model, choices, device
        self.genes = pp.shared_genes(self.sections, n_genes=model.n_genes, hidden=self.hidden)
        self.table = pd.DataFrame()
        self.text = ""

    def run(self, seeds: Sequence[int]) -> Iterator[str]:
        """Do what is not done yet, and write the table.

        Parameters
        ----------
        seeds
            Of trainings, and of baselines with chance.

        Yields
        ------
        What was done. After the last, `table` and `text` hold what ``table.csv`` and ``table.md`` do.
        """
        claim(self.folder, self._request(), "benchmark")
        seeds = list(dict.fromkeys(seeds))
        rows: list[Row] = []
        for name, stage in self._stages(seeds):
            path = self.folder / f"{name}.json"
            yield from do(path, stage)
            rows += json.loads(path.read_text())
        self.table = summarise(rows)
        of_genes = [{**facts, "n_genes": len(self.genes)} for facts in self.facts]
        self.text = to_markdown(self.table, of_genes, seeds)
        write_text(self.folder / TABLE, csv_text(self.table))
        write_text(self.folder / TEXT, self.text)

    @cached_property
    def parts(self) -> list[tuple[Hidden, Judge]]:
        """Give each section with hidden cells, and the judge who knows their truth."""
        pairs = zip(self.sections, self.hidden, strict=True)
        found = chain.from_iterable(catalogue.hidden_in(adata, self.genes, mask) for adata, mask in pairs)
        return [(part, catalogue.judge_of(part)) for part in found]

    def _stages(self, seeds: Sequence[int]) -> Iterator[tuple[str, Iterator[Row | str]]]:
        for seed in seeds:
            yield f"model_seed{seed}", self._of_model(seed)
            yield f"draws_seed{seed}", self._of_draws(seed)
        yield "averages", self._of_averages()

    def _of_averages(self) -> Iterator[Row | str]:
        for part, judge in self.parts:
            for method, values in catalogue.averages(part):
                yield _row(part.name, method, judge.score(values[part.told]), n=len(judge.truth))
                yield f"{part.name}, {method}"
            halves = catalogue.truth_halves(judge.truth)
            mean = Scores(*np.mean(halves, axis=0).tolist())
            yield _row(part.name, catalogue.TRUTH_HALVES, mean, n=len(judge.truth) // 2)

    def _of_draws(self, seed: int) -> Iterator[Row | str]:
        for part, judge in self.parts:
            for method, values in chain(catalogue.draws(part, seed), [catalogue.of_position(part, seed)]):
                scores = judge.score(values[part.told])
                yield _row(part.name, method, scores, n=len(judge.truth), seed=seed)
                yield f"{part.name}, {method}"

    def _of_model(self, seed: int) -> Iterator[Row | str]:
        start = time.perf_counter()
        bundle = None
        for epoch in train(
            self.sections,
            model=self.model,
            train=replace(self.choices, seed=seed),
            hidden=self.hidden,
            device=self.device,
        ):
            bundle = epoch.bundle
            yield f"epoch {epoch.number}/{epoch.n_epochs}, {epoch.seconds:.1f} s"
        if bundle is None:
            raise InputError("No epoch was run.")
        seconds = time.perf_counter() - start
        bundle.simulated = all(adata.uns[keys.PROVENANCE].get("simulated", False) for adata in self.sections)
        bundle.save(self.folder / f"bundle_seed{seed}")
        for method, n_draws in ((EXPECTED, 0), (DRAW, 1)):
            for adata, mask in zip(self.sections, self.hidden, strict=True):
                if mask.any():
                    start = time.perf_counter()
                    imputed = self._impute(adata, mask, bundle, n_draws, seed)
                    facts = {"train_s": seconds, "inpaint_s": time.perf_counter() - start}
                    for name, values in imputed.items():
                        ((part, judge),) = (pair for pair in self.parts if pair[0].name == name)
                        scores = judge.score(values[part.told])
                        yield _row(name, method, scores, MODEL, n=len(judge.truth), seed=seed) | facts
            yield method

    def _impute(
        self, adata: AnnData, mask: Mask, bundle: Bundle, n_draws: int, seed: int
    ) -> dict[str, NDArray[np.float32]]:
        """Predict the hidden cells of each section of a file: (m, g), genes as the truth has them."""
        given = adata.copy()
        pp.spatial_neighbors(given, n_neighbors=catalogue.N_NEIGHBORS)
        tl.inpaint(given, bundle, hidden=mask, n_draws=n_draws, seed=seed)
        protocol = given.uns[keys.PROVENANCE]["inpainting"]["protocol"]
        known = [name for name, said in protocol.items() if said != TRAINED_WITHOUT]
        if known:
            raise InputError(f"Section {known[0]!r} was seen in training: {protocol[known[0]]}. No score.")
        table: Any = given.obsm[keys.IMPUTED]
        section = given.obs[keys.SECTION].astype(str).to_numpy()
        return {
            name: table.loc[mask & (section == name), self.genes].to_numpy(dtype=np.float32)
            for name in section_names(adata)
            if (mask & (section == name)).any()
        }

    def _request(self) -> Row:
        """Name everything that decides the results, but for the seeds."""
        names = [
            name
            for adata, mask in zip(self.sections, self.hidden, strict=True)
            for name in sorted(adata.obs_names[mask])
        ]
        choices = asdict(self.choices)
        del choices["seed"]
        return {
            "sections": [section_sha256(adata) for adata in self.sections],
            "hidden cells": sha256("\n".join(names).encode()).hexdigest(),
            "model": asdict(self.model),
            "training": choices,
            "versions": versions(),
            "device": self.device,
        }


def _facts(adata: AnnData, mask: Mask) -> Iterator[Row]:
    """Say of each section with hidden cells what is hidden."""
    section = adata.obs[keys.SECTION].astype(str).to_numpy()
    for name in section_names(adata):
        inside = section == name
        n_hidden = int((mask & inside).sum())
        if n_hidden:
            n_cells = int(inside.sum())
            yield {"section": name, "n_hidden": n_hidden, "n_cells": n_cells, "n_measured": adata.n_vars}


def _row(
    section: str, method: str, scores: Scores, kind: str = "baseline", *, n: int, seed: int | None = None
) -> Row:
    return {"section": section, "method": method, "kind": kind, "n": n, "seed": seed, **scores._asdict()}
