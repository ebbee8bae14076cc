"""Uploads whose server is killed, which two servers want, or for which the disk is full."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client, Response
from starlette.testclient import TestClient

from app.uploads import disk
from app.uploads.arrivals import UPLOADS
from squint.library import naming
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.paths import ROOT
from tests.helpers.resuming import (
    CONTENT,
    FILES,
    LIMIT,
    SHA256,
    address,
    begin,
    begin_folder,
    complete,
    content_of,
    go_on,
    part_of,
    sending,
)
from tests.helpers.small_disk import PAGE, SmallDisk, small_disk, state_of

pytestmark = pytest.mark.slow


@contextmanager
def server(library: Library) -> Iterator[tuple["subprocess.Popen[str]", int, str]]:
    """Serve the routes in a process of its own."""
    command = [sys.executable, "-m", "tests.helpers.upload_server", str(library.home), str(LIMIT)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port, at = process.stdout.readline().split()
            wait_for(lambda: answers(int(port)))
            yield process, int(port), at
        finally:
            process.kill()


def answers(port: int) -> bool:
    with Client(base_url=f"http://127.0.0.1:{port}") as client:
        return client.get("/upload/x").status_code == 403


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_upload_goes_on_after_its_server_was_killed(library: Library, kind: str) -> None:
    stream = CONTENT if kind == "file" else b"".join(FILES.values())

    def begun(client: Client, at: str) -> dict[str, Any]:
        answer = begin(client, at) if kind == "file" else begin_folder(client, at, FILES)
        told: dict[str, Any] = answer.json()
        return told

    with server(library) as (process, port, at), Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert begun(client, at)["offset"] == 0
        with sending(port, at, 0, len(stream), stream[:3_000_000]):
            wait_for(lambda: sum(p.stat().st_size for p in library.uploads.rglob("*")) > 2_000_000)
            process.kill()
            process.wait(20)
    library.sweep()
    assert complete(library) == []
    with server(library) as (_, port, at), Client(base_url=f"http://127.0.0.1:{port}") as client:
        came = begun(client, at)["offset"]
        assert 1_900_000 < came <= 3_000_000
        answer = go_on(client, at, came, stream[came:])
        assert answer.status_code == 201
        if kind == "file":
            assert answer.json()["sha256"] == SHA256
    with server(library) as (_, port, at), Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert begun(client, at)["received"] == answer.json()
    (path,) = complete(library)
    assert (path.read_bytes() == CONTENT) if kind == "file" else (content_of(path) == FILES)


def test_two_servers_on_one_library_do_not_write_to_one_upload(library: Library) -> None:
    with server(library) as (_, port, at), server(library) as (_, other_port, other_at):
        base = "http://127.0.0.1"
        with Client(base_url=f"{base}:{port}") as one, Client(base_url=f"{base}:{other_port}") as other:
            begin(one, at)
            with sending(port, at, 0, len(CONTENT), CONTENT[:2_000_000]) as line:
                wait_for(lambda: part_of(library))
                assert begin(other, other_at).status_code == 409
                library.sweep(older_than_s=0)  # what somebody writes to stays
                line.sendall(CONTENT[2_000_000:])
                assert line.recv(12) == b"HTTP/1.1 201"
            assert begin(other, other_at).json()["received"]["sha256"] == SHA256


@pytest.fixture
def full(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount a disk of 20 MB."""
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_full_disk_is_told_of_and_nothing_stays_on_it(
    browser: TestClient, full: SmallDisk, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    library = Library(full.folder / "home")
    at = address(UPLOADS.open(library, naming.file_name, LIMIT, naming.folder_name))
    monkeypatch.setattr(disk, "room", lambda _: 10**9)  # as if others filled it meanwhile
    stream = CONTENT if kind == "file" else b"".join(FILES.values())
    library.sweep()
    before = state_of(library)

    def send() -> Response:
        begun = begin(browser, at) if kind == "file" else begin_folder(browser, at, FILES)
        return begun if begun.status_code != 200 else go_on(browser, at, 0, stream)

    for room in (0, 1, 2, 8, 200, 700, len(stream) // PAGE - 1, len(stream) // PAGE + 1):
        full.leave(room * PAGE)
        answer = send()
        assert answer.status_code == 507
        assert "the disk is full" in answer.json()["problem"]
        full.clear()
        assert state_of(library) == before
    assert send().status_code == 201
    library.sweep(older_than_s=0)
    assert state_of(library) == before
    full.leave(8 * PAGE)
    monkeypatch.undo()
    monkeypatch.setattr(disk, "RESERVE", 0)
    told = begin(browser, at).json()
    assert "has room for" in told["problem"]
    assert not list(library.uploads.iterdir())
