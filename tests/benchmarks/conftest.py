"""What the benchmarks of cost found, as one table."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "bench.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take how many people are at the server, for how long, and how large what they upload is."""
    parser.addoption("--users", type=int, default=20, help="people at the server (test_load.py)")
    parser.addoption("--minutes", type=float, default=5, help="for so long (test_load.py)")
    parser.addoption("--upload-mb", type=float, default=50, help="size of what they upload (test_load.py)")


@pytest.fixture(scope="session")
def record() -> Iterator[Callable[[str, str, str], None]]:
    """Note what was measured and what was wanted; all is written to bench.md in the end."""
    rows: list[tuple[str, str, str]] = []

    def note(what: str, measured: str, wanted: str) -> None:
        rows.append((what, measured, wanted))
        print(f"{what}: {measured} (wanted: {wanted})", flush=True)

    yield note
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {datetime.now(UTC):%d %B %Y}"
    lines = [
        f"| {machine} | measured | wanted |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    TABLE.write_text("\n".join([*lines, ""]))
    print(f"\nWritten to {TABLE.name}.")
