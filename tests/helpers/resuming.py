"""Uploads begun, cut off and gone on with, as a browser does."""

import hashlib
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from httpx2 import Client, Response
from starlette.testclient import TestClient

from app.uploads.arrivals import UPLOADS
from app.uploads.parts import PART
from app.web.buffers import SIGNER
from squint.library.store import Library
from tests.helpers.app import wait_for

LIMIT = 9_000_000
CONTENT = np.random.default_rng(0).bytes(5_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILES = {"a.csv": CONTENT[:1_500_000], "deep/b": CONTENT[:2_000_000], "empty": b"", "z": CONTENT[:700_000]}
NAMED = {"X-File-Name": "a.h5ad"}
Asks = Client | TestClient


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


def lines(sizes: Mapping[str, int]) -> bytes:
    return "".join(f"{size} {quote(name, safe='')}\n" for name, size in sizes.items()).encode()


def begin_folder(client: Asks, at: str, files: Mapping[str, bytes], told: bytes = b"told") -> Response:
    listed = client.post(at, content=lines({name: len(content) for name, content in files.items()}))
    return begin(client, at, told=told, **{"X-Listing": listed.json()["listing"]})


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
