"""How much one person may send: in a day, and at once."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.routes.uploads import UPLOAD_ROUTES
from app.settings import max_upload_a_day
from app.uploads import arrivals
from app.uploads.allowance import DAY_S, Allowance
from app.uploads.arrivals import MAX_OF_ONE, MAX_TICKETS_OF_ONE, UPLOADS, Uploads
from app.uploads.disk import RefusedError
from app.web.buffers import SIGNER
from app.web.visitor import VISITOR, name_of
from squint.errors import InputError
from squint.library.store import Library

COOKIES = {"one": "1" * 32, "other": "2" * 32}


def test_a_day_is_counted_for_each_and_passes() -> None:
    clock = [0.0]
    some = Allowance(lambda: 100, lambda: clock[0])
    some.spend("one", 60)
    with pytest.raises(RefusedError, match="In a day one may send"):
        some.check("one", 41)
    some.spend("one", 40)
    some.spend("other", 100)
    with pytest.raises(RefusedError):
        some.spend("one", 1)
    clock[0] = DAY_S - 1
    with pytest.raises(RefusedError):
        some.spend("one", 1)
    clock[0] = DAY_S
    some.spend("one", 100)
    without = Allowance(lambda: None)
    without.spend("one", 10**15)


def test_more_than_a_day_allows_is_refused_early_and_while_it_comes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 59: over the quota of one person, while another sends on."""
    monkeypatch.setattr(arrivals.ALLOWANCE, "_most", lambda: 1000)
    monkeypatch.setattr(arrivals.ALLOWANCE, "_sent", {})
    sent = []
    for who, n_bytes in (("one", 900), ("one", 200), ("other", 900)):
        owner = name_of(COOKIES[who])
        ticket = UPLOADS.open(library, lambda name: name, 10**6, owner=owner)
        with TestClient(Starlette(routes=UPLOAD_ROUTES), cookies={VISITOR: COOKIES[who]}) as client:
            at = SIGNER.sign(f"/upload/{ticket}", owner)
            sent.append(client.put(at, content=b"x" * n_bytes, headers={"X-File-Name": "a.h5ad"}))
    assert [one.status_code for one in sent] == [201, 429, 201]
    assert "SQUINT_MAX_UPLOAD_GB_PER_DAY" in sent[1].json()["problem"]
    assert len(list(library.uploads.iterdir())) == 2


def test_an_address_to_send_to_is_its_browsers_alone(library: Library) -> None:
    """Row 57, in part."""
    owner = name_of(COOKIES["one"])
    at = SIGNER.sign(f"/upload/{UPLOADS.open(library, lambda name: name, 10**6, owner=owner)}", owner)
    headers = {"X-File-Name": "a.h5ad"}
    for cookies in ({VISITOR: COOKIES["other"]}, {}):
        with TestClient(Starlette(routes=UPLOAD_ROUTES), cookies=cookies) as client:
            assert client.put(at, content=b"x", headers=headers).status_code == 403
            assert client.get(at).status_code == 403
    with TestClient(Starlette(routes=UPLOAD_ROUTES), cookies={VISITOR: COOKIES["one"]}) as client:
        assert client.put(at, content=b"x", headers=headers).status_code == 201


def test_one_person_can_neither_send_all_at_once_nor_take_the_places_of_others(tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    some = Uploads(at_most=10 * MAX_TICKETS_OF_ONE)
    theirs = some.open(library, str, 10, owner="other")
    own = [some.open(library, str, 10, owner="one") for _ in range(2 * MAX_TICKETS_OF_ONE)]
    assert some.get(theirs) is not None
    assert sum(some.get(one) is not None for one in own) == MAX_TICKETS_OF_ONE
    tickets = [ticket for one in own[-MAX_OF_ONE:] if (ticket := some.get(one))]
    for ticket in tickets:
        ticket.busy = True
    last, other = some.get(own[-MAX_OF_ONE - 1]), some.get(theirs)
    assert last is not None
    assert other is not None
    with pytest.raises(RefusedError, match="already"), some.one_at_a_time(last):
        pass
    with some.one_at_a_time(other):
        pass


def test_gigabytes_are_read_and_what_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQUINT_MAX_UPLOAD_GB_PER_DAY", raising=False)
    assert max_upload_a_day() is None
    monkeypatch.setenv("SQUINT_MAX_UPLOAD_GB_PER_DAY", "0.5")
    assert max_upload_a_day() == 500_000_000
    for wrong in ("much", "0", "-1", "nan"):
        monkeypatch.setenv("SQUINT_MAX_UPLOAD_GB_PER_DAY", wrong)
        with pytest.raises(InputError, match="must be a number of gigabytes"):
            max_upload_a_day()
