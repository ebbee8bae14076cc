"""Files that were cut off: they go on where they stopped, are the same in the end, and never another's."""

import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.routes import uploads
from app.uploads import disk, parts
from app.uploads.arrivals import UPLOADS
from app.uploads.parts import NOTE, PART
from squint.library import naming
from squint.library.staging import ABANDONED_S
from squint.library.store import Library
from tests.helpers.app import wait_for, words
from tests.helpers.resuming import (
    CONTENT,
    LIMIT,
    SHA256,
    address,
    begin,
    complete,
    cut_off,
    forget,
    go_on,
    part_of,
    sending,
)

pytestmark = pytest.mark.slow


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
    at = address(UPLOADS.open(library, naming.file_name, LIMIT))  # as of a tab that was opened anew
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
    other = UPLOADS.open(library, naming.file_name, LIMIT)
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
    again = UPLOADS.open(library, naming.file_name, LIMIT)
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
    other = UPLOADS.open(library, naming.file_name, LIMIT)
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
