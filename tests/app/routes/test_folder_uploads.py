"""Folders on their way to the disk: what is wanted of them in one stream, all of it or nothing."""

import hashlib
import resource
import shutil
import socket
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.routes.uploads import UPLOAD_ROUTES
from app.uploads import arrivals, disk, dropped_folders
from app.uploads.arrivals import UPLOADS, Ticket
from app.uploads.disk import RefusedError
from app.uploads.dropped_folders import list_folder
from app.uploads.parts import Part
from app.web.buffers import SIGNER
from squint.errors import InputError
from squint.io.folders import check_name
from squint.library import naming
from squint.library.store import Library
from tests.helpers.app import keep, one_section, send, wait_for, words

pytestmark = pytest.mark.slow

LIMIT = 3_000_000
FILES = {"cells.csv": b"1,2\n" * 300_000, "empty": b"", "deep/a/b": b"x", "deep/c": b"yz", "last": b""}


@pytest.fixture
def ticket(library: Library) -> str:
    return UPLOADS.open(library, naming.file_name, LIMIT, naming.folder_name)


def address(upload_id: str) -> str:
    return SIGNER.sign(f"/upload/{upload_id}")


def lines(sizes: Mapping[str, int]) -> bytes:
    return "".join(f"{size} {quote(name, safe='')}\n" for name, size in sizes.items()).encode()


def sizes_of(files: Mapping[str, bytes]) -> dict[str, int]:
    return {name: len(content) for name, content in files.items()}


def listed(browser: TestClient, upload_id: str, name: str, sizes: Mapping[str, int]):
    return browser.post(address(upload_id), content=lines(sizes), headers={"X-File-Name": quote(name)})


def give(browser: TestClient, upload_id: str, name: str, files: Mapping[str, bytes]):
    """List a folder and send of it what is wanted."""
    answer = listed(browser, upload_id, name, sizes_of(files)).json()
    wanted = [content for i, content in enumerate(files.values()) if i not in answer["unwanted"]]
    headers = {"X-Listing": answer["listing"]}
    return browser.put(address(upload_id), content=b"".join(wanted), headers=headers)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_arrives_as_it_was_sent(browser: TestClient, library: Library, ticket: str) -> None:
    answer = give(browser, ticket, "outs 1", FILES)
    assert answer.status_code == 201
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert content_of(arrived.path) == FILES
    assert arrived.path.parent.parent == library.uploads
    n_bytes = sum(len(content) for content in FILES.values())
    assert answer.json() == {"name": "outs_1", "bytes": n_bytes, "sha256": arrived.sha256}
    assert (arrived.name, arrived.n_bytes, arrived.n_files) == ("outs_1", n_bytes, len(FILES))
    digest = hashlib.sha256()
    for name, content in sorted(FILES.items(), key=lambda file: file[0].split("/")):
        digest.update(f"{name} {len(content)}\n".encode() + hashlib.sha256(content).digest())
    assert arrived.sha256 == digest.hexdigest()


_PART = st.text("ab.é -", min_size=1, max_size=3)
_TREES = st.dictionaries(
    st.lists(_PART, min_size=1, max_size=3).map("/".join), st.binary(max_size=9), max_size=8
)


@given(_TREES, st.lists(st.integers(1, 9)), st.randoms())
def test_wherever_the_stream_is_cut_into_blocks_the_files_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], cuts: list[int], random
) -> None:
    library = Library(tmp_path_factory.mktemp("home"))
    ticket = Ticket(library, naming.file_name, LIMIT, naming.folder_name)

    def arrive(files: Mapping[str, bytes], cuts: list[int]) -> tuple[dict[str, bytes], str]:
        listing = list_folder(ticket, "x", lines(sizes_of(files)))
        stream = b"".join(files[file.name] for file in listing.files)
        part = Part(library, listing)
        for cut in [*cuts, len(stream)]:
            part.write(bytearray(stream[:cut]))
            stream = stream[cut:]
        arrived = part.finish()
        return content_of(arrived.path), arrived.sha256

    try:
        content, sha256 = arrive(files, cuts)
    except RefusedError:
        assert list(library.uploads.iterdir()) == []
        return
    assert content.items() <= files.items()
    shuffled = list(files.items())
    random.shuffle(shuffled)
    assert arrive(dict(shuffled), []) == (content, sha256)
    shutil.rmtree(library.home)


def test_what_is_not_needed_is_not_sent(browser: TestClient, ticket: str) -> None:
    files = {
        ".DS_Store": b"junk",
        "cells.parquet": b"cells",
        "transcripts.zarr.zip": b"x" * 999,
        "a.zarr/.zattrs": b"{}",
        "._cells.parquet": b"junk",
    }
    answer = listed(browser, ticket, "outs", sizes_of(files) | {"morphology.ome.tif": 10**12})
    assert answer.json()["unwanted"] == [0, 2, 4, 5]  # though they are more than the server takes
    give(browser, ticket, "outs", files)
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert content_of(arrived.path) == {"cells.parquet": b"cells", "a.zarr/.zattrs": b"{}"}
    assert arrived.left_alone == ("transcripts.zarr.zip",)


TRANSCRIPTS = {
    "transcripts.parquet": True,
    "transcripts.csv.gz": False,  # the same, read slower
    "S1_tx_file.csv.gz": True,
    "points/t/points.parquet/part.0.parquet": True,
    "points/t/points.parquet/part.1.parquet": True,
    "a/b/transcripts.parquet": False,  # of several sources below, which are not drawn
}


def test_transcripts_that_the_map_draws_come_along(browser: TestClient, ticket: str) -> None:
    files = {"cells.csv": b"cells"} | dict.fromkeys(TRANSCRIPTS, b"x" * 99)
    assert give(browser, ticket, "outs", files).status_code == 201
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert set(content_of(arrived.path)) == {
        "cells.csv",
        *(name for name, sent in TRANSCRIPTS.items() if sent),
    }
    assert set(arrived.left_alone) == {name for name, sent in TRANSCRIPTS.items() if not sent}
    assert arrived.too_large == ()


@pytest.mark.parametrize("full", [False, True])
def test_transcripts_for_which_there_is_no_room_are_left_out_and_said(
    browser: TestClient, library: Library, ticket: str, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    sizes = {"cells.csv": 5} | dict.fromkeys(TRANSCRIPTS, 1_000)
    if full:
        monkeypatch.setattr(disk, "RESERVE", shutil.disk_usage(library.home).free - 2_000)
    else:
        sizes["points/t/points.parquet/part.1.parquet"] = LIMIT
    answer = listed(browser, ticket, "outs", sizes).json()
    assert answer["unwanted"] == list(range(1, 1 + len(TRANSCRIPTS)))
    monkeypatch.undo()
    assert browser.put(address(ticket), content=b"cells", headers={"X-Listing": answer["listing"]}).is_success
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert {file.name for file in arrived.too_large} == {name for name, sent in TRANSCRIPTS.items() if sent}
    assert content_of(arrived.path) == {"cells.csv": b"cells"}


def test_transcripts_that_were_left_out_are_named_on_the_page_with_the_way(
    visit: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUINT_MAX_UPLOAD_MB", "1")
    app = visit("sections")
    with TestClient(Starlette(routes=UPLOAD_ROUTES)) as client:
        upload_id = app.session_state["_upload_ids"]["section"]
        sizes = {"a.txt": 1, **{f"points/t/points.parquet/part.{i}.parquet": 10**9 for i in range(3)}}
        listing = listed(client, upload_id, "outs", sizes).json()["listing"]
        assert client.put(address(upload_id), content=b"x", headers={"X-Listing": listing}).is_success
    app.run()
    assert not app.exception
    assert "points/t, 3.0 GB, was left out" in words(app)
    assert "squint import FOLDER" in words(app)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "C:\\x",
        "a\\b",
        "a\nb",
        "a\0b",
        "d/" * 33 + "x",
        "x" * 300,
        "",
        ".",
        "a/..",
    ],
)
def test_a_name_that_is_not_fit_is_refused_before_anything_is_sent(
    browser: TestClient, library: Library, ticket: str, name: str
) -> None:
    answer = listed(browser, ticket, "outs", {"fine": 1, name: 1})
    assert answer.status_code == 415
    assert "no fit name" in answer.json()["problem"]
    assert not list(library.uploads.iterdir())


@pytest.mark.parametrize("names", [("a.csv", "A.csv"), ("a", "a/b")])
def test_names_that_clash_are_refused(browser: TestClient, ticket: str, names: tuple[str, str]) -> None:
    assert listed(browser, ticket, "outs", dict.fromkeys(names, 1)).status_code == 415


@given(st.text(max_size=20))
def test_no_name_of_a_folder_leads_out_of_the_staging_folder(name: str) -> None:
    kept = naming.folder_name(name)
    check_name(kept, "x")
    assert kept.isascii()
    assert Path(kept).name == kept


def test_a_name_that_may_be_a_persons_is_told_but_not_kept(
    browser: TestClient, library: Library, ticket: str
) -> None:
    give(browser, ticket, "Jane Doe.zarr", {"a": b"x"})
    arrived = UPLOADS.take(ticket)
    assert arrived is not None
    assert (arrived.name, arrived.likeness) == ("section.zarr", "a person's name")
    assert not [path for path in library.home.rglob("*") if "Jane" in path.name]


def test_too_large_a_folder_is_refused_and_its_largest_file_named(
    browser: TestClient, library: Library, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = listed(browser, ticket, "outs", {"a": 2_000_000, "images/b.tif": LIMIT - 1_999_999})
    assert answer.status_code == 413
    assert "has 3 MB" in answer.json()["problem"]
    assert "'a' with 2 MB" in answer.json()["problem"]
    assert listed(browser, ticket, "outs", {"a": int("9" * 20)}).status_code == 413
    monkeypatch.setattr(disk, "RESERVE", shutil.disk_usage(library.home).free)
    listing = listed(browser, ticket, "outs", {"a": 2_000_000}).json()["listing"]
    refused = browser.put(address(ticket), content=b"x", headers={"X-Listing": listing})
    assert (refused.status_code, "has room for" in refused.json()["problem"]) == (507, True)
    assert not list(library.uploads.iterdir())


def test_too_many_files_are_refused(
    browser: TestClient, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropped_folders, "MAX_FILES", 5)
    answer = listed(browser, ticket, "outs", {str(i): 1 for i in range(6)})
    assert answer.status_code == 413
    assert "Pack it as .zip" in answer.json()["problem"]
    endless = browser.post(address(ticket), content=(b"1 a" * 100_000 for _ in range(60)))
    assert endless.status_code == 413


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\n",
        b"1\n",
        b"-1 a\n",
        b"x a\n",
        b"1 %ff\n",
        b"9" * 5_000 + b" a\n",
        b"",
        b"0 a\n",
        b"5 .hidden\n",
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(browser: TestClient, ticket: str, said: bytes) -> None:
    answer = browser.post(address(ticket), content=said)
    assert answer.status_code in {400, 415}
    assert answer.json()["problem"]


def test_a_place_that_takes_files_only_refuses_folders(browser: TestClient, library: Library) -> None:
    files_only = UPLOADS.open(library, naming.file_name, LIMIT)
    answer = listed(browser, files_only, "outs", {"a": 1})
    assert (answer.status_code, answer.json()["problem"]) == (415, "Folders are not taken here. Give a file.")


def test_more_or_less_than_was_listed_leaves_nothing(
    browser: TestClient, library: Library, ticket: str
) -> None:
    for content in (b"", b"abc", b"abcdefg" * 1_000):
        listing = listed(browser, ticket, "outs", {"a": 2, "b": 2}).json()["listing"]
        answer = browser.put(address(ticket), content=content, headers={"X-Listing": listing})
        assert answer.status_code == 400
        assert "may have changed" in answer.json()["problem"]
        assert not list(library.uploads.iterdir())
        assert UPLOADS.take(ticket) is None


def test_a_listing_counts_once_and_only_for_its_page(
    browser: TestClient, library: Library, ticket: str
) -> None:
    other = UPLOADS.open(library, naming.file_name, LIMIT, naming.folder_name)
    headers = {"X-Listing": listed(browser, ticket, "outs", {"a": 1}).json()["listing"]}
    assert browser.put(address(other), content=b"x", headers=headers).status_code == 409
    assert browser.put(address(ticket), content=b"x", headers=headers).status_code == 201
    again = browser.put(address(ticket), content=b"x", headers=headers)
    assert (again.status_code, "Give it again" in again.json()["problem"]) == (409, True)
    unsigned = browser.post(address(ticket)[:-1] + "x", content=b"1 a\n")
    assert unsigned.status_code == 403


def test_a_connection_that_breaks_off_leaves_nothing(
    browser: TestClient, library: Library, ticket: str, port: int
) -> None:
    listing = listed(browser, ticket, "outs", {"a": 500_000, "b": 2_000_000}).json()["listing"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        head = ["Host: x", f"X-Listing: {listing}", "Content-Length: 2500000", "", ""]
        line.sendall("\r\n".join([f"PUT {address(ticket)} HTTP/1.1", *head]).encode() + b"x" * 2_000_000)
        wait_for(lambda: [p for p in library.uploads.glob("*/.part/b") if p.stat().st_size])
    wait_for(lambda: not list(library.uploads.iterdir()))
    assert "broke off" in browser.get(address(ticket)).json()["problem"]
    assert UPLOADS.take(ticket) is None
    assert give(browser, ticket, "outs", FILES).status_code == 201


def test_a_disk_that_fills_up_is_said_in_words_and_nothing_stays(
    browser: TestClient, library: Library, ticket: str
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))  # the kernel refuses more
    try:
        answer = give(browser, ticket, "outs", {"a": b"x" * 900_000, "b": b"x" * 2_000_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.status_code == 507
    assert str(library.home) not in answer.text
    assert not list(library.uploads.iterdir())


def test_a_folder_that_no_reader_knows_is_told_so_on_the_page(
    visit: Callable[[str], AppTest], library: Library
) -> None:
    app = visit("sections")
    with TestClient(Starlette(routes=UPLOAD_ROUTES)) as client:
        give(
            client,
            app.session_state["_upload_ids"]["section"],
            "outs",
            {"a.txt": b"x", "reads.bam": b"y"},
        )
    app.run()
    assert not app.exception
    assert app.error
    assert "outs has come: 1 file, 0.0 MB" in words(app).replace("*", "")
    assert "Not sent, as nothing here reads it: reads.bam." in words(app)
    app.button("upload-remove").click().run()
    assert not list(library.uploads.iterdir())


def test_a_zip_of_a_section_is_unpacked_looked_at_and_kept(
    visit: Callable[[str], AppTest], library: Library, toy: AnnData, tmp_path: Path
) -> None:
    one_section(toy).write_h5ad(tmp_path / "Jane Doe.h5ad")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "Jane Doe.h5ad", "Jane Doe.h5ad")
        archive.writestr("transcripts.csv", "x")
        archive.writestr("reads.bam", "x")
    app = visit("sections")
    assert send(app, "new.zip", (tmp_path / "a.zip").read_bytes()).status_code == 201
    app.run()
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Cells"] == "60"
    assert "Not unpacked before the map asks for it: transcripts.csv." in words(app)
    assert "Not unpacked, as nothing here reads it: reads.bam." in words(app)
    assert not [path for path in library.home.rglob("*") if "Jane" in path.name]
    keep(app)
    assert len(library.sections()) == 1
    assert not list(library.uploads.iterdir())


def test_a_harmful_zip_is_told_so_and_leaves_nothing(
    visit: Callable[[str], AppTest], library: Library, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../out.h5ad", "x")
    app = visit("sections")
    send(app, "new.zip", (tmp_path / "a.zip").read_bytes())
    app.run()
    assert not app.exception
    assert "leads out of the folder" in words(app)
    assert [path.name for path in library.uploads.glob("*/[!.]*")] == ["new.zip"]
    assert not list(tmp_path.rglob("out.h5ad"))


def test_a_folder_with_a_link_in_the_import_folder_is_refused(
    visit: Callable[[str], AppTest], library: Library
) -> None:
    (folder := library.home / "import" / "outs").mkdir(parents=True)
    (folder / "cells.csv").symlink_to("/etc/passwd")
    app = visit("sections")
    app.selectbox("upload-import-0").set_value("outs").run()
    assert not app.exception
    assert "'cells.csv' is a link" in words(app)
    with pytest.raises(InputError, match="no longer"):
        arrivals.stage_import(library, "nothing", naming.file_name, (".h5ad",), naming.folder_name)
