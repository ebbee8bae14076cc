"""The dashboard behind nginx with TLS, by the configuration that the documentation gives."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Client, ConnectError, get
from playwright.sync_api import Browser, expect

from squint import datasets
from squint.chrome import find_chrome
from squint.files import sha256
from squint.library.staging import UPLOADS
from tests.helpers.dashboard import PATIENCE, follow_link, free_port, server_of
from tests.helpers.paths import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
CONF = ROOT / "docs" / "administrators" / "nginx.conf"


def certify(folder: Path) -> None:
    """Make a key, and a certificate that it signs itself."""
    made = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *made]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def nginx(folder: Path, dashboard: str) -> Iterator[tuple[int, int]]:
    """Run nginx as the documentation says, with other names and ports; give those of http and of https."""
    certify(folder)
    plain, encrypted = free_port(), free_port()
    text = CONF.read_text()
    for old, new in (
        ("server 127.0.0.1:8501", f"server {dashboard.removeprefix('http://')}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{encrypted} ssl"),
        ("/etc/ssl/certs/squint.pem", f"{folder}/cert.pem"),
        ("/etc/ssl/private/squint.key", f"{folder}/key.pem"),
        ("/var/log/nginx/squint.log", f"{folder}/access.log"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    text = text.replace("dashboard.example.org", "localhost")
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
    whole += f"events {{}}\nhttp {{ {places}\n{text}\n}}\n"
    (folder / "nginx.conf").write_text(whole)
    assert NGINX is not None
    running = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                get(f"http://127.0.0.1:{plain}/", timeout=20)
                break
            except ConnectError:
                assert running.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.1)
        yield plain, encrypted
    finally:
        running.terminate()
        running.wait(20)


def test_pages_sockets_and_uploads_pass_and_metrics_do_not(browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "library"
    home.mkdir()
    (home / "samples_imported").touch()
    adata = datasets.toy(n_cells=60_000, n_sections=1)
    adata.layers["more"] = adata.X.toarray()  # so that it takes many blocks
    adata.write_h5ad(path := tmp_path / "section.h5ad")
    assert path.stat().st_size > 5_000_000  # more than nginx holds in memory, or lets pass by itself
    (proxy := tmp_path / "proxy").mkdir(mode=0o755)
    with server_of(home, SQUINT_METRICS="loopback") as (direct, _), nginx(proxy, direct) as (plain, port):
        address = f"https://localhost:{port}"
        with Client(verify=False, timeout=60) as client:
            moved = client.get(f"http://127.0.0.1:{plain}/x?y=1", headers={"Host": "localhost"})
            assert (moved.status_code, moved.headers["location"]) == (301, "https://localhost/x?y=1")
            assert client.get(f"{address}/health").text == "ok"
            assert client.get(f"{address}/metrics").status_code == 404
            assert client.get(f"{direct}/metrics").status_code == 200
            assert client.get(f"{direct}/metrics", headers={"X-Forwarded-For": "::1"}).status_code == 404

        page = browser.new_context(ignore_https_errors=True).new_page()
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(address)
        expect(page.get_by_text("Drop a folder or a file here")).to_be_visible(timeout=PATIENCE)
        page.locator(".drop input.file").set_input_files(path)
        expect(page.get_by_text("section.h5ad has come:")).to_be_visible(timeout=PATIENCE)
        (came,) = (home / UPLOADS).glob("*/[!.]*")
        assert sha256(came) == sha256(path)
        heard = page.get_by_text("patient", exact=False)  # what a worker found in it came by the socket
        expect(heard.first).to_be_visible(timeout=2 * PATIENCE)
        follow_link(page, "Jobs")
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible(timeout=PATIENCE)
        assert sockets
        assert all(url.startswith(f"wss://localhost:{port}/") for url in sockets)
        page.context.close()
    log = (proxy / "access.log").read_text()
    assert re.search(r"PUT /upload/[0-9a-f]{32} 201 ", log)
    assert "?" not in log  # signatures are in queries
    assert not [line for line in (proxy / "error.log").read_text().splitlines() if "[notice]" not in line]
