"""Visits of the dashboard without a browser: a bare socket that asks for a page, and reads all of it."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol


@contextmanager
def visitor(address: str, cookie: str = "") -> Iterator[ClientConnection]:
    """Open a session as a browser does, with its cookies if it has any; it is closed in the end."""
    where = address.replace("http", "ws", 1) + "/_stcore/stream"
    cookies = {"Cookie": cookie} if cookie else None
    with connect(
        where,
        origin=Origin(address),
        additional_headers=cookies,
        max_size=None,
        subprotocols=[Subprotocol("streamlit")],
    ) as socket:
        yield socket


def ask(socket: ClientConnection, page: str, patience: float = 600) -> list[ForwardMsg]:
    """Ask for a page and wait until all of it has come; give what it is told."""
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = ""
    socket.send(asked.SerializeToString())
    messages = []
    while True:
        part = socket.recv(timeout=patience)
        assert isinstance(part, bytes)
        told = ForwardMsg.FromString(part)
        messages.append(told)
        if told.WhichOneof("type") == "script_finished" and told.script_finished in {
            ForwardMsg.FINISHED_SUCCESSFULLY,
            ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
        }:
            return messages


def pages_of(address: str) -> list[str]:
    """Name all pages, the first one by an empty name, as the navigation tells a browser of them."""
    with visitor(address) as socket:
        told = [one.navigation for one in ask(socket, "") if one.HasField("navigation")]
    return ["" if page.is_default else page.url_pathname for page in told[-1].app_pages]


def visit(address: str, page: str) -> None:
    """Open a page in a session of its own and leave."""
    with visitor(address) as socket:
        ask(socket, page)


def map_address(messages: Iterable[ForwardMsg]) -> dict[str, str]:
    """Find path and query of the first map that a page shows."""
    told = (one.delta.new_element.bidi_component.json for one in messages if one.HasField("delta"))
    data = (json.loads(mounted) for mounted in told if mounted)
    return next(dict(one["address"]) for one in data if "panels" in one)


def megabytes(pid: int) -> float:
    """Give the memory of a process (resident set size), in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("Rss:"))


def cpu_s(pid: int, *, below: bool = True) -> float:
    """Give the processor seconds of a process, and of those that it started."""
    process = Path(f"/proc/{pid}")
    *_, user, system = (process / "stat").read_text().rpartition(")")[2].split()[:13]
    own = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    children = [child for told in process.glob("task/*/children") for child in told.read_text().split()]
    return own + (sum(cpu_s(int(child)) for child in children) if below else 0.0)
