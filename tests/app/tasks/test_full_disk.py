"""Whatever a worker writes to a disk that is full is told of, and nothing is there by half."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import tifffile
from anndata import AnnData

import squint
from app import requests
from app.exports.figure import write_figure, write_rows
from app.requests import Keep
from app.tasks import co_occurrence, exports, models, sections, tokens
from squint import datasets
from squint.io.content import Answers
from squint.library import ingest, originals, tiling
from squint.library.images import Addition, Images
from squint.library.models import known
from squint.library.store import Library, Section
from squint.pp import QualityFilter
from tests.app.tasks.test_tokens import MODEL, put_tokens
from tests.helpers.section_pictures import report, smooth
from tests.helpers.sections import LABELS, parts_of
from tests.helpers.small_disk import SmallDisk, library_on, refused_until_there_is_room, small_disk

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


@pytest.fixture
def library(disk: SmallDisk) -> Iterator[Library]:
    with library_on(disk) as made:
        yield made


@pytest.fixture
def one(library: Library, section: AnnData, tmp_path: Path) -> Section:
    """Put a section into the library."""
    return ingest.add(library, parts_of(section, tmp_path)[0], LABELS)[0]


def test_an_upload_is_kept_with_all_its_sections_or_each_whole(
    library: Library, disk: SmallDisk, section: AnnData, tmp_path: Path
) -> None:
    section = section[:15].copy()
    section.write_h5ad(tmp_path / "upload.h5ad")
    asked = Keep(
        str(tmp_path / "upload.h5ad"),
        Answers(unit="um"),
        {"P1": "A-1"},
        {},
        "kidney",
        "Xenium",
        QualityFilter(min_counts=8),
    )
    assert refused_until_there_is_room(disk, library, lambda: sections.keep(library, asked, report)) > 10
    (kept,) = library.sections()
    assert originals.find(library, kept.id) is not None


@pytest.mark.parametrize("bytes_per_pixel", [0.5, 0.0])  # the second: as if others filled it meanwhile
def test_a_picture(
    library: Library,
    disk: SmallDisk,
    one: Section,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bytes_per_pixel: float,
) -> None:
    monkeypatch.setattr(tiling, "_BYTES_PER_PIXEL", bytes_per_pixel)
    tifffile.imwrite(tmp_path / "he.tif", smooth(), photometric="rgb", tile=(256, 256))
    addition = Addition(one.id, str(tmp_path / "he.tif"))
    assert refused_until_there_is_room(disk, library, lambda: tiling.keep(library, addition, report)) > 5
    assert len(Images(library).of(one.id)) == 1


def test_tokens_and_a_model(library: Library, disk: SmallDisk, model_folder: Path, tmp_path: Path) -> None:
    toy = datasets.toy(n_cells=120, n_sections=1)
    toy.write_h5ad(tmp_path / "toy.h5ad")
    read = squint.io.read(tmp_path / "toy.h5ad")
    patients = {str(name): "A-1" for name in read.obs["patient_id"].unique()}
    (part,) = ingest.clean(read, ingest.Labels(patients, {}))
    added, _ = ingest.add(library, part, LABELS)
    bundle = squint.Bundle.load(model_folder, "cpu")
    n_refused = refused_until_there_is_room(
        disk, library, lambda: tokens.tokenise_section(library, added.id, bundle)
    )
    assert n_refused > 3
    assert library.tokens(added.id, bundle.sha256) is not None
    n_refused = refused_until_there_is_room(
        disk, library, lambda: models.keep_model(library, bundle, [added.id], "mine")
    )
    assert n_refused > 3
    (kept,) = known(library, [])
    assert not kept.problem
    assert models.load(library, str(kept.folder)).sha256 == bundle.sha256


def test_a_table_and_a_figure_to_download(library: Library, disk: SmallDisk) -> None:
    table = pd.DataFrame({"x": np.random.default_rng(0).random(5_000)})
    assert refused_until_there_is_room(disk, library, lambda: write_rows(library, table)) > 3
    asked = requests.WriteCsv(str(write_rows(library, table)), {"Title": "x"})
    assert refused_until_there_is_room(disk, library, lambda: exports.write_csv(library, asked, report)) > 3
    figure = go.Figure(go.Scatter(x=table["x"], y=table["x"]))
    assert refused_until_there_is_room(disk, library, lambda: write_figure(library, figure)) > 3
    drawn = requests.Draw(str(write_figure(library, figure)), "html", {"Title": "x"}, 300)
    assert refused_until_there_is_room(disk, library, lambda: exports.draw(library, drawn, report)) > 3


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_sequences_to_download(library: Library, disk: SmallDisk, one: Section, ending: str) -> None:
    put_tokens(library, one.id, pd.DataFrame({"squint_token": np.arange(15) % 3, "squint_distance": 0.0}))
    asked = requests.WriteSequences((one.id,), MODEL, ending)
    n_refused = refused_until_there_is_room(
        disk, library, lambda: co_occurrence.write_sequences(library, asked, report)
    )
    assert n_refused > 0
