"""The routes, asked as a browser would and as they are served."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.routes.uploads import UPLOAD_ROUTES
from app.uploads.arrivals import UPLOADS
from squint.library import naming
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.resuming import LIMIT


@pytest.fixture
def browser() -> Iterator[TestClient]:
    """Ask the routes as a browser would."""
    with TestClient(Starlette(routes=UPLOAD_ROUTES)) as client:
        yield client


@pytest.fixture
def port() -> Iterator[int]:
    """Serve the routes as they are served to users: over a socket."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=UPLOAD_ROUTES), log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_for(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def ticket(library: Library) -> str:
    """Let a page send files and folders; give the id of its ticket."""
    return UPLOADS.open(library, naming.file_name, LIMIT, naming.folder_name)
