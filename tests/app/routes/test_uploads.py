"""Files on their way to the disk: all of one or nothing, only from a page, by harmless names."""

import hashlib
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app import settings
from app.routes import uploads
from app.uploads import arrivals, disk
from app.uploads.arrivals import UPLOADS, Uploads
from app.uploads.parts import Part
from app.web.assets import DROP_ASSETS
from app.web.buffers import LIFETIME_S, SIGNER
from squint.errors import InputError
from squint.library import naming
from squint.library.images import file_name
from squint.library.store import Library
from tests.helpers.app import wait_for

pytestmark = pytest.mark.slow

LIMIT = 3_000_000


@pytest.fixture
def ticket(library: Library) -> str:
    return UPLOADS.open(library, naming.file_name, LIMIT)


def address(upload_id: str) -> str:
    return SIGNER.sign(f"/upload/{upload_id}")


def named(name: str) -> dict[str, str]:
    return {"X-File-Name": quote(name)}


@contextmanager
def sending(port: int, upload_id: str, n_bytes: int, first: bytes) -> Iterator[socket.socket]:
    """Begin to send a file, and leave it there."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        head = ["Host: x", "X-File-Name: a.h5ad", f"Content-Length: {n_bytes}", "", ""]
        line.sendall("\r\n".join([f"PUT {address(upload_id)} HTTP/1.1", *head]).encode() + first)
        yield line


def test_a_file_arrives_as_it_was_sent(browser: TestClient, library: Library, ticket: str) -> None:
    content = bytes(range(256)) * 9_000  # more than one block
    answer = browser.put(address(ticket), content=content, headers=named("Gewebe 1.h5ad"))
    assert answer.status_code == 201
    sha256 = hashlib.sha256(content).hexdigest()
    assert answer.json() == {"name": "Gewebe_1.h5ad", "bytes": len(content), "sha256": sha256}
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert arrived.path.read_bytes() == content
    assert arrived.path.parent.parent == library.uploads
    assert (arrived.n_bytes, arrived.sha256, arrived.likeness) == (len(content), sha256, None)
    assert UPLOADS.take(ticket) is None  # forgotten once taken
    assert browser.put(address(ticket), content=b"x", headers=named("a.h5ad")).status_code == 404


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    kept = naming.file_name(f"{name}.h5ad")
    assert Path(kept).name == kept
    assert kept.isascii()
    assert len(kept) < 80
    assert not kept.startswith(("-", "."))


ODD = [
    "../../x.h5ad",
    "..\\..\\x.h5ad",
    "/etc/x.h5ad",
    "-x.h5ad",
    ".h5ad",
    "é.h5ad",
    "e\u0301\0.h5ad",
    "X.H5",
]


@pytest.mark.parametrize("name", [*ODD, "x" * 300 + ".h5ad"])
def test_odd_names_become_harmless(browser: TestClient, library: Library, ticket: str, name: str) -> None:
    answer = browser.put(address(ticket), content=b"x", headers=named(name))
    assert answer.status_code == 201
    assert [path.name for path in library.uploads.glob("*/[!.]*")] == [answer.json()["name"]]
    assert all(path.is_relative_to(library.home) for path in library.home.parent.rglob("*.h5*"))


def test_a_name_that_may_be_a_persons_is_told_but_not_kept(
    browser: TestClient, library: Library, ticket: str
) -> None:
    browser.put(address(ticket), content=b"x", headers=named("Jane_Doe_1970-01-01.h5ad"))
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert (arrived.name, arrived.likeness) == ("section.h5ad", "a date")
    assert not [path for path in library.home.rglob("*") if "Jane" in path.name]


@pytest.mark.parametrize("name", ["notes.txt", "", "x.h5ad.exe", "x"])
def test_a_file_of_another_kind_is_refused_before_it_is_sent(
    browser: TestClient, library: Library, ticket: str, name: str
) -> None:
    for answer in (
        browser.get(f"{address(ticket)}&bytes=9", headers=named(name)),
        browser.put(address(ticket), content=b"x" * 9, headers=named(name)),
    ):
        assert answer.status_code == 415
        assert "cannot be read by itself" in answer.json()["problem"]
    assert not list(library.uploads.iterdir())


def test_pictures_keep_the_endings_that_say_what_they_are(browser: TestClient, library: Library) -> None:
    ticket = UPLOADS.open(library, file_name, LIMIT)
    answer = browser.put(address(ticket), content=b"x", headers=named("HE.ome.TIF"))
    assert answer.json()["name"] == "HE.ome.tif"


def test_only_a_signed_address_counts_and_only_for_a_while(
    browser: TestClient, library: Library, ticket: str
) -> None:
    other = UPLOADS.open(library, naming.file_name, LIMIT)
    good = address(ticket)
    expired = SIGNER.sign(f"/upload/{ticket}", now=time.time() - 3 * LIFETIME_S)
    forged = good[:-1] + ("0" if good[-1] != "0" else "1")
    for bad in (good.split("?")[0], forged, good.replace(ticket, other), expired):
        for answer in (browser.get(bad), browser.put(bad, content=b"x", headers=named("a.h5ad"))):
            assert answer.status_code == 403
            assert "expired" in answer.json()["problem"]
    unknown = address("0" * 32)
    assert browser.get(unknown).status_code == 404
    assert browser.put(unknown, content=b"x", headers=named("a.h5ad")).status_code == 404
    assert not list(library.uploads.iterdir())


def test_too_large_a_file_is_refused_early_and_while_counting(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    asked = browser.get(f"{address(ticket)}&bytes={LIMIT + 1}", headers=named("a.h5ad"))
    endless = browser.get(f"{address(ticket)}&bytes={'9' * 5_000}", headers=named("a.h5ad"))
    assert asked.status_code == endless.status_code == 413
    assert "larger than 3 MB" in asked.json()["problem"]
    with sending(port, ticket, LIMIT + 1, b"") as line:  # the body never comes, and is not waited for
        assert line.recv(12) == b"HTTP/1.1 413"
    parts = (b"x" * 100_000 for _ in range(50))  # no length is said
    assert browser.put(address(ticket), content=parts, headers=named("a.h5ad")).status_code == 413
    assert not list(library.uploads.iterdir())
    assert browser.put(address(ticket), content=b"x" * LIMIT, headers=named("a.h5ad")).status_code == 201


def test_a_connection_that_breaks_off_leaves_nothing(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    with sending(port, ticket, LIMIT, b"x" * 2_000_000):
        wait_for(lambda: any(path.stat().st_size for path in library.uploads.glob("*/.part")))
    wait_for(lambda: not list(library.uploads.iterdir()))
    assert "broke off" in browser.get(address(ticket)).json()["problem"]
    assert UPLOADS.take(ticket) is None
    assert browser.put(address(ticket), content=b"x", headers=named("a.h5ad")).status_code == 201
    assert browser.get(address(ticket)).json()["problem"] == ""


def test_one_file_at_a_time(browser: TestClient, library: Library, ticket: str, port: int) -> None:
    with sending(port, ticket, 4, b"ab") as line:
        wait_for(lambda: list(library.uploads.iterdir()))
        second = browser.put(address(ticket), content=b"x", headers=named("b.h5ad"))
        assert second.status_code == 409
        assert UPLOADS.take(ticket) is None
        line.sendall(b"cd")
        assert line.recv(12) == b"HTTP/1.1 201"
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert arrived.path.read_bytes() == b"abcd"


def test_a_second_file_takes_the_place_of_the_first(
    browser: TestClient, library: Library, ticket: str
) -> None:
    for content in (b"first", b"second"):
        browser.put(address(ticket), content=content, headers=named("a.h5ad"))
    (path,) = library.uploads.glob("*/[!.]*")
    assert path.read_bytes() == b"second"


def test_only_so_many_files_come_at_once(
    browser: TestClient, library: Library, ticket: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MAX_AT_ONCE", 1)
    with sending(port, UPLOADS.open(library, naming.file_name, LIMIT), 4, b"ab"):
        wait_for(lambda: list(library.uploads.iterdir()))
        answer = browser.put(address(ticket), content=b"x", headers=named("a.h5ad"))
        assert answer.status_code == 503
        assert "Too many" in answer.json()["problem"]
    wait_for(lambda: not list(library.uploads.iterdir()))


@pytest.mark.parametrize(("limit", "trickle"), [("PART_S", False), ("BLOCK_S", True)])
def test_a_connection_that_stands_still_or_trickles_is_ended(
    browser: TestClient,
    library: Library,
    ticket: str,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    limit: str,
    trickle: bool,
) -> None:
    monkeypatch.setattr(uploads, limit, 0.5)
    with sending(port, ticket, LIMIT, b"x" * 10) as line:
        wait_for(lambda: list(library.uploads.iterdir()))
        end = time.monotonic() + 1
        while trickle and time.monotonic() < end:
            with suppress(OSError):
                line.sendall(b"x")
            time.sleep(0.05)
        wait_for(lambda: not list(library.uploads.iterdir()))
    assert "too slow" in browser.get(address(ticket)).json()["problem"]


def test_a_disk_that_fills_up_is_said_in_words(browser: TestClient, library: Library, ticket: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))  # the kernel refuses more
    try:
        answer = browser.put(address(ticket), content=b"x" * 2_500_000, headers=named("a.h5ad"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.status_code == 507
    assert "disk could not take the file" in answer.json()["problem"]
    assert str(library.home) not in answer.text
    assert not list(library.uploads.iterdir())
    assert browser.put(address(ticket), content=b"x" * 2_500_000, headers=named("a.h5ad")).status_code == 201


def test_a_file_for_which_the_disk_has_no_room_is_refused_early(
    browser: TestClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(library.home).free
    ticket = UPLOADS.open(library, naming.file_name, 2 * room)
    all_of_it = f"{address(ticket)}&bytes={room}"  # and none would be left for results
    answer = browser.get(all_of_it, headers=named("a.h5ad"))
    assert answer.status_code == 507
    assert "has room for" in answer.json()["problem"]
    monkeypatch.setattr(disk, "RESERVE", room + 10**9)  # as when others filled it meanwhile
    parts = (b"x" * 100_000 for _ in range(50))
    assert browser.put(address(ticket), content=parts, headers=named("a.h5ad")).status_code == 507
    assert not list(library.uploads.iterdir())


def test_an_empty_file_is_refused(browser: TestClient, library: Library, ticket: str) -> None:
    answer = browser.put(address(ticket), content=b"", headers=named("a.h5ad"))
    assert (answer.status_code, answer.json()["problem"]) == (400, "The file is empty.")
    assert not list(library.uploads.iterdir())


def test_other_methods_are_refused(browser: TestClient, ticket: str) -> None:
    for method in ("DELETE", "PATCH", "OPTIONS"):
        assert browser.request(method, address(ticket)).status_code == 405


def test_a_ticket_nobody_asks_for_goes_with_its_file_but_not_one_in_use(
    library: Library, tmp_path: Path
) -> None:
    del tmp_path
    some = Uploads(at_most=2)
    first, second = (some.open(library, naming.file_name, LIMIT) for _ in range(2))
    part = Part(library, some.get(first).expect("a.h5ad", 1))
    part.write(bytearray(b"x"))
    some.get(first).arrived = part.finish()
    with some.one_at_a_time(some.get(second)):
        third = some.open(library, naming.file_name, LIMIT)
        assert not list(library.uploads.iterdir())
        assert some.get(first) is None
        fourth = some.open(library, naming.file_name, LIMIT)
    assert some.get(second)
    assert some.get(third) is None
    assert some.get(fourth)


def test_a_file_that_was_swept_is_not_given(browser: TestClient, library: Library, ticket: str) -> None:
    browser.put(address(ticket), content=b"x", headers=named("a.h5ad"))
    library.sweep(older_than_s=0)
    assert UPLOADS.take(ticket) is None


def test_the_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.max_upload() == 10_000_000_000
    monkeypatch.setenv("SQUINT_MAX_UPLOAD_MB", "5")
    assert settings.max_upload() == 5_000_000
    for wrong in ("much", "-1", "1e3", "²"):
        monkeypatch.setenv("SQUINT_MAX_UPLOAD_MB", wrong)
        with pytest.raises(InputError, match="whole number"):
            settings.max_upload()


def test_scripts_are_served_under_their_hash(browser: TestClient) -> None:
    assert set(DROP_ASSETS.files) == {"drop.js", "given.js", "sending.js", "server.js", "style.css"}
    answer = browser.get(f"{DROP_ASSETS.address}/drop.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/upload/assets/0000/drop.js").status_code == 404
    assert browser.get(f"{DROP_ASSETS.address}/drop.py").status_code == 404
