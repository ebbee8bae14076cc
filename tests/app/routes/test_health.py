"""Whether the server says that it cannot do its work."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.engine import facts
from app.routes.health import HEALTH_ROUTES
from squint.library.database import HEAD, database
from squint.library.records import EngineRow
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.small_disk import run, small_disk


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=HEALTH_ROUTES))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of its own, where the system lets us have one."""
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted.folder


def test_a_library_that_can_be_used_is_healthy_and_nothing_is_left(
    library: Library, client: TestClient
) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert not list(library.staging.iterdir())


def test_a_library_that_was_deleted_is_not_healthy(
    library: Library, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(library.home)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert str(library.home) not in answer.text
    assert "was deleted or replaced" in caplog.text
    assert not library.home.exists()


def test_a_library_on_a_disk_that_is_read_only_is_not_healthy(
    library: Library,
    disk: Path,
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database(library.home).close()
    shutil.copytree(library.home, disk / "library")
    monkeypatch.setenv("SQUINT_HOME", str(disk / "library"))
    assert run("mount", "-o", "remount,ro", str(disk))
    assert client.get("/health").status_code == 503
    assert "cannot be written" in caplog.text
    assert run("mount", "-o", "remount,rw", str(disk))
    assert client.get("/health").status_code == 200
    database(disk / "library").close()


def test_an_engine_that_is_gone_or_does_not_start_is_not_healthy(
    library: Library, client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_LOOK_S", 0)

    def say(seen: float, problem: str) -> None:
        said: dict[str, Any] = {"worker": None, "problem": problem, "workers": {}}
        with library.database.writing() as session:
            session.merge(EngineRow(id="an engine", address="tcp://127.0.0.1:1", seen=seen, facts=said))

    say(1.0, "")
    assert client.get("/health").status_code == 200
    monkeypatch.setattr(facts, "_SILENT_S", 0.01)
    time.sleep(0.02)
    assert client.get("/health").status_code == 503
    assert "has not been heard of" in caplog.text
    monkeypatch.setattr(facts, "_SILENT_S", 1_000)
    say(2.0, "The worker process does not start.")
    wait_for(lambda: client.get("/health").status_code == 503)
    assert "The worker process does not start." in caplog.text


def test_visitors_may_come_when_the_engine_works_and_model_and_samples_can_be_read(
    library: Library,
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(facts, "_LOOK_S", 0)
    (tmp_path / "data_samples").mkdir()

    def ready() -> bool:
        caplog.clear()
        answer = client.get("/ready")
        assert answer.headers["cache-control"] == "no-store"
        expected = (200, "ready") if answer.status_code == 200 else (503, "Not ready: see the server's log.")
        assert (answer.status_code, answer.text) == expected
        return answer.status_code == 200

    def say(**workers: int) -> None:
        said: dict[str, Any] = {"worker": None, "problem": "", "workers": workers}
        with library.database.writing() as session:
            row = EngineRow(id="an engine", address="tcp://127.0.0.1:1", seen=time.time(), facts=said)
            session.merge(row)

    assert not ready()
    assert "has not been heard of yet" in caplog.text
    assert client.get("/health").status_code == 200  # a server whose engine starts is alive
    say(files=1, short=1)
    assert not ready()
    assert "in the lane model" in caplog.text
    say(files=1, short=1, model=1)
    assert ready()
    (tmp_path / "data_samples").rmdir()
    assert not ready()
    assert "samples" in caplog.text
    (tmp_path / "data_samples").mkdir()
    monkeypatch.setenv("SQUINT_MODEL", str(tmp_path / "no_model"))
    assert not ready()
    monkeypatch.undo()


def test_tables_of_another_revision_are_not_ready(
    library: Library, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with library.database.writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    assert client.get("/ready").status_code == 503
    assert f"of revision 0001, and this squint's of {HEAD}" in caplog.text
