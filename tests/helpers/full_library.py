"""A library that holds something of every kind, and how each kind is read as the dashboard reads it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

import squint.io
from app.cell_sets.store import CellSets
from app.maps import message
from app.tasks import models
from squint import keys, pp
from squint.errors import InputError
from squint.io.boundaries import Boundaries, from_rings, read_boundaries
from squint.io.content import Answers
from squint.library import (
    answers,
    gene_sets,
    ingest,
    labelings,
    originals,
    profiles,
    relabeling,
    results,
    token_naming,
)
from squint.library.images import Images
from squint.library.models import known
from squint.library.results import Computation
from squint.library.store import (
    BOUNDARIES,
    PLACES,
    THUMBNAIL,
    UNFILTERED,
    UNFILTERED_BOUNDARIES,
    Library,
)
from squint.library.tables import write_table
from squint.library.token_runs import new_run
from squint.stats.labelings import rename
from squint.stats.token_profiles import add_up
from tests.helpers.section_pictures import keep_picture
from tests.helpers.sections import LABELS, add_model, parts_of

MODEL, GENES_OF_MODEL = "c" * 64, "d" * 64
SQUARE = [np.array([[-1.0, -1.0], [31.0, -1.0], [31.0, 11.0], [-1.0, 11.0]])]


class Filled(NamedTuple):
    """A library with one section, and all that was made of it."""

    library: Library
    section_id: str


def fill(library: Library, adata: AnnData, model: Path, folder: Path) -> Filled:
    """Put something of every kind into an empty library."""
    whole = parts_of(adata, folder)[0]
    part = whole[:12].copy()
    upload = library.upload_folder() / "upload.h5ad"
    adata.write_h5ad(upload)
    left_out = ingest.Whole(whole, _outlines(whole), pp.QualityFilter(min_counts=1))
    made = ingest.Part(part, _outlines(part), left_out, {"part": 0})
    ((section, _),) = ingest.add_all(library, [made], LABELS, originals.stage(library, upload))
    library.unstage(upload)
    _put_tokens(library, section.id, part)
    keep_picture(library, section.id, size=520)
    add_model(library, model, "trained")
    results.keep(library, Asked((section.id,)), {"n": 2}, {"table": pd.DataFrame({"x": [1.5, 2.5]})})
    CellSets(library).make("Core", {section.id: range(4)}, {section.id: [tuple(SQUARE)]})
    gene_sets.add(library, "mine.gmt", {"A": ("GENE1", "GENE2"), "B": ("GENE3",)})
    answers.remember(library, "kind", Answers(unit="um"))
    token_naming.name(library, MODEL, "1", "rim", "")
    token_naming.name(library, MODEL, "1", "rim of the core", "loose")
    names = pd.Categorical(["a", "b", None, "a"] * 3)
    sure = np.linspace(0, 1, 12, dtype=np.float32)
    labelings.add(library, section.id, labelings.Made("mine", "file", "by hand", names, sure))
    (kept,) = labelings.known(library, section.id)
    relabeling.change(library, kept, "renamed", rename(labelings.read(library, kept)[0], "a", "c"))
    return Filled(library, section.id)


@dataclass(frozen=True)
class Asked(Computation):
    """Ask for what the library holds a result of."""

    name: ClassVar[str] = "asked"


def _outlines(adata: AnnData) -> Boundaries:
    at = np.asarray(adata.obsm[keys.SPATIAL], dtype=float)
    corners = (at[:, None] + [[-4, -4], [4, -4], [0, 4]]).reshape(-1, 2)
    return from_rings(np.arange(len(at)), 3 * np.arange(len(at) + 1), corners)


def _put_tokens(library: Library, section_id: str, adata: AnnData) -> None:
    staged, path = library.workspace(), library.tokens_path(section_id, MODEL)
    tokens = np.arange(adata.n_obs) % 3
    write_table(pd.DataFrame({keys.TOKEN: tokens, keys.DISTANCE: 0.5}), staged / path.name)
    counts = csr_matrix(adata.X)
    profiles.write(staged, MODEL, add_up(counts, list(adata.var_names), pd.Series(tokens.astype(str))))
    facts = {"n_codes": 3, "gene_overlap": 1.0, "share_beyond_p99": {"s": 0.0}}
    run = new_run(section_id, library.get(section_id).sha256, MODEL, GENES_OF_MODEL, facts)
    library.put(staged, path.parent, section_id, run)


# --- read -------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """How something is read, as something that can be compared."""

    read: Callable[[Filled], Any]
    of: Callable[[Filled], Path] = lambda filled: filled.library.home  # the file that it is read from
    which: str = "1"  # of the rows of a table, in SQL
    is_made_again: bool = False  # so that, where it is damaged, there is none


def own(name: str) -> Callable[[Filled], Path]:
    """Find a file in the folder of the section."""
    return lambda filled: filled.library.folder(filled.section_id) / name


def thumbnail(filled: Filled) -> bytes:
    return filled.library.path(filled.section_id, THUMBNAIL).read_bytes()


def places(filled: Filled) -> Any:
    section = filled.library.get(filled.section_id)
    at = filled.library.cells(section.id)[["x", "y"]].to_numpy()
    message.forget()
    place = message._place(filled.library, section, at)
    return place.order.tolist(), place.spacing


def rings(name: str) -> Callable[[Filled], Any]:
    def read(filled: Filled) -> Any:
        found = read_boundaries(filled.library.path(filled.section_id, name))
        return found.cells.tolist(), found.offsets.tolist(), found.corners.tolist(), found.origin

    return read


def unfiltered(filled: Filled) -> Any:
    adata = squint.io.read(filled.library.path(filled.section_id, UNFILTERED), answers=Answers(unit="um"))
    positions = np.asarray(adata.obsm[keys.SPATIAL]).tolist()
    return csr_matrix(adata.X).toarray().tolist(), adata.obs.to_json(), positions


def tokens(filled: Filled) -> str:
    filled.library.get(filled.section_id)  # tokens of a damaged section are shown nowhere
    found = filled.library.tokens(filled.section_id, MODEL)
    if found is None:
        raise InputError(filled.library.stale_tokens(MODEL, GENES_OF_MODEL, [MODEL])[filled.section_id])
    return found.to_json()


def sums(filled: Filled) -> Any:
    found = profiles.read(filled.library, filled.library.get(filled.section_id), MODEL)
    return [part.tolist() if isinstance(part, np.ndarray) else part for part in found]


def model(filled: Filled) -> Any:
    folder = filled.library.models / "trained"
    bundle = models.load(filled.library, str(folder))
    assert offered(filled) == [folder.name]
    return bundle.sha256, json.dumps(bundle.card), asdict(bundle.model_config), bundle.genes


def result(filled: Filled) -> Any:
    found = results.find(filled.library, Asked((filled.section_id,)))
    return None if found is None else (found.facts, found.table("table").to_json())


def types(filled: Filled) -> Any:
    naming = filled.library.get(filled.section_id).named
    if naming is not None and not naming.file:
        assert keys.CELL_TYPE not in filled.library.cells(filled.section_id)
        raise InputError(naming.words)
    (one,) = labelings.known(filled.library, filled.section_id)
    if one.damage:
        raise InputError(one.damage)
    names, sure = labelings.read(filled.library, one)
    shown = filled.library.cells(filled.section_id)[keys.CELL_TYPE]
    seen = naming, one, names.names, names.codes.tolist(), sure.tolist(), shown.astype(object).tolist()
    return repr(seen)  # in which NaN is NaN


def original(filled: Filled) -> bytes:
    path = originals.find(filled.library, filled.section_id)
    assert path is not None
    return path.read_bytes()


def tile(filled: Filled) -> bytes:
    images = Images(filled.library)
    found = images.tile(filled.section_id, "ab", 1, 0, 0)
    if found is None:
        images.get(filled.section_id, "ab")  # says what is damaged
        raise AssertionError
    return found


def cells_of_set(filled: Filled) -> Any:
    sets = CellSets(filled.library)
    (one,) = sets.all()
    return asdict(one), sets.rows(one, filled.section_id).tolist()


def outline_of_set(filled: Filled) -> Any:
    sets = CellSets(filled.library)
    (one,) = sets.all()
    outline = [[ring.tolist() for ring in polygon] for polygon in sets.outline(one, filled.section_id)]
    return outline, sets.area(one, filled.section_id)


def _of_set(ending: str) -> Callable[[Filled], Path]:
    return lambda filled: next((filled.library.folder(filled.section_id) / "sets").glob(f"*.{ending}"))


def _labelings(filled: Filled) -> Path:
    return filled.library.folder(filled.section_id) / "labelings"


def _of_model(name: str) -> Callable[[Filled], Path]:
    return lambda filled: filled.library.models / "trained" / name


def _of_tokens(ending: str) -> Callable[[Filled], Path]:
    return own(f"tokens/{MODEL[:12]}{ending}")


FILES = {
    "thumbnail": Reading(thumbnail, own(THUMBNAIL)),
    "places": Reading(places, own(PLACES)),
    "outlines": Reading(rings(BOUNDARIES), own(BOUNDARIES)),
    "all cells": Reading(unfiltered, own(UNFILTERED)),
    "outlines of all cells": Reading(rings(UNFILTERED_BOUNDARIES), own(UNFILTERED_BOUNDARIES)),
    "tokens": Reading(tokens, _of_tokens(".parquet")),
    "sums of tokens": Reading(sums, _of_tokens(".sums.npz")),
    "result": Reading(
        result,
        lambda filled: filled.library.results / Asked((filled.section_id,)).result / "table.parquet",
        is_made_again=True,
    ),
    "weights": Reading(model, _of_model("weights.safetensors")),
    "config": Reading(model, _of_model("config.json")),
    "card": Reading(model, _of_model("card.json")),
    "original": Reading(original, lambda filled: next(filled.library.originals.glob("*/upload.h5ad"))),
    "tile": Reading(tile, own("images/ab/1/0_0.webp")),
    "cells of a set": Reading(cells_of_set, _of_set("npy")),
    "outline of a set": Reading(outline_of_set, _of_set("json")),
    "names of cells": Reading(types, lambda filled: next(_labelings(filled).glob("*/1.parquet"))),
}


def section(filled: Filled) -> Any:
    one = filled.library.get(filled.section_id)
    if one.named and not one.named.file:
        raise InputError(one.named.words)
    return asdict(one)


def picture(filled: Filled) -> Any:
    return asdict(Images(filled.library).get(filled.section_id, "ab"))


def sets_of_genes(filled: Filled) -> Any:
    gene_sets._read.cache_clear()
    found = gene_sets.find_sets(filled.library)
    if gene_sets.damaged(filled.library):
        raise InputError(f"damaged: {gene_sets.damaged(filled.library)}")
    return found


def answered(filled: Filled) -> Any:
    return answers.remembered(filled.library, "kind").given() or None


def named_tokens(filled: Filled) -> Any:
    known = token_naming.named(filled.library, MODEL)
    if token_naming.damaged(known):
        raise InputError(f"damaged: {token_naming.damaged(known)}")
    return known


def offered(filled: Filled) -> Any:
    return [one.folder.name for one in known(filled.library, []) if not one.problem] or None


ROWS = {  # by table
    "sections": Reading(section),
    "originals": Reading(original),
    "pictures": Reading(picture),
    "token_runs": Reading(tokens),
    "models": Reading(offered, is_made_again=True),
    "results": Reading(result, is_made_again=True),
    "stored_files": Reading(tile, which="path LIKE '%/images/ab/1/0_0.webp'"),
    "histories": Reading(cells_of_set),
    "history_versions": Reading(cells_of_set, which="number = 2"),
    "gene_sets": Reading(sets_of_genes),
    "labelings": Reading(types),
    "labeling_versions": Reading(types, which="number = 1"),
    "token_names": Reading(named_tokens, which="number = 2"),
    "remembered_answers": Reading(answered, is_made_again=True),
}
