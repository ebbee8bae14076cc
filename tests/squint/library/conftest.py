"""Databases of both kinds."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from squint.library.database import FILE, Database
from tests.helpers.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Start a PostgreSQL server, once."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / FILE}"
    server: Postgres = request.getfixturevalue("server")
    return server.create(f"squint_{uuid.uuid4().hex}")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Open an empty database of each kind."""
    opened = Database(url)
    yield opened
    opened.close()
