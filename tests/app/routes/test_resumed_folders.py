"""Folders that were cut off go on within a file and between two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.uploads.arrivals import UPLOADS, Ticket
from app.uploads.disk import RefusedError
from app.uploads.dropped_folders import list_folder
from app.uploads.parts import Part
from squint.library import naming
from squint.library.store import Library
from tests.helpers.resuming import (
    FILES,
    LIMIT,
    address,
    begin_folder,
    complete,
    content_of,
    lines,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("n_sent", [700_000, 1_500_000, 2_500_000, 3_500_000, 4_100_000])
def test_a_folder_goes_on_within_a_file_and_between_two(library: Library, n_sent: int) -> None:
    stream = b"".join(FILES.values())
    ticket = Ticket(library, naming.file_name, LIMIT, naming.folder_name)
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
    ticket = Ticket(library, naming.file_name, LIMIT, naming.folder_name)
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
    found = Ticket(library, naming.file_name, LIMIT, naming.folder_name)
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
