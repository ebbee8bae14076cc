"""A library of toy sections, tokenised once by a small model, and the engine that did it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from anndata import AnnData
from distributed import Client
from streamlit.testing.v1 import AppTest

import squint
from app.cell_sets.store import CellSets
from app.requests import ImportSamples, Tokenise
from squint import datasets
from squint.library import ingest, place, tiling
from squint.library.images import Addition, SectionImage
from squint.library.store import Library, Section
from tests.helpers.app import MAIN, wait_for
from tests.helpers.cell_sets import A, B, C, put
from tests.helpers.engine import Worker, copied, read_engine
from tests.helpers.paths import ROOT
from tests.helpers.section_pictures import report, smooth


@pytest.fixture(scope="session")
def toy() -> AnnData:
    return datasets.toy(n_cells=240, n_sections=4)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model small enough for a test."""
    folder = tmp_path_factory.mktemp("model") / "toy"
    model = squint.ModelConfig(n_hidden=16, n_latent=8, n_codes=6, n_mlp_layers=1)
    section = datasets.toy(n_cells=240, n_sections=2)
    *_, last = squint.train(
        section, model=model, train=squint.TrainConfig(n_epochs=2, context_steps=20), device="cpu"
    )
    last.bundle.save(folder)
    return folder


@pytest.fixture(scope="session")
def worker(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """Start the workers that all tests of pages share, as the dashboard does."""
    home = tmp_path_factory.mktemp("engine")
    command = [sys.executable, "-m", "squint.engine", "--home", str(home), "--model", str(model_folder)]
    engine = subprocess.Popen(command, cwd=ROOT)
    wait_for(lambda: (row := read_engine(home)) and row.facts["worker"], 120)
    row = read_engine(home)
    assert row is not None
    with Client(row.address, set_as_default=False) as client:
        yield Worker(client, model_folder)
    engine.terminate()
    assert engine.wait(60) == 0


@pytest.fixture(autouse=True)
def _at_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the workers rest after a test that used them."""
    yield
    if "worker" in request.fixturenames:
        request.getfixturevalue("worker").rest()


@pytest.fixture(scope="session")
def filled(worker: Worker, tmp_path_factory: pytest.TempPathFactory, toy: AnnData) -> Path:
    """Import and tokenise the toy sections as the first start does."""
    samples, home = tmp_path_factory.mktemp("samples"), tmp_path_factory.mktemp("filled")
    for name in toy.obs["section_id"].cat.categories:
        squint.write(toy[toy.obs["section_id"] == name].copy(), samples / f"{name}.h5ad")
    ids = worker.ask(ImportSamples(str(samples)), Library(home)).result(120)
    worker.ask(Tokenise(tuple(ids), worker.model), Library(home)).result(120)
    worker.rest(home)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> Path:
    """Point the app at a new library without samples."""
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SQUINT_MODEL", str(model_folder))
    monkeypatch.setattr(place, "SAMPLES", tmp_path / "data_samples")
    return tmp_path / "home"


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def loaded(home: Path, filled: Path) -> Library:
    """Fill the library of the app with the tokenised toy sections."""
    copied(filled, home)
    return Library(home)


@pytest.fixture
def visit(home: Path, worker: Worker) -> Callable[[str], AppTest]:
    """Open a page of the app."""
    del home

    def open_page(name: str, **query: str) -> AppTest:
        worker.wait_ready()
        app = AppTest.from_file(MAIN, default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        return app if name == "sections" else app.switch_page(f"../pages/{name}.py").run()

    return open_page


@pytest.fixture
def added(library: Library, section: AnnData, tmp_path: Path) -> Section:
    """Add a section without pictures."""
    section.write_h5ad(tmp_path / "upload.h5ad")
    adata = squint.io.read(tmp_path / "upload.h5ad", answers=squint.io.Answers(unit="um"))
    labels = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {})
    return ingest.add(library, next(iter(ingest.clean(adata, labels))), labels)[0]


@pytest.fixture
def image(library: Library, added: Section, tmp_path: Path) -> SectionImage:
    """Add a picture whose file is full of names."""
    path = tmp_path / "Jane_Doe_1970-01-01.ome.tif"
    beside = "Patient Jane Doe, born 1970-01-01"
    with tifffile.TiffWriter(path, ome=True) as file:
        about = {"Description": beside, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(
            smooth(), photometric="rgb", tile=(256, 256), software=beside, metadata={"Name": "HE", **about}
        )
        file.write(np.full((900, 900, 3), 9, np.uint8), photometric="rgb", metadata={"Name": "label"})
    assert b"Jane" in path.read_bytes()
    return tiling.keep(library, Addition(added.id, str(path)), report)


@pytest.fixture
def store(tmp_path: Path) -> Library:
    """Make a library of three sections without counts."""
    library = Library(tmp_path / "home")
    put(library, A), put(library, B, "P2"), put(library, C, "P2", "unknown")
    return library


@pytest.fixture
def sets(store: Library) -> CellSets:
    return CellSets(store)
