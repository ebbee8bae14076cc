"""Files below ``/media/`` are of those whose page showed them, or who clicked for them, and nobody else's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.web.server.starlette.starlette_routes import create_media_routes

from app import who
from app.identity import who_asks
from app.media import OwnMedia, note_makers
from app.who import Place
from squint.library.people import People
from squint.library.projects import Projects
from squint.library.store import Library
from tests.helpers.visitors import cookie, sign_in_set_up

SESSIONS = "dontcare", ""  # as Streamlit, and squint, call the session where no page is drawn


@dataclass
class Server:
    """Streamlit's files behind our middleware, with Anna, in a project of hers, and Ben."""

    projects: Projects
    files: MediaFileManager
    client: TestClient
    people: dict[str, int]
    project: str

    def draws_for(self, login: str) -> None:
        """Let the session be of somebody, in Anna's project."""
        who._places.update(dict.fromkeys(SESSIONS, Place(self.people[login], self.project)))

    def on_a_click(self, content: bytes = b"a,b\n1,2\n") -> str:
        """Give the address of a file that is made when its button is clicked."""
        return self.files.execute_deferred(
            self.files.add_deferred(lambda: content, "text/csv", "1", "table.csv")
        )

    def status(self, login: str, address: str) -> int:
        """Ask for an address by somebody's browser."""
        cookies = cookie(login) if login else {}
        told = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return self.client.get(address, headers={"Cookie": told} if told else {}).status_code


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(who, "_places", {})
    root, storage = Library(tmp_path / "home"), MemoryMediaFileStorage("/media")
    routes = [
        *create_media_routes(storage, ""),
        Route("/static/media/font.woff2", lambda _: PlainTextResponse("a font")),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(OwnMedia)])
    note_makers(MediaFileManager)  # which the application does when it starts; once
    with sign_in_set_up(tmp_path), TestClient(app) as client:
        people = {
            login: someone.id for login in ("anna", "ben") if (someone := who_asks(cookie(login))) is not None
        }
        [project] = Projects(root.database).of(people["anna"])
        yield Server(Projects(root.database), MediaFileManager(storage), client, people, project.id)


@pytest.mark.parametrize("on_a_click", [False, True])
def test_a_file_is_of_whom_it_was_made_for_and_of_nobody_who_asks_first(
    server: Server, *, on_a_click: bool
) -> None:
    server.draws_for("anna")
    address = server.on_a_click() if on_a_click else server.files.add(b"\x89PNG", "image/png", "1")
    assert server.status("ben", address) == 404
    assert server.status("", address) == 404
    assert server.status("anna", address) == 200
    server.projects.add_member(server.project, server.people["ben"])
    assert server.status("ben", address) == 404  # though he may make the same
    server.draws_for("ben")
    assert server.on_a_click() == address if on_a_click else server.files.add(b"\x89PNG", "image/png", "1")
    assert [server.status(login, address) for login in ("anna", "ben")] == [200, 200]


def test_a_file_is_gone_for_whoever_is_not_in_its_project_any_more(server: Server) -> None:
    server.projects.add_member(server.project, server.people["ben"])
    server.draws_for("ben")
    address = server.on_a_click()
    assert server.status("ben", address) == 200
    server.projects.remove_member(server.project, server.people["ben"])
    assert server.status("ben", address) == 404
    server.projects.add_member(server.project, server.people["ben"])
    assert server.status("ben", address) == 200
    People(server.projects._database).remove(server.people["ben"])
    assert server.status("ben", address) == 404


def test_the_icon_is_for_everybody_and_what_was_never_made_for_nobody(server: Server) -> None:
    assert server.status("", server.files.add(b"icon", "image/png", "favicon")) == 200
    server.draws_for("anna")
    address = server.on_a_click()
    for wrong in ("/media/0.csv", address.replace("/media/", "/media//"), f"{address}/x"):
        assert server.status("anna", wrong) == 404


def test_fonts_are_for_everybody(server: Server) -> None:
    for login in ("", "anna", "ben"):
        assert server.status(login, "/static/media/font.woff2") == 200


def test_two_who_make_the_same_on_a_click_both_get_it(server: Server) -> None:
    server.projects.add_member(server.project, server.people["ben"])
    button = server.files.add_deferred(lambda: b"x", "text/csv", "1", "table.csv")
    server.draws_for("anna")
    address = server.files.execute_deferred(button)
    server.draws_for("ben")
    assert server.files.execute_deferred(button) == address
    assert [server.status(login, address) for login in ("anna", "ben", "")] == [200, 200, 404]
