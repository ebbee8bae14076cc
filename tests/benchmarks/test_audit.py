"""What the audit log costs: a note, a row, a page of a million rows, and their whole chain followed."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from squint.library import audit, chain
from squint.library.acting import Actor
from squint.library.chain import ACTIONS, CELLS, EXPORTED, FIGURE, Entry
from squint.library.database import FILE, Database, database

pytestmark = pytest.mark.benchmark

N_ROWS, N_NOTES, N_THREADS = 1_000_000, 300, 20


def fill(log: Database, n_rows: int) -> None:
    """Add rows of 20 people and 500 sections."""
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 5_000):
        ids = [f"{number:016x}" for number in rng.integers(500, size=min(5_000, n_rows - start))]
        actions = rng.choice(ACTIONS[:5], size=len(ids))
        with log.writing() as session:
            entries = [Entry(str(action), CELLS, one, one) for action, one in zip(actions, ids, strict=True)]
            chain.append(session, entries, Actor(int(rng.integers(20)), "tokens"))


def took(do: Callable[[], object], n: int = 5) -> float:
    """Give the median of milliseconds."""
    times = []
    for _ in range(n):
        began = time.perf_counter()
        do()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e3


def noted_by_threads(home: Path) -> tuple[float, float, float]:
    """Give median, 95th percentile and most of milliseconds that a note takes beside others."""
    times: list[float] = []

    def note() -> None:
        for _ in range(N_NOTES // 3):
            began = time.perf_counter()
            audit.note(home, Entry(EXPORTED, FIGURE))
            times.append((time.perf_counter() - began) * 1e3)

    threads = [threading.Thread(target=note) for _ in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    half, most = np.percentile(times, [50, 95])
    return float(half), float(most), max(times)


def test_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    log = database(tmp_path)
    notes = []
    for _ in range(N_NOTES):
        began = time.perf_counter()
        audit.note(tmp_path, Entry(EXPORTED, FIGURE, section="ab" * 8))
        notes.append((time.perf_counter() - began) * 1e3)
    p50, p95 = np.percentile(notes, [50, 95])
    print(f"\na note on SQLite: median {p50:.1f} ms, p95 {p95:.1f} ms (n = {N_NOTES})")
    half, most, longest = noted_by_threads(tmp_path)
    print(f"by {N_THREADS} threads: median {half:.1f} ms, p95 {most:.1f} ms, most {longest:.0f} ms")
    fill(log, N_ROWS)
    with log.reading():
        n = audit.head(log).n
    print(f"a row: {(tmp_path / FILE).stat().st_size / n:.0f} bytes on disk, with its places in indexes")
    half = n // 2
    for what, do in {
        "the newest 100": lambda: audit.rows(log, audit.Filter()),
        "100 from the middle": lambda: audit.rows(log, audit.Filter(), before=half),
        "of a person": lambda: audit.rows(log, audit.Filter(person="3")),
        "of a section": lambda: audit.rows(log, audit.Filter(section=f"{7:016x}")),
        "of person, action and section": lambda: audit.rows(log, audit.Filter("3", "seen", f"{7:016x}")),
        "of a time that has none": lambda: audit.rows(log, audit.Filter(until="2001-01-01")),
        "whoever is in it": lambda: audit.people(log),
    }.items():
        print(f"{what}, of {n:,} rows: {took(do):.1f} ms")
    began = time.perf_counter()
    assert audit.verify(log).problem == ""
    print(f"the chain of {n:,} rows: {time.perf_counter() - began:.1f} s")
    log.close()
