"""A library of three sections without counts."""

from pathlib import Path

import pytest

from app.cell_sets.store import CellSets
from squint.library.store import Library
from tests.helpers.cell_sets import A, B, C, put


@pytest.fixture
def store(tmp_path: Path) -> Library:
    library = Library(tmp_path / "home")
    put(library, A), put(library, B, "P2"), put(library, C, "P2", "unknown")
    return library


@pytest.fixture
def sets(store: Library) -> CellSets:
    return CellSets(store)
