"""Uploads that were cut off: they go on where they stopped, are the same in the end, and never another's."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from httpx2 import Client, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.components.sections.upload import _file_name, _folder_name
from app.routes import uploads
from app.uploads import disk, parts
from app.uploads.arrivals import UPLOADS, Ticket
from app.uploads.disk import RefusedError
from app.uploads.dropped_folders import list_folder
from app.uploads.parts import NOTE, PART, Part
from app.web.buffers import SIGNER
from squint.library.staging import ABANDONED_S
from squint.library.store import Library
from tests.helpers.app import wait_for, words
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

LIMIT = 9_000_000
CONTENT = np.random.default_rng(0).bytes(5_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILES = {"a.csv": CONTENT[:1_500_000], "deep/b": CONTENT[:2_000_000], "empty": b"", "z": CONTENT[:700_000]}
NAMED = {"X-File-Name": "a.h5ad"}
Asks = Client | TestClient


@pytest.fixture
def ticket(library: Library) -> str:
    return UPLOADS.open(library, _file_name, LIMIT, _folder_name)


def address(upload_id: str) -> str:
    return SIGNER.sign(f"/upload/{upload_id}")


def begin(
    client: Asks, at: str, n_bytes: int = len(CONTENT), told: bytes = b"told", **headers: str
) -> Response:
    """Say what is about to be sent."""
    asked = at.replace("?", "/part?") + f"&bytes={n_bytes}"
    return client.post(asked, content=told, headers=headers or NAMED)


def go_on(client: Asks, at: str, offset: int, content: Any) -> Response:
    return client.put(at, content=content, headers={"X-Offset": str(offset)})


def forget(client: Asks, at: str) -> Response:
    return client.delete(at.replace("?", "/part?"))


@contextmanager
def sending(port: int, at: str, offset: int, n_bytes: int, first: bytes) -> Iterator[socket.socket]:
    """Begin to send the rest of something, and leave it there."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        head = ["Host: x", f"X-Offset: {offset}", f"Content-Length: {n_bytes}", "", ""]
        line.sendall("\r\n".join([f"PUT {at} HTTP/1.1", *head]).encode() + first)
        yield line


def cut_off(browser: TestClient, library: Library, port: int, upload_id: str, n_sent: int) -> int:
    """Have the line cut after some bytes; return how many of them are on the disk."""
    offset = begin(browser, address(upload_id)).json()["offset"]
    rest = len(CONTENT) - offset
    with sending(port, address(upload_id), offset, rest, CONTENT[offset:][:n_sent]):
        wait_for(lambda: (part := part_of(library)) and part.stat().st_size > offset)
    ticket = UPLOADS.get(upload_id)
    assert ticket
    wait_for(lambda: not ticket.busy)
    part = part_of(library)
    assert part
    return part.stat().st_size


def part_of(library: Library) -> Path | None:
    return next(library.uploads.glob(f"*/{PART}"), None)


def complete(library: Library) -> list[Path]:
    """List what a reader could be given."""
    return list(library.uploads.glob("*/[!.]*"))


def test_a_file_goes_on_where_it_was_cut_off(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    came = 0
    for _ in range(2):
        before, came = came, cut_off(browser, library, port, ticket, 2_000_000)
        assert before < came < len(CONTENT)
        assert complete(library) == []
        assert UPLOADS.take(ticket) is None
        assert browser.get(address(ticket)).json()["problem"] == ""  # it is none: it can go on
    at = address(UPLOADS.open(library, _file_name, LIMIT))  # as of a tab that was opened anew
    assert begin(browser, at).json() == {"problem": "", "offset": came, "received": None}
    answer = go_on(browser, at, came, CONTENT[came:])
    assert answer.status_code == 201
    assert answer.json() == {"name": "a.h5ad", "bytes": len(CONTENT), "sha256": SHA256}
    (path,) = complete(library)
    assert path.read_bytes() == CONTENT


def test_a_rest_that_begins_elsewhere_or_ends_elsewhere_is_refused_and_the_part_stays(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    came = cut_off(browser, library, port, ticket, 2_000_000)
    at, rest = address(ticket), len(CONTENT) - came
    assert begin(browser, at).json()["offset"] == came
    for offset in (0, came - 1, came + 1, len(CONTENT), 10**30):
        answer = go_on(browser, at, offset, iter([CONTENT[-9:]]))  # of no said length
        assert answer.status_code == 409
        assert "begins at byte" in answer.json()["problem"]
    for n_bytes in (rest - 1, rest + 1):
        answer = go_on(browser, at, came, b"x" * n_bytes)
        assert (answer.status_code, "may have changed" in answer.json()["problem"]) == (400, True)
    assert begin(browser, at).json()["offset"] == came
    assert go_on(browser, at, came, CONTENT[came:]).json()["sha256"] == SHA256


def test_more_than_was_said_is_refused_and_nothing_stays(
    browser: TestClient, library: Library, ticket: str
) -> None:
    begin(browser, address(ticket), n_bytes=2_000_000)
    answer = go_on(browser, address(ticket), 0, (b"x" * 100_000 for _ in range(50)))
    assert (answer.status_code, "More came than the file held" in answer.text) == (400, True)
    assert not list(library.uploads.iterdir())


def test_another_file_never_goes_on_with_what_came_of_one(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    came = cut_off(browser, library, port, ticket, 2_000_000)
    at = address(ticket)
    assert begin(browser, at, told=b"other content").json()["offset"] == 0
    assert begin(browser, at, n_bytes=len(CONTENT) + 1).json()["offset"] == 0
    assert begin(browser, at, **{"X-File-Name": "b.h5ad"}).json()["offset"] == 0
    assert begin(browser, at).json()["offset"] == came


def test_what_cannot_be_taken_is_refused_before_it_is_sent(
    browser: TestClient, library: Library, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = address(ticket)
    assert begin(browser, at, n_bytes=LIMIT + 1).status_code == 413
    assert begin(browser, at, n_bytes=0).json()["problem"] == "The file is empty."
    assert begin(browser, at, **{"X-File-Name": "a.exe"}).status_code == 415
    assert begin(browser, at, **{"X-Listing": "0" * 16}).status_code == 409
    assert begin(browser, at[:-1] + "x").status_code == 403
    assert forget(browser, at[:-1] + "x").status_code == 403
    assert begin(browser, at, told=b"x" * 17_000_000).status_code == 413
    assert go_on(browser, at, 0, CONTENT).status_code == 409  # nothing was begun
    monkeypatch.setattr(disk, "RESERVE", 10**18)
    assert begin(browser, at).status_code == 507
    assert not list(library.uploads.iterdir())


def test_two_may_not_send_the_same_at_once(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    other = UPLOADS.open(library, _file_name, LIMIT)
    begin(browser, address(ticket))
    begin(browser, address(other))
    with sending(port, address(ticket), 0, len(CONTENT), CONTENT[:2_000_000]) as line:
        wait_for(lambda: part_of(library))
        for answer in (begin(browser, address(other)), go_on(browser, address(other), 0, CONTENT)):
            assert answer.status_code == 409
            assert "being sent already" in answer.json()["problem"]
        assert forget(browser, address(other)).status_code == 409
        line.sendall(CONTENT[2_000_000:])
        assert line.recv(12) == b"HTTP/1.1 201"
    found = begin(browser, address(other)).json()
    assert (found["offset"], found["received"]["sha256"]) == (len(CONTENT), SHA256)


def test_what_came_whole_is_found_again_at_once_after_a_restart(
    browser: TestClient, library: Library, ticket: str
) -> None:
    begin(browser, address(ticket))
    go_on(browser, address(ticket), 0, CONTENT)
    Library(library.home).sweep()  # as the next server does at its start
    again = UPLOADS.open(library, _file_name, LIMIT)
    assert begin(browser, address(again)).json()["received"]["sha256"] == SHA256
    assert go_on(browser, address(again), len(CONTENT), b"").status_code == 409  # it has all
    arrived = UPLOADS.take(again)
    assert arrived is not None
    assert arrived.path.read_bytes() == CONTENT
    assert (arrived.name, arrived.sha256, arrived.n_bytes) == ("a.h5ad", SHA256, len(CONTENT))
    library.unstage(arrived.path)
    assert not list(library.uploads.iterdir())
    assert UPLOADS.take(ticket) is None


def test_what_two_pages_took_goes_when_both_let_go_of_it(
    browser: TestClient, library: Library, ticket: str
) -> None:
    other = UPLOADS.open(library, _file_name, LIMIT)
    begin(browser, address(ticket))
    go_on(browser, address(ticket), 0, CONTENT)
    begin(browser, address(other))
    taken = [UPLOADS.take(one) for one in (ticket, other)]
    assert taken[0]
    assert taken[1]
    assert taken[0].path == taken[1].path
    library.unstage(taken[0].path)
    assert taken[1].path.read_bytes() == CONTENT
    library.unstage(taken[1].path)
    assert not list(library.uploads.iterdir())


def test_a_part_is_removed_where_its_sender_says_so_and_after_a_day(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    cut_off(browser, library, port, ticket, 2_000_000)
    assert forget(browser, address(ticket)).status_code == 200
    assert not list(library.uploads.iterdir())
    assert forget(browser, address(ticket)).status_code == 404
    cut_off(browser, library, port, ticket, 2_000_000)
    (folder,) = library.uploads.iterdir()
    library.sweep()
    assert folder.exists()
    os.utime(folder, (at := time.time() - ABANDONED_S - 1, at))
    library.sweep()
    assert not folder.exists()
    assert begin(browser, address(ticket)).json()["offset"] == 0


def test_a_part_that_is_written_to_stays_young(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    cut_off(browser, library, port, ticket, 1_500_000)
    (folder,) = library.uploads.iterdir()
    os.utime(folder, (0, 0))
    cut_off(browser, library, port, ticket, 2_500_000)
    assert time.time() - folder.stat().st_mtime < 60


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"7", b"\xff", b'{"name": "b.h5ad"}', None])
def test_a_part_with_a_note_that_says_nothing_begins_anew(
    browser: TestClient, library: Library, ticket: str, port: int, note: bytes | None
) -> None:
    cut_off(browser, library, port, ticket, 2_000_000)
    (path,) = library.uploads.glob(f"*/{NOTE}")
    path.unlink() if note is None else path.write_bytes(note)
    assert begin(browser, address(ticket)).json()["offset"] == 0
    assert go_on(browser, address(ticket), 0, CONTENT).json()["sha256"] == SHA256


def test_after_the_machine_went_down_all_begins_anew(
    browser: TestClient, library: Library, ticket: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(browser, library, port, ticket, 2_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "_boot", lambda: "another")
        assert begin(browser, address(ticket)).json()["offset"] == 0
        go_on(browser, address(ticket), 0, CONTENT)
    assert begin(browser, address(ticket)).json()["received"] is None
    assert not list(library.uploads.iterdir())


def test_a_process_that_is_killed_at_the_very_end_loses_nothing(
    browser: TestClient, library: Library, ticket: str
) -> None:
    begin(browser, address(ticket))
    go_on(browser, address(ticket), 0, CONTENT)
    (path,) = complete(library)
    path.rename(path.with_name(PART))  # as between the note that it is complete and its name
    assert begin(browser, address(ticket)).json()["received"]["sha256"] == SHA256
    assert path.read_bytes() == CONTENT


def test_a_request_that_names_a_file_and_stands_still_is_ended(
    library: Library, ticket: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PART_S", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        at = address(ticket).replace("?", "/part?")
        line.sendall(f"POST {at} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx".encode())
        assert line.recv(12) == b"HTTP/1.1 400"
    assert not list(library.uploads.iterdir())


# ---- folders


def lines(sizes: Mapping[str, int]) -> bytes:
    return "".join(f"{size} {quote(name, safe='')}\n" for name, size in sizes.items()).encode()


def begin_folder(client: Asks, at: str, files: Mapping[str, bytes], told: bytes = b"told") -> Response:
    listed = client.post(at, content=lines({name: len(content) for name, content in files.items()}))
    return begin(client, at, told=told, **{"X-Listing": listed.json()["listing"]})


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("n_sent", [700_000, 1_500_000, 2_500_000, 3_500_000, 4_100_000])
def test_a_folder_goes_on_within_a_file_and_between_two(library: Library, n_sent: int) -> None:
    stream = b"".join(FILES.values())
    ticket = Ticket(library, _file_name, LIMIT, _folder_name)
    listing = list_folder(ticket, "outs", lines({name: len(content) for name, content in FILES.items()}))
    whole = Part(library, listing)
    whole.write(bytearray(stream))
    expected = whole.finish()
    assert ticket.begin(listing, b"told") == 0
    first = ticket.go_on(0, None)
    first.write(bytearray(stream[:n_sent]))
    assert first.leave()
    assert complete(library) == [expected.path]
    assert ticket.begin(listing, b"told") == n_sent
    with pytest.raises(RefusedError, match="begins at byte"):
        ticket.go_on(n_sent - 1, None)
    rest = ticket.go_on(n_sent, len(stream) - n_sent)
    rest.write(bytearray(stream[n_sent:]))
    arrived = rest.finish()
    assert content_of(arrived.path) == FILES
    assert (arrived.sha256, arrived.n_files) == (expected.sha256, expected.n_files)


_TREES = st.dictionaries(
    st.lists(st.text("abé", min_size=1, max_size=2), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=9),
    min_size=1,
    max_size=8,
)


@given(_TREES, st.lists(st.integers(0, 9)))
def test_however_often_a_folder_is_cut_off_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], cuts: list[int]
) -> None:
    library = Library(tmp_path_factory.mktemp("home"))
    ticket = Ticket(library, _file_name, LIMIT, _folder_name)
    try:
        listing = list_folder(ticket, "x", lines({name: len(content) for name, content in files.items()}))
    except RefusedError:
        return
    stream = b"".join(files[file.name] for file in listing.files or ())
    at = 0
    for cut in [*cuts, len(stream)]:
        assert ticket.begin(listing, b"told") == at
        part = ticket.go_on(at, None)
        sent = stream[at : at + cut]
        part.write(bytearray(sent))
        at += len(sent)
        if at == len(stream):
            break
        assert part.leave() is (at > 0)
    arrived = part.finish()
    assert content_of(arrived.path) == {file.name: files[file.name] for file in listing.files or ()}
    once = Part(library, listing)
    once.write(bytearray(stream))
    assert once.finish().sha256 == arrived.sha256
    found = Ticket(library, _file_name, LIMIT, _folder_name)
    assert found.begin(listing, b"told") == len(stream)
    assert found.arrived
    assert found.arrived.sha256 == arrived.sha256


def test_a_folder_of_other_files_begins_anew(browser: TestClient, library: Library, ticket: str) -> None:
    begin_folder(browser, address(ticket), FILES)
    state = UPLOADS.get(ticket)
    assert state
    part = state.go_on(0, None)
    part.write(bytearray(FILES["a.csv"]))
    part.leave()
    assert begin_folder(browser, address(ticket), FILES).json()["offset"] == 1_500_000
    renamed = {name.replace("deep", "low"): content for name, content in FILES.items()}
    swapped = dict(reversed(FILES.items()))
    for other in (renamed, swapped, FILES | {"z": b"longer" * 200_000}):
        assert begin_folder(browser, address(ticket), other).json()["offset"] == 0
    assert begin_folder(browser, address(ticket), FILES, told=b"other").json()["offset"] == 0
    assert complete(library) == []


# ---- servers that are killed


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
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not (mount and umount and os.geteuid() == 0):
        pytest.skip("only root can mount a disk")
    command = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted in this container")
    yield folder
    subprocess.run([umount, "-l", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_full_disk_is_told_of_and_nothing_stays_on_it(
    browser: TestClient, small_disk: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    library = Library(small_disk / "home")
    ticket = UPLOADS.open(library, _file_name, LIMIT, _folder_name)
    monkeypatch.setattr(disk, "room", lambda _: 10**9)  # as if others filled it meanwhile
    at = address(ticket)
    stream = CONTENT if kind == "file" else b"".join(FILES.values())
    assert (begin(browser, at) if kind == "file" else begin_folder(browser, at, FILES)).status_code == 200
    answer = go_on(browser, at, 0, stream)
    assert answer.status_code == 507
    assert "no space left" in answer.json()["problem"]
    assert not list(library.uploads.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(disk, "RESERVE", 0)
    told = begin(browser, at).json()
    assert "has room for" in told["problem"]
    assert not list(library.uploads.iterdir())


# ---- a page


def test_a_page_that_was_loaded_anew_gets_what_came_before(
    visit: Callable[[str], AppTest], browser: TestClient, library: Library
) -> None:
    def give(app: AppTest) -> dict[str, Any]:
        at = address(app.session_state["_upload_ids"]["section"])
        told: dict[str, Any] = begin(browser, at).json()
        if not told["received"]:
            go_on(browser, at, 0, CONTENT)
        app.run()
        assert "a.h5ad has come" in words(app).replace("*", "")
        return told

    first, second = visit("sections"), visit("sections")
    assert give(first)["received"] is None
    assert give(second)["received"]["sha256"] == SHA256
    first.button("upload-remove").click().run()
    assert len(complete(library)) == 1  # the other page still looks at it
    second.button("upload-remove").click().run()
    assert not list(library.uploads.iterdir())
    note = json.dumps(begin(browser, address(second.session_state["_upload_ids"]["section"])).json())
    assert '"offset": 0' in note
