"""Sections of a library as tests need them: made of a small upload, or said to be other than they are."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from anndata import AnnData
from scipy import sparse

import squint.io
from squint.library import ingest, keeping
from squint.library.records import Model, SectionRow, TokenRun
from squint.library.store import Library, Section
from squint.model.card import weights_sha256

LABELS = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {}, organ="kidney")


def small_section() -> AnnData:
    """Give a small valid section as other tools write it: 30 cells 10 um apart, 2 sections, 6 genes."""
    rng = np.random.default_rng(0)
    n_cells = 30
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(5)), axis=-1).reshape(-1, 2)
    adata = AnnData(
        X=sparse.csr_matrix(rng.poisson(2.0, (n_cells, 6)).astype(np.float32)),
        obs=pd.DataFrame(
            {"section": ["left"] * 15 + ["right"] * 15, "patient": ["P1"] * 15 + ["P2"] * 15},
            index=[f"cell{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(6)]),
    )
    adata.obsm["spatial"] = grid * [20.0, 10.0]
    return adata


def add_sections(library: Library, adata: AnnData, folder: Path) -> list[Section]:
    """Put the sections of an upload into a library, without an original."""
    return [ingest.add(library, part, LABELS)[0] for part in parts_of(adata, folder)]


def parts_of(adata: AnnData, folder: Path) -> list[AnnData]:
    """Give the sections of an upload, each alone."""
    path = folder / "made.h5ad"
    adata.write_h5ad(path)
    read = squint.io.read(path, answers=squint.io.Answers(unit="um"))
    path.unlink()
    return list(ingest.clean(read, LABELS))


def restate(library: Library, section_id: str, **facts: Any) -> None:
    """Let the library say other facts of a section."""
    with library.database.writing() as session:
        row = session.get_one(SectionRow, section_id)
        for name, value in facts.items():
            setattr(row, name, value)


def model_of(library: Library) -> str:
    """Give the hash of the model that gave the tokens."""
    with library.database.reading() as session:
        return session.scalars(sa.select(TokenRun.model)).first() or ""


def note_tokens(library: Library, section_id: str, **facts: Any) -> None:
    """Let the library say other facts of the tokens of a section."""
    with library.database.writing() as session:
        run = session.scalars(sa.select(TokenRun).where(TokenRun.section_id == section_id)).one()
        run.facts = json.dumps({**json.loads(run.facts), **facts})


def forget_tokens(library: Library, section_id: str) -> None:
    """Let a section have no tokens."""
    with library.database.writing() as session:
        session.execute(sa.delete(TokenRun).where(TokenRun.section_id == section_id))


def add_model(library: Library, folder: Path, name: str) -> Path:
    """Put a model into a library under a name, as one of no section of it."""
    staged = library.workspace() / name
    shutil.copytree(folder, staged)
    sha256 = weights_sha256(folder)
    row = Model(folder=name, sha256=sha256, genes_sha256="", name=name, added=keeping.now())
    return keeping.keep_model(library, staged, row, [])
