"""A server that the network can reach does not start unless somebody keeps others out."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from app import listening
from app.web.doors import Doors
from squint.errors import InputError
from tests.helpers.dashboard import end_engine, free_port
from tests.helpers.paths import ROOT

ANYWHERE = "0.0.0.0"  # noqa: S104


def run(home: Path, *options: str, cwd: Path = ROOT, **more: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "app" / "main.py"),
        "--server.headless=true",
    ]
    environment = {**os.environ, "SQUINT_HOME": str(home), "PYTHONPATH": str(ROOT), **more}
    with (home.parent / "server.log").open("w") as log:
        return subprocess.Popen([*command, *options], cwd=cwd, env=environment, stdout=log, stderr=log)


@pytest.mark.parametrize("how", ["option", "environment", "file"])
def test_a_server_that_anybody_can_reach_does_not_start(tmp_path: Path, how: str) -> None:
    """Row 63: bound beyond the loopback, by whatever way, without sign-in."""
    options, more, cwd = [f"--server.port={free_port()}"], {}, ROOT
    if how == "option":
        options += [f"--server.address={ANYWHERE}"]
    elif how == "environment":
        more = {"STREAMLIT_SERVER_ADDRESS": "::"}
    else:
        cwd = tmp_path / "elsewhere"
        (cwd / ".streamlit").mkdir(parents=True)
        config = (ROOT / ".streamlit" / "config.toml").read_text()
        (cwd / ".streamlit" / "config.toml").write_text(
            config.replace('"127.0.0.1" # app/', '"0.0.0.0" # app/')
        )
    server = run(tmp_path / "home", *options, cwd=cwd, **more)
    server.wait(120)
    said = (tmp_path / "server.log").read_text()
    assert server.returncode != 0
    assert "Not started: squint does not listen on" in said
    assert "SQUINT_BEHIND" in said
    assert "Traceback" not in said
    assert not (tmp_path / "home").exists()  # neither a library nor an engine


@pytest.mark.parametrize("behind", ["loopback", "proxy"])
def test_a_server_starts_where_it_is_said_who_keeps_others_out(tmp_path: Path, behind: str) -> None:
    port = free_port()
    home = tmp_path / "home"
    home.mkdir()
    (home / "samples_imported").touch()
    server = run(home, f"--server.port={port}", f"--server.address={ANYWHERE}", SQUINT_BEHIND=behind)
    try:
        for _ in range(600):
            assert server.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
                continue
            break
        told = ask_at(own_address(), port)
        assert told.startswith(b"HTTP/1.1 400")  # it listens there, and is not known by that name
    finally:
        server.terminate()
        server.wait(60)
        end_engine(home)


def own_address() -> str:
    """Find an address of this machine in a network, or skip."""
    command = [shutil.which("ip") or "false", "-o", "-4", "addr"]
    told = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    found = [line.split()[3].partition("/")[0] for line in told.splitlines()]
    beyond = [address for address in found if not address.startswith("127.")]
    if not beyond:
        pytest.skip("this machine has no address in a network")
    return beyond[0]


def ask_at(address: str, port: int) -> bytes:
    with socket.create_connection((address, port), timeout=60) as line:
        line.sendall(f"GET / HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n".encode())
        return line.recv(65536)


def test_a_setting_that_says_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUINT_BEHIND", "yes")
    with pytest.raises(InputError, match="SQUINT_BEHIND must be 'loopback' or 'proxy'"):
        listening.behind()


def test_names_of_a_proxy_are_read_and_what_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUINT_HOSTS", " Squint.Example.org, 10.0.0.7,,fd00::7 ")
    assert listening.hosts() == {"squint.example.org", "10.0.0.7", "fd00::7"}
    monkeypatch.delenv("SQUINT_HOSTS")
    assert listening.hosts() == frozenset()
    for wrong in ("squint.example.org:443", "https://squint.example.org", "a b/", "me@x"):
        monkeypatch.setenv("SQUINT_HOSTS", wrong)
        with pytest.raises(InputError, match="SQUINT_HOSTS must hold names of hosts"):
            listening.hosts()


@pytest.mark.parametrize(("beyond", "status"), [(False, 403), (True, 200)])
def test_what_comes_in_at_an_address_of_the_network_is_refused_however_the_server_was_bound(
    status: int, *, beyond: bool
) -> None:
    """Row 63: as by ``uvicorn app.main:app --host 0.0.0.0``, past what reads Streamlit's settings."""
    doors = Doors(PlainTextResponse("hello"), hosts=["10.0.0.7"], beyond=beyond)
    assert TestClient(doors, base_url="http://10.0.0.7:8501").get("/").status_code == status
    assert TestClient(doors, base_url="http://127.0.0.1:8501").get("/").status_code == 200
