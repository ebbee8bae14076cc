"""Databases of both kinds."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from squint.library.database import FILE, Database
from squint.library.database import database as database_of
from squint.library.store import Library
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


@pytest.fixture
def library(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Open an empty library whose records are in a database of each kind."""
    if url.startswith("sqlite"):
        monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("SQUINT_DATABASE_URL", url)
    yield Library(tmp_path)
    database_of(tmp_path).close()
