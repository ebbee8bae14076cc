"""The check for known vulnerabilities says none only where a source, here one of the test, said so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
