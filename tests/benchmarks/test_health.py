"""What it costs to ask a server of many projects how it is."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.routes.health import HEALTH_ROUTES
from app.routes.metrics import METRICS_ROUTES
from squint.library.place import project_home
from squint.library.store import Library

pytestmark = pytest.mark.benchmark
N = 100


@pytest.mark.parametrize("n_projects", [1, 10, 50])
@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_asking_costs_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, n_projects: int
) -> None:
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SQUINT_METRICS", "loopback")
    root = Library(tmp_path / "home")
    for n in range(n_projects - 1):
        Library(project_home(root.home, f"{n:016x}"))
    app = Starlette(routes=[*HEALTH_ROUTES, *METRICS_ROUTES])
    with TestClient(app, client=("127.0.0.1", 50_000)) as client:
        taken = []
        for _ in range(N + 1):
            began = time.perf_counter()
            client.get(path)
            taken.append(1000 * (time.perf_counter() - began))
    half, most = np.percentile(taken[1:], [50, 95])
    print(
        f"\nload {os.getloadavg()[0]:.1f}; GET {path} of {n_projects} projects: first {taken[0]:.0f} ms, "
        f"then p50 {half:.1f} ms, p95 {most:.1f} ms"
    )
    assert half < 20 or os.getloadavg()[0] > 1
