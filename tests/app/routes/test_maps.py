"""What is told of a map and does not come whole."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from app.maps.served import MAPS, Served
from app.maps.views import by_depth, cells_of
from app.routes.maps import ROUTES
from app.web.buffers import SIGNER
from squint.library.store import Library
from tests.helpers.tissue import library_of

MAP = "c" * 32


@pytest.mark.parametrize("what", ["state", "picture"])
def test_a_browser_that_leaves_while_it_tells_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    sections, library = library_of(tmp_path / "home", {"S": 30}), Library(tmp_path / "home")
    view = by_depth(sections, cells_of(library, sections))
    served = MAPS.serve(MAP, Served(library, view, (np.arange(3),)))
    path, query = SIGNER.sign(f"/map/{MAP}").split("?")
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{path}/{what}",
        "query_string": query.encode(),
        "headers": [(b"content-length", b"99")],
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    parts = iter(
        [{"type": "http.request", "body": b'{"size', "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    async def answer() -> None:
        await Starlette(routes=ROUTES)(scope, receive, send)

    try:
        with ThreadPoolExecutor(1) as alone:  # a browser's test may have left a loop in this thread
            alone.submit(asyncio.run, answer()).result()
    finally:
        MAPS.forget()
    assert sent[0]["status"] == 400
    assert served.state == {}
