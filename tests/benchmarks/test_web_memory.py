"""How much memory the web process takes over many visits, and once all have left."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import pytest

from app.leaving import EVERY_S, LEFT_S
from app.web.kept import IDLE_S
from tests.helpers.dashboard import server_of
from tests.helpers.tissue import library_of
from tests.helpers.visits import megabytes, pages_of, visit

pytestmark = pytest.mark.benchmark
Record = Callable[[str, str, str], None]


def visited(address: str, pid: int, pages: list[str]) -> list[float]:
    """Visit pages, each in a session of its own; give the memory after every tenth visit, in MB."""
    taken = []
    for n, page in enumerate(pages, 1):
        visit(address, page)
        if n % 10 == 0:
            taken.append(megabytes(pid))
            print(f"{n} visits: {taken[-1]:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)
    return taken


def visited_by_several(address: str, pid: int, pages: list[str]) -> list[float]:
    """Visit pages, six at a time; give the memory after every twentieth visit, in MB."""
    taken = []
    with ThreadPoolExecutor(6) as pool:
        for start in range(0, len(pages), 20):
            list(pool.map(partial(visit, address), pages[start : start + 20]))
            taken.append(megabytes(pid))
            print(f"{start + 20} visits: {taken[-1]:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)
    return taken


def left(pid: int, seconds: float) -> float:
    """Wait until what is let go by itself is gone; give the memory, in MB."""
    time.sleep(seconds + 2 * EVERY_S)
    return megabytes(pid)


def test_all_pages_with_the_sample_cohort(tmp_path: Path, record: Record):
    (home := tmp_path / "library").mkdir()
    with server_of(home) as (address, pid):
        pages = pages_of(address)
        for page in pages:  # imports the cohort, and computes what each page shows
            visit(address, page)
        first = megabytes(pid)
        taken = visited(address, pid, list(islice(cycle(pages), 80)))
        record(
            "Web process, 80 visits of all pages", f"{first:.0f} MB, then {taken[-1]:.0f} MB", "within 10 %"
        )
        several = visited_by_several(address, pid, list(islice(cycle(pages), 120)))
        record("Web process, 120 more, six at a time", f"{several[-1]:.0f} MB", "within 10 %")
        record("Web process, after the last has left", f"{left(pid, LEFT_S):.0f} MB", f"{first:.0f} MB")
    assert max(taken) < 1.1 * taken[0]
    assert max(several) < 1.1 * several[0]


def test_one_large_section(tmp_path: Path, record: Record):
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": 230_000})
    with server_of(home) as (address, pid):
        visit(address, "")
        first = megabytes(pid)
        taken = visited(address, pid, [""] * 140)
        record(
            "Web process, 140 visits of a section of 230,000 cells",
            f"{first:.0f} MB, then {taken[-1]:.0f} MB",
            "within 10 %",
        )
        record("Web process, after the last has left", f"{left(pid, LEFT_S):.0f} MB", f"{first:.0f} MB")
        record(
            "Web process, once nobody asked for its tables in a while",
            f"{left(pid, IDLE_S - LEFT_S):.0f} MB",
            f"{first:.0f} MB",
        )
    assert max(taken) < 1.1 * taken[0]
