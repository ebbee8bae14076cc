"""What the server, its engine and its workers log of somebody with a telling file: nothing of it."""

import json
import socket
from pathlib import Path

import pytest
from httpx2 import get
from playwright.sync_api import Browser, expect

from squint import datasets
from squint.chrome import find_chrome
from squint.library.staging import UPLOADS
from tests.helpers.dashboard import PATIENCE, follow_link, server_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
PERSON = "MEIER_Erna_1931-02-03"
OTHERS = ("Schmidt_Otto", "4711-0815", "Kowalska")  # patient, column and query


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a section that names a person wherever a file can, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("files")
    adata = datasets.toy(n_cells=200, n_sections=1)
    adata.obs["patient_id"] = OTHERS[0]
    adata.obs[f"record {OTHERS[1]}"] = OTHERS[1]
    adata.write_h5ad(folder / f"{PERSON} %s {{x}}.h5ad")
    (folder / f"broken {PERSON}.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n" + PERSON.encode() * 100)
    return folder


def ask_oddly(address: str) -> None:
    """Send what no browser of ours sends, with a name in each part of it."""
    name = OTHERS[2]
    for path in (f"/{name}?q={name}", f"/map/buffer/{name}?expires={name}", f"/_stcore/stream?{name}"):
        get(address + path, headers={"X-File-Name": name, "Cookie": f"a={name}"})
    host, port = address.removeprefix("http://").split(":")
    hello = (
        f"GET /_stcore/stream?{name} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://other.example\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    for raw in (hello, f"{name} {name} {name}\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(raw.encode())
            line.recv(100)


@pytest.mark.parametrize("kind", ["json", "text"])
def test_no_log_holds_a_word_of_what_was_uploaded_or_asked(
    kind: str, browser: Browser, files: Path, tmp_path: Path
) -> None:
    home = tmp_path / "library"
    home.mkdir()
    (home / "samples_imported").touch()
    whole, broken = sorted(files.iterdir(), key=lambda path: path.name.startswith("broken"))
    with server_of(home, SQUINT_LOG=kind, SQUINT_METRICS="loopback") as (address, _):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"{address}/?sample={OTHERS[2]}")
        for path in (broken, whole):
            expect(page.get_by_text("Drop a folder or a file here")).to_be_visible(timeout=PATIENCE)
            page.locator(".drop input.file").set_input_files(path)
            expect(page.get_by_text("has come")).to_be_visible(timeout=PATIENCE)
            heard = page.get_by_text("cannot be read").or_(page.get_by_text("patient", exact=False))
            expect(heard.first).to_be_visible(timeout=PATIENCE)
            if path == broken:
                page.get_by_role("button", name="Remove").click()
        follow_link(page, "Jobs")
        page.wait_for_timeout(1_000)
        ask_oddly(address)
        metrics = get(f"{address}/metrics").text
        (upload,) = [path.name for path in (home / UPLOADS).iterdir()]
        page.context.close()
    assert "squint_job_seconds_count" in metrics
    log = (tmp_path / "server.log").read_text()
    for word in (PERSON, PERSON.split("_", maxsplit=1)[0], *OTHERS, str(files), upload):
        assert word.lower() not in log.lower(), word
        assert word.lower() not in metrics.lower(), word
    if kind == "json":
        said = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert {one["process"] for one in said} == {
            "web",
            "worker",
        }  # an engine says nothing when all is well
        events = {one["event"] for one in said}
        assert {"request", "page", "job ended"} <= events
        ended = [one for one in said if one["event"] == "job ended"]
        assert {one["task"] for one in ended} >= {"validate"}
        assert all(one["seconds"] >= 0 and one["job"] > 0 and one["lane"] for one in ended)
        assert all("{" in one["route"] or one["route"].count("/") < 4 for one in said if "route" in one)
    rest = [line for line in log.splitlines() if line.strip() and not line.startswith("{")]
    if kind == "json":
        assert [line.strip() for line in rest] == [
            "You can now view your Streamlit app in your browser.",
            f"URL: {address}",
        ]
