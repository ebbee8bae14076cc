"""What is counted, for whom, and that no label says anything of anybody."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from app.engine.client import ask, jobs_of
from app.requests import Validate
from app.routes.maps import ROUTES
from app.routes.metrics import METRICS_ROUTES
from app.routes.uploads import UPLOAD_ROUTES
from app.web.measures import Measure
from squint.engine.lanes import FILES
from squint.library.database import database
from squint.library.place import project_home
from squint.library.store import Library
from tests.helpers.paths import ROOT
from tests.helpers.postgres import postgres

TOKEN = "a token of the test"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PERSON = "MEIER_Erna"
LABELS = {
    *("method", "route", "status", "page", "outcome", "state", "lane", "version", "le"),
}


@pytest.fixture
def client(library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Give a server of all our routes; metrics are off."""
    assert library.home
    for name in ("SQUINT_METRICS", "SQUINT_METRICS_TOKEN", "SQUINT_METRICS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    routes = [*ROUTES, *UPLOAD_ROUTES, *METRICS_ROUTES]
    app = Starlette(routes=routes, middleware=[Middleware(Measure)])
    with TestClient(app, client=("127.0.0.1", 50_000)) as running:
        yield running


@pytest.fixture
def allowed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("SQUINT_METRICS_TOKEN", TOKEN)
    return client


def read(client: TestClient) -> dict[str, Metric]:
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    found = [
        one.value
        for family in families.values()
        for one in family.samples
        if one.name == sample and one.labels == labels
    ]
    return found[0] if found else 0.0


def test_metrics_are_off_until_they_are_allowed(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer other"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}],
)
def test_whoever_has_no_token_learns_nothing(allowed: TestClient, headers: dict[str, str]) -> None:
    assert allowed.get("/metrics", headers=headers).text == "Not Found"


def test_a_token_from_a_file_is_asked_for_from_this_machine_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("SQUINT_METRICS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("SQUINT_METRICS", "loopback")
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers=BEARER).status_code == 200
    (tmp_path / "token").unlink()  # no token is not any token
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_programs_of_this_machine_may_ask_but_not_through_a_proxy(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUINT_METRICS", "loopback")
    assert client.get("/metrics").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert client.get("/metrics", headers={name: "for=10.0.0.9"}).status_code == 404
    app = client.app
    for host in ("10.0.0.9", "testclient", "::ffff:10.0.0.9"):
        assert TestClient(app, client=(host, 50_000)).get("/metrics").status_code == 404
    assert TestClient(app, client=("::1", 50_000)).get("/metrics").status_code == 200


def test_the_text_is_openmetrics(allowed: TestClient) -> None:
    answer = allowed.get("/metrics", headers=BEARER)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.endswith("# EOF\n")
    families = read(allowed)
    project = (ROOT / "pyproject.toml").read_text()
    (version,) = re.findall(r'^version = "(.*?)"', project, re.MULTILINE)
    assert value(families, "squint_build_info", version=version) == 1
    assert value(families, "squint_library_up") == 1
    assert value(families, "process_resident_memory_bytes") > 1e7
    assert 0 < value(families, "squint_disk_free_bytes") <= value(families, "squint_disk_bytes")


def test_requests_are_counted_by_template_and_no_label_says_what_was_asked(allowed: TestClient) -> None:
    route = {"method": "GET", "route": "/map/buffer/{project}/{name}", "status": "403"}
    before = value(read(allowed), "squint_request_seconds_count", **route)
    for name in (PERSON, f"{PERSON}?sample={PERSON}", "1234"):
        allowed.get(f"/map/buffer/first/{name}")
    allowed.get(f"/map/{PERSON}/cell/1/2?x={PERSON}")
    allowed.get(f"/{PERSON}")
    allowed.request(PERSON, f"/upload/{PERSON}", headers={"X-File-Name": PERSON, "X-Request-Id": PERSON})
    text = allowed.get("/metrics", headers=BEARER).text
    assert PERSON not in text
    families = read(allowed)
    assert value(families, "squint_request_seconds_count", **route) == before + 3
    assert {name for one in families.values() for s in one.samples for name in s.labels} <= LABELS
    values = {v for one in families.values() for s in one.samples for k, v in s.labels.items() if k != "le"}
    assert not [v for v in values if re.search(r"[0-9a-f]{12}", v)]


def test_streamlits_own_metrics_are_closed(allowed: TestClient) -> None:
    for path in ("/_stcore/metrics", "/_stcore/metrics/", "/any/_stcore/metrics?families=x"):
        assert allowed.get(path, headers=BEARER).status_code == 404


def test_jobs_are_counted_by_lane_and_state_and_each_that_ended_once(
    allowed: TestClient, library: Library
) -> None:
    first = read(allowed)
    job = ask(Validate(path=f"{PERSON}.h5ad"), library, about=PERSON)
    waiting = read(allowed)
    assert value(waiting, "squint_jobs", lane=FILES, state="queued") == 1
    assert value(waiting, "squint_job_longest_wait_seconds", lane=FILES) >= 0
    jobs = jobs_of(library)
    taken = jobs.take(job.id, "an engine", "a worker")
    assert taken is not None
    jobs.fail(job.id, taken.tries, PERSON)
    done = {"lane": FILES, "state": "failed"}
    for _ in range(2):
        after = read(allowed)
        assert value(after, "squint_jobs", **done) == 1
        for name, labels in (
            ("squint_job_seconds_count", done),
            ("squint_job_wait_seconds_count", {"lane": FILES}),
        ):
            assert value(after, name, **labels) == value(first, name, **labels) + 1
    assert PERSON not in allowed.get("/metrics", headers=BEARER).text


def test_projects_in_postgresql_are_counted_too(
    allowed: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with postgres() as server:
        monkeypatch.setenv("SQUINT_DATABASE_URL", server.create("metrics"))
        monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "server"))
        project = Library(project_home(Library(tmp_path / "server").home, "0a" * 8))
        ask(Validate(path="a.h5ad"), project)
        found = read(allowed)
        assert value(found, "squint_libraries") == 2
        assert value(found, "squint_jobs", lane=FILES, state="queued") == 1
        database(tmp_path / "server").close()


def test_a_library_that_does_not_answer_is_said(
    allowed: TestClient, library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "file" / "library"))
    assert value(read(allowed), "squint_library_up") == 0
    database(library.home)
