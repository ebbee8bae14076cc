"""What the worker computes is what the library of functions gives on the same cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import squint.io
from app.requests import Activate
from app.tasks import scoring
from app.tasks import tokens as token_tasks
from squint import keys, pp
from squint.library import ingest
from squint.library.results import find, scores_path
from squint.library.store import DATA, Library
from squint.library.tables import read_table, write_table
from squint.library.token_runs import new_run

MODEL = "ab" * 32


def keep(library: Library, adata: AnnData) -> list[str]:
    """Put sections with made-up tokens into the library; return their ids."""
    labels = ingest.Labels({"P1": "P1", "P2": "P2"}, {})
    ids = [ingest.add(library, part, labels)[0].id for part in ingest.clean(adata, labels)]
    for section_id in ids:
        n_cells = library.get(section_id).n_cells
        tokens = pd.DataFrame({keys.TOKEN: np.arange(n_cells) % 3, keys.DISTANCE: np.zeros(n_cells)})
        put_tokens(library, section_id, tokens)
    return ids


def put_tokens(library: Library, section_id: str, tokens: pd.DataFrame) -> None:
    """Keep tokens as those of a section."""
    staged, path = library.workspace(), library.tokens_path(section_id, MODEL)
    write_table(tokens, staged / path.name)
    run = new_run(section_id, library.get(section_id).sha256, MODEL, "", {"n_codes": 3})
    library.put(staged, path.parent, section_id, run)


def silent(fraction: float, words: str) -> None:
    """Tell nobody how far a task is."""


def scores(library: Library, section_id: str, asked: Activate) -> np.ndarray:
    return read_table(scores_path(library, asked.result, section_id))[keys.ACTIVATION].to_numpy()


@pytest.mark.parametrize("deep", [False, True])
def test_scores_use_all_coordinates(library: Library, section: AnnData, deep: bool) -> None:  # noqa: FBT001
    if deep:
        heights = 200.0 * (np.arange(30) % 4)
        section.obsm[keys.SPATIAL] = np.column_stack([section.obsm[keys.SPATIAL], heights])
    section.write_h5ad(library.home / "upload.h5ad")
    ids = keep(library, squint.io.read(library.home / "upload.h5ad"))
    asked = Activate(tuple(ids), tuple(ids), MODEL, "P1", None, 1)
    scoring.activate(library, asked, silent)
    for section_id in ids:
        alone = squint.io.read(library.folder(section_id) / DATA)
        (code,) = find(library, asked).facts["codes"]
        pp.spatial_neighbors(alone)
        neighbours = alone.obsp[keys.CONNECTIVITIES] + np.eye(alone.n_obs)
        carries = (np.arange(alone.n_obs) % 3).astype(str) == code
        expected = np.asarray(neighbours @ carries).ravel() / np.asarray(neighbours.sum(axis=1)).ravel()
        np.testing.assert_allclose(scores(library, section_id, asked), expected, rtol=1e-6)


def test_sections_that_are_scored_need_not_choose_the_codes(library: Library, section: AnnData) -> None:
    section.obs["patient"] = "P1"
    section.write_h5ad(library.home / "upload.h5ad")
    ids = keep(library, squint.io.read(library.home / "upload.h5ad"))
    n_cells = library.get(ids[1]).n_cells
    only_two = pd.DataFrame({keys.TOKEN: np.full(n_cells, 2), keys.DISTANCE: np.zeros(n_cells)})
    put_tokens(library, ids[1], only_two)
    for ranked, codes in (((ids[0],), ["0"]), (tuple(ids), ["2"])):
        asked = Activate(tuple(ids), ranked, MODEL, "P1", None, 1)
        scoring.activate(library, asked, silent)
        assert find(library, asked).facts["codes"] == codes
        assert np.isfinite(scores(library, ids[1], asked)).all()


def test_a_section_that_does_not_fit_is_noted_and_not_tried_again(
    library: Library, section: AnnData, model_folder: Path
) -> None:
    section.write_h5ad(library.home / "upload.h5ad")
    (first, _) = keep(library, squint.io.read(library.home / "upload.h5ad"))
    bundle = squint.Bundle.load(model_folder, "cpu")
    assert not token_tasks.tokenise_section(library, first, bundle)
    facts = library.token_facts(first, bundle.sha256)
    assert facts is not None
    assert "genes" in facts["problem"]
    assert library.tokens(first, bundle.sha256) is None
