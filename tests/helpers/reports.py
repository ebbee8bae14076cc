"""A library of sections with their originals, and the report requests that tests replay."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

import squint
from app.cell_sets.store import CellSets, Draft
from app.requests import MakeReport, Tokenise
from app.tasks import models, report, tokens
from squint.io.content import Answers
from squint.library import adding, ingest, labelings
from squint.library.store import Library, Section
from squint.pp import QualityFilter
from squint.report.names import ZIP
from squint.report.recipe import Activation, Comparison, GeneSet

ALL = ("types", "tokens", "activation", "comparison", "cells")


@dataclass(frozen=True)
class Cohort:
    """Sections in a library, what they were read of, and the model that gave their tokens."""

    library: Library
    originals: Path
    model: Path
    sha256: str  # of the model
    sections: Mapping[str, Section]  # by name

    def ids(self, *names: str) -> tuple[str, ...]:
        """Give the ids of some sections."""
        return tuple(self.sections[name].id for name in names)

    def make(self, asked: MakeReport) -> Path:
        """Make a report as the worker does; return its folder."""
        models.use(self.model)  # tests between may have told the worker of another
        return Path(report.make(self.library, asked, silent)["folder"])


def silent(_: float, __: str) -> None:
    """Say nothing."""


def cohort_of(home: Path, originals: Path, sections: Mapping[str, AnnData], model: Path) -> Cohort:
    """Keep sections in a new library, each of a file of its own, and give them tokens."""
    library = Library(home)
    originals.mkdir()
    kept = {}
    for name, adata in sections.items():
        path = originals / f"{name}.h5ad"
        adata.write_h5ad(path)
        quality = QualityFilter(min_counts=5.0) if name.endswith("2") else QualityFilter()
        answers = Answers(unit="um")
        settled = adding.read(path, answers)
        patient = str(adata.obs["patient_id"].iloc[0])
        labels = ingest.Labels({patient: patient.replace("TOY", "P")}, {name: name}, "kidney", "toy")
        (one,) = adding.keep(library, path, settled, labels, answers, quality, silent)
        kept[name] = one.section
    models.use(model)
    bundle = models.hold(model)
    ids = tuple(one.id for one in kept.values())
    tokens.tokenise(library, Tokenise(ids, bundle.sha256), silent)
    return Cohort(library, originals, model, bundle.sha256, kept)


def name_cells(cohort: Cohort, name: str) -> None:
    """Give the cells of a section names in place of those of its file."""
    section = cohort.sections[name]
    kinds = np.array(["left", "right", None], dtype=object)[np.arange(section.n_cells) % 3]
    sure = np.full(section.n_cells, np.nan, dtype=np.float32)
    made = labelings.Made("by place", "own", "every third cell is nameless", pd.Categorical(kinds), sure)
    labelings.add(cohort.library, section.id, made)


def draw_set(cohort: Cohort, name: str, *sections: str) -> str:
    """Make a cell set of every other cell of some sections, with an outline in the first; return its id."""
    outline = ((np.array([[-5.0, -5.0], [120.0, -5.0], [120.0, 90.0]]),),)
    members = {cohort.sections[one].id: np.arange(0, cohort.sections[one].n_cells, 2) for one in sections}
    sets = CellSets(cohort.library)
    return sets.make_all(
        [Draft(name, members, {cohort.sections[sections[0]].id: outline}, "every other cell")]
    )[0].id


def requests(cohort: Cohort, first: str, second: str, set_id: str) -> dict[str, MakeReport]:
    """Give reports of many kinds, by what is special of each; ``first`` and ``second`` are two patients'."""
    a, b = (cohort.sections[name].patient for name in (first, second))
    plain = MakeReport(
        ids=cohort.ids(first, second),
        model=cohort.sha256,
        title="A report",
        parts=ALL,
        activation=Activation(a, b),
        comparison=Comparison(),
        gene_sets=(GeneSet("marked", ("LDHA", "VEGFA", "NOT-MEASURED")),),
        cell_sets=(),
    )
    types = Comparison(by="cell_type", group=("tumour",), reference=(), test="t-test")
    return {
        "scores": plain,
        "most frequent": replace(plain, activation=Activation(a, None, 2, 0.3, 0.6, 11)),
        "one section": replace(plain, ids=cohort.ids(first)),
        "reference elsewhere": replace(plain, ids=cohort.ids(second)),
        "types": replace(plain, activation=None, comparison=types),
        "tokens against all": replace(
            plain, activation=None, comparison=Comparison("token", ("0", "1"), (), ("tumour",))
        ),
        "patients": replace(plain, comparison=Comparison("patient", (a,), (b,))),
        "regions": replace(plain, comparison=Comparison("region", ("tumour",), ("stroma",))),
        "cell set": replace(plain, comparison=Comparison("cell_set", ("drawn",), ()), cell_sets=(set_id,)),
        "no model": replace(plain, model=None, activation=None, comparison=types, parts=("types", "cells")),
        "no comparison": replace(plain, comparison=None, gene_sets=(), parts=("tokens",)),
    }


def zip_of(folder: Path) -> Path:
    """Give the ZIP of a report."""
    return folder / ZIP


def facts_of(recipe: bytes) -> dict[str, Any]:
    """Read a recipe as plain JSON."""
    facts: dict[str, Any] = json.loads(recipe)
    return facts


def read_sections(samples: Path) -> dict[str, AnnData]:
    """Read the simulated sections that are no levels of a stack, by name."""
    found = {}
    for path in sorted(samples.glob("SIM-*.h5ad")):
        adata = squint.read(path)
        plain = AnnData(adata.X, obs=adata.obs[["section_id", "patient_id", "cell_type", "region"]].copy())
        plain.var_names = list(adata.var_names)
        plain.obsm["spatial"] = adata.obsm["spatial"]
        found[path.stem] = plain
    return found


def small_model(folder: Path, section: AnnData) -> Path:
    """Train a model small enough for a test."""
    config = squint.ModelConfig(n_hidden=16, n_latent=8, n_codes=6, n_mlp_layers=1)
    how = squint.TrainConfig(n_epochs=2, context_steps=0)
    *_, last = squint.train(section, model=config, train=how, device="cpu")
    last.bundle.save(folder)
    return folder
