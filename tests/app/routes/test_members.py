"""Two people, each in a project of their own: every route, with the other's addresses and guessed ones."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from app.identity import is_needed, who_asks
from app.maps.served import MAPS, Served
from app.maps.views import by_depth, cells_of
from app.routes.maps import ROUTES
from app.routes.uploads import UPLOAD_ROUTES
from app.uploads.arrivals import UPLOADS
from app.web.buffers import BUFFERS, SIGNER
from squint.library import naming
from squint.library.boundary_tiles import header_of, make_tiles
from squint.library.people import People
from squint.library.place import project_home
from squint.library.projects import MEMBER, Projects
from squint.library.store import Library
from tests.helpers.section_pictures import keep_picture
from tests.helpers.tissue import library_with_outlines
from tests.helpers.visitors import cookie, sign_in_set_up

MAP = "c" * 32
LIMIT = 1_000_000


@dataclass
class Hospital:
    """A server with a project of Anna's, in which a section lies, and one of Ben's."""

    root: Library
    library: Library  # of Anna's project
    section: str
    client: TestClient
    anna: int
    ben: int

    def ask(self, who: dict[str, str], method: str, address: str, **more: Any) -> tuple[int, bytes]:
        """Ask with the cookies of somebody."""
        self.client.cookies.clear()
        for name, value in who.items():
            self.client.cookies.set(name, value)
        answer = self.client.request(method, address, **more)
        return answer.status_code, answer.content


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    root = Library(tmp_path / "home")
    with sign_in_set_up(tmp_path), TestClient(Starlette(routes=[*ROUTES, *UPLOAD_ROUTES])) as client:
        anna, ben = who_asks(cookie("anna")), who_asks(cookie("ben"))
        assert anna is not None
        assert ben is not None
        [project] = Projects(root.database).of(anna.id)
        home = project_home(root.home, project.id)
        section = library_with_outlines(home, 8)
        library = Library(home)
        keep_picture(library, section.id)
        make_tiles(library, section.id)
        yield Hospital(root, library, section.id, client, anna.id, ben.id)
        MAPS.forget()
        BUFFERS.clear()


def _addresses(here: Hospital) -> list[tuple[str, str, dict[str, Any]]]:
    """Give an address of each route, as Anna's page gives them to her browser."""
    project, section = here.library.home.name, here.section
    found = header_of(here.library, section)
    assert found is not None
    view = by_depth([here.library.get(section)], cells_of(here.library, [here.library.get(section)]))
    here.served = MAPS.serve(MAP, Served(here.library, view, (np.arange(3),)))  # type: ignore[attr-defined]
    buffer = BUFFERS.put(b"Anna's cells")
    ticket = UPLOADS.open(here.library, naming.file_name, LIMIT, naming.folder_name, person=here.anna)

    def signed(scope: str, rest: str = "") -> str:
        path, query = SIGNER.sign(scope).split("?")
        return f"{path}{rest}?{query}"

    named = {"X-File-Name": "a.h5ad"}
    return [
        ("GET", signed(f"/map/buffer/{project}/{buffer}"), {}),
        ("GET", signed(f"/map/tiles/{project}/{section}/ab", "/0/0/0"), {}),
        ("GET", signed(f"/map/boundaries/{project}/{section}", "/index"), {}),
        ("GET", signed(f"/map/{MAP}", "/cell/0/0"), {}),
        ("POST", signed(f"/map/{MAP}", "/state"), {"json": {"size": 2}}),
        ("GET", signed(f"/upload/{ticket}"), {"headers": {**named, "Content-Length": "0"}}),
        ("POST", signed(f"/upload/{ticket}", "/part") + "&bytes=3", {"headers": named, "content": b"told"}),
        ("PUT", signed(f"/upload/{ticket}"), {"headers": named, "content": b"abc"}),
        ("DELETE", signed(f"/upload/{ticket}", "/part"), {}),
        ("POST", signed(f"/upload/{ticket}"), {"headers": {"X-File-Name": "f"}, "content": b"3 a.txt\n"}),
    ]


def test_every_route_answers_its_own_member_and_nobody_else(
    hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    anna, ben = cookie("anna"), cookie("ben")
    stranger: dict[str, str] = {}
    forged = {USER_COOKIE_NAME: cookie("anna")[USER_COOKIE_NAME][:-2] + "xx"}
    elsewhere = cookie("anna", origin="http://evil.example")
    expired = cookie("anna", exp=1.0)
    asked = _addresses(hospital)
    assert len(asked) == len(ROUTES) + len(UPLOAD_ROUTES) - 4  # two of assets, a tile of outlines, a picture
    with caplog.at_level(logging.WARNING, "app.refusals"):
        for method, address, more in asked:
            for who in (ben, stranger, forged, elsewhere, expired):
                status, content = hospital.ask(who, method, address, **more)
                assert status == 404, (method, address)
                assert hospital.section.encode() not in content
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 5 * len(asked)
    assert sum(f"person {hospital.ben}:" in line for line in told) == len(asked)
    assert not any("Ben" in line or "Anna" in line for line in told)
    for method, address, more in asked:
        status, _ = hospital.ask(anna, method, address, **more)
        assert status in (200, 201, 204) or "part" in address or status == 415, (method, address, status)


def test_what_is_anothers_answers_as_what_does_not_exist(hospital: Hospital) -> None:
    project = hospital.library.home.name
    signed = SIGNER.sign(f"/map/tiles/{project}/{hospital.section}/ab").replace("?", "/0/0/0?")
    other = hospital.ask(cookie("ben"), "GET", signed)
    own = Projects(hospital.root.database).of(hospital.ben)[0].id
    for missing in (own, "first", "0" * 16, "x"):
        path = SIGNER.sign(f"/map/tiles/{missing}/{hospital.section}/ab").replace("?", "/0/0/0?")
        assert hospital.ask(cookie("ben"), "GET", path) == other
    nothing = SIGNER.sign(f"/map/tiles/{project}/{'0' * 16}/ab").replace("?", "/0/0/0?")
    assert hospital.ask(cookie("anna"), "GET", nothing) == other


def test_an_address_of_one_project_is_not_good_for_another(hospital: Hospital) -> None:
    """The same section in both: what Ben's page signed opens his own copy, and not hers by another name."""
    own = Projects(hospital.root.database).of(hospital.ben)[0].id
    signed = SIGNER.sign(f"/map/tiles/{own}/{hospital.section}/ab").replace("?", "/0/0/0?")
    moved = signed.replace(own, hospital.library.home.name)
    assert hospital.ask(cookie("ben"), "GET", moved)[0] == 404


def test_a_right_that_was_taken_away_is_gone_at_the_next_request(hospital: Hospital) -> None:
    projects, project = Projects(hospital.root.database), hospital.library.home.name
    address = SIGNER.sign(f"/map/buffer/{project}/{BUFFERS.put(b'cells')}")
    projects.add_member(project, hospital.ben, MEMBER)
    assert hospital.ask(cookie("ben"), "GET", address) == (200, b"cells")
    projects.remove_member(project, hospital.ben)
    assert hospital.ask(cookie("ben"), "GET", address)[0] == 404
    projects.add_member(project, hospital.ben, MEMBER)
    People(hospital.root.database).remove(hospital.ben)
    assert hospital.ask(cookie("ben"), "GET", address)[0] == 404


def test_a_ticket_is_its_persons_and_of_no_use_to_who_may_only_look(hospital: Hospital) -> None:
    project = hospital.library.home.name
    ticket = UPLOADS.open(hospital.library, naming.file_name, LIMIT, person=hospital.anna)
    address, named = SIGNER.sign(f"/upload/{ticket}"), {"X-File-Name": "a.h5ad"}
    Projects(hospital.root.database).add_member(project, hospital.ben)
    sent = {"headers": named, "content": b"abc"}
    assert hospital.ask(cookie("ben"), "PUT", address, **sent)[0] == 404
    People(hospital.root.database).set_role(hospital.anna, "viewer")
    assert hospital.ask(cookie("anna"), "PUT", address, **sent)[0] == 404
    assert (
        hospital.ask(cookie("anna"), "GET", SIGNER.sign(f"/map/buffer/{project}/{BUFFERS.put(b'x')}"))[0]
        == 200
    )
    People(hospital.root.database).set_role(hospital.anna, "analyst")
    assert hospital.ask(cookie("anna"), "PUT", address, **sent)[0] == 201


@pytest.mark.parametrize("content", ["", "[auth]\n", "[auth", "[other]\nx = 1\n"])
def test_secrets_that_cannot_be_read_let_nobody_in(tmp_path: Path, content: str) -> None:
    """What is broken is no reason to let everybody in."""
    with sign_in_set_up(tmp_path):
        (tmp_path / "secrets.toml").write_text(content)
        secrets_singleton._reset()
        assert is_needed() == ("auth" in content)
        if "auth" in content:
            assert who_asks({}) is None
