"""In what order workers are made ready: the first page and the first job have the cores."""

from pathlib import Path

import pytest

from squint.engine.lanes import FILES, LANES, MODEL, SHORT
from squint.library.database import database
from squint.library.jobs import Jobs
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.engine import Engine

TASKS = "tests.helpers.noted_starts"

pytestmark = pytest.mark.slow


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name the file in which workers note their starts."""
    path = tmp_path / "starts"
    monkeypatch.setenv("STARTS", str(path))
    return path


def asked(home: Path, task: str, lane: str) -> int:
    """Ask for a job before there is an engine."""
    jobs = Jobs(database(Library(home).home))
    return jobs.submit(task, {"steps": 50}, module=TASKS, lane=lane, asker="ann", limit_s=3600).id


def test_lanes_are_made_ready_one_after_the_other(home: Path, starts: Path) -> None:
    engine = Engine(home, TASKS)
    wait_for(lambda: starts.read_text().count("is ready") == len(LANES), 60)
    assert starts.read_text().splitlines() == [
        f"{lane} {what}" for lane in (FILES, MODEL, SHORT) for what in ("begins", "is ready")
    ]
    engine.close()


def test_a_lane_with_a_job_is_made_ready_at_once_and_the_others_after_it(home: Path, starts: Path) -> None:
    number = asked(home, "count", SHORT)
    engine = Engine(home, TASKS)
    lines = starts.read_text().splitlines()
    assert lines[:2] == [f"{SHORT} begins", f"{SHORT} is ready"]
    assert lines[2:] == [f"{lane} {what}" for lane in (FILES, MODEL) for what in ("begins", "is ready")]
    wait_for(lambda: engine.jobs.get(number).answer == "finished", 60)
    engine.close()
