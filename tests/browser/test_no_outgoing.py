"""The server and its engine connect to nothing beyond this machine, from the start to an export."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from squint import datasets
from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, end_engine, free_port, open_page, save_pdf, serve
from tests.helpers.paths import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
NOTES = ROOT / "tests" / "helpers" / "noted_connections"
STRACE = shutil.which("strace")
_TRACED = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')


def here(address: str) -> bool:
    """Say whether an address is of this machine."""
    return address.startswith(("127.", "::ffff:127.")) or address in {"::1", "localhost", "::", "0.0.0.0"}  # noqa: S104


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("upload") / "new_section.h5ad"
    adata = datasets.kidney(seed=7)[0]
    adata.obs = adata.obs[["section_id", "patient_id", "cell_type"]].copy()
    adata.write_h5ad(path)
    return path


def noted(path: Path) -> Iterator[str]:
    """Give what Python's processes asked for, but paths of sockets of this machine, and no address."""
    for line in path.read_text().splitlines():
        asked = line.split(" ")[1].strip("'\"")
        if asked not in {"None", ""} and not asked.startswith(("/", "b'", "\\x00")) and not here(asked):
            yield line


def traced(path: Path) -> Iterator[str]:
    """Give what any process connected or sent to, as its kernel saw it."""
    for line in path.read_text(errors="replace").splitlines():
        if not all(map(here, _TRACED.findall(line))):
            yield line


def test_nothing_is_connected_to_beyond_this_machine(browser: Browser, section: Path, tmp_path: Path) -> None:
    """Rows 67 and 81: started as in a container, over upload, tokens, an export, and a foreign socket."""
    home, notes, trace = tmp_path / "home", tmp_path / "notes", tmp_path / "trace"
    home.mkdir()
    (home / "samples_imported").touch()
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    under = [STRACE, "-D", "-f", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(trace)] if STRACE else []
    port = free_port()
    watched = {"PYTHONPATH": f"{NOTES}{os.pathsep}{ROOT}", "NOTED_CONNECTIONS": str(notes)}
    server = serve(
        home,
        port,
        under=under,
        address="0.0.0.0",  # noqa: S104 - as the container's command says
        SQUINT_BEHIND="loopback",
        **watched,
    )
    try:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"http://127.0.0.1:{port}")
        page.locator(".drop input.file").set_input_files(section)
        page.get_by_role("button", name="Keep and tokenise").click(timeout=2 * PATIENCE)
        expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=3 * PATIENCE)
        open_page(page, "Tokens")
        open_page(page, "Risk map")
        save_pdf(page, tmp_path / "risk_map.pdf")
        with (
            pytest.raises(InvalidStatus),
            connect(f"ws://127.0.0.1:{port}/_stcore/stream", origin=Origin("https://evil.example")),
        ):
            pass
        page.context.close()
    finally:
        server.terminate()
        server.wait(60)
        end_engine(home)
    assert list(noted(notes)) == []
    assert "127.0.0.1" in notes.read_text()  # the hook heard the engine's own
    assert "squint/engine/__main__.py" in notes.read_text()
    if STRACE:
        assert list(traced(trace)) == []
        assert 'inet_addr("127.0.0.1")' in trace.read_text(errors="replace")


def test_what_would_be_connected_to_is_heard(tmp_path: Path) -> None:
    """The listener of the test above hears both a name and a number, from a child of a process too."""
    notes, trace = tmp_path / "notes", tmp_path / "trace"
    child = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    watched = {**os.environ, "PYTHONPATH": str(NOTES), "NOTED_CONNECTIONS": str(notes)}
    under = [STRACE, "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect", "-o", str(trace)] if STRACE else []
    subprocess.run([*under, sys.executable, "-c", script], env=watched, check=False, capture_output=True)
    assert len(list(noted(notes))) == 1
    if STRACE:
        assert len(list(traced(trace))) == 1
