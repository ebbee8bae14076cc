"""The check for known vulnerabilities says none only where a source, here one of the test, said so."""

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.helpers.dashboard import free_port
from tests.helpers.vulnerabilities import FOUND, NONE, UNKNOWN, main

pytestmark = pytest.mark.slow
PACKAGES = {"numpy": "2.4.6", "torch": "2.13.0+cpu"}


@contextmanager
def osv(*vulnerable: str) -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """Answer as https://api.osv.dev does; give the options that name this source, and what it was asked."""
    asked: list[tuple[str, str]] = []

    class Source(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = query["package"]["name"]
            asked.append((name, query["version"]))
            one = {
                "id": f"PYSEC-0-{name}",
                "summary": "as known",
                "published": "2021-01-01T00:00:00Z",
                "affected": [
                    {
                        "package": {"name": name, "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
                    }
                ],
            }
            body = json.dumps({"vulns": [one]} if name in vulnerable else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ["-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"], asked
    finally:
        server.shutdown()
        server.server_close()


def test_none_is_said_where_the_source_knows_others(capsys) -> None:
    with osv("jinja2") as (source, asked):
        assert main(source, PACKAGES) == NONE
    assert asked[:2] == [("numpy", "2.4.6"), ("torch", "2.13.0")]
    assert "2 packages, asked of osv" in (said := capsys.readouterr().out)
    assert "No vulnerability is known." in said


def test_what_is_known_is_said_with_the_version_that_mends_it(capsys) -> None:
    with osv("jinja2", "torch") as (source, _):
        assert main(source, PACKAGES) == FOUND
    assert "torch 2.13.0: PYSEC-0-torch, mended in 99.1" in capsys.readouterr().out


def test_a_source_that_knows_nothing_at_all_is_not_believed(capsys) -> None:
    with osv() as (source, _):
        assert main(source, PACKAGES) == UNKNOWN
    assert "says nothing about others" in (said := capsys.readouterr().out)
    assert "No vulnerability" not in said


def test_without_a_network_nothing_is_known(capsys) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/v1/query"
    assert main(["-s", "osv", "--osv-url", nobody], PACKAGES) == UNKNOWN
    assert "could not be reached" in capsys.readouterr().out


def advisory(key: str, name: str, *events: dict[str, str], **more: object) -> dict[str, object]:
    """Write an advisory as OSV's file of all holds it."""
    part = {
        "package": {"name": name, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": key, "modified": "2026-11-01T00:00:00Z", "affected": [part | more]}


JINJA2 = advisory("PYSEC-2021-66", "jinja2", {"introduced": "0"}, {"fixed": "2.11.3"})


def write(path: Path, *advisories: dict[str, object]) -> list[str]:
    """Write a file of advisories; give the options that name it."""
    with zipfile.ZipFile(path, "w") as archive:
        for one in advisories:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return ["--advisories", str(path)]


def test_a_file_of_advisories_is_asked_without_a_network(tmp_path: Path, capsys) -> None:
    fixed = advisory("A", "NumPy", {"introduced": "1.0"}, {"fixed": "2.4.6"})
    again = advisory("B", "torch", {"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "2.14"})
    gone = {**advisory("C", "torch", {"introduced": "0"}), "withdrawn": "2026-01-01T00:00:00Z"}
    source = write(tmp_path / "all.zip", JINJA2, fixed, again, gone)
    assert main(source, PACKAGES) == NONE
    assert "asked of 3 advisories of all.zip, the newest of 2026-11-01, on" in (
        said := capsys.readouterr().out
    )
    assert "No vulnerability is known." in said


def test_what_a_file_of_advisories_knows_is_said(tmp_path: Path, capsys) -> None:
    last = advisory("A", "numpy", {"introduced": "0"}, {"last_affected": "2.4.6"})
    listed = advisory("B", "torch", {"introduced": "3"}, {"fixed": "3.1"}, versions=["2.13.0"])
    assert main(write(tmp_path / "all.zip", JINJA2, last, listed), PACKAGES) == FOUND
    said = capsys.readouterr().out
    assert "numpy 2.4.6: A, mended in no version yet" in said
    assert "torch 2.13.0: B, mended in 3.1" in said


def test_a_file_of_advisories_that_is_none_is_not_believed(tmp_path: Path, capsys) -> None:
    assert main(write(tmp_path / "all.zip"), PACKAGES) == UNKNOWN
    assert "says nothing about others" in capsys.readouterr().out
    (tmp_path / "all.zip").write_text("an error page")
    for path in (tmp_path / "all.zip", tmp_path / "none.zip"):
        assert main(["--advisories", str(path)], PACKAGES) == UNKNOWN
        assert "could not be reached or read" in (said := capsys.readouterr().out)
        assert "No vulnerability" not in said
