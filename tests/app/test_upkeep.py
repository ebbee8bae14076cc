"""What the server does without being visited."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from app.upkeep import upkeep
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.dashboard import free_port, serve
from tests.helpers.loops import finish
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow


def leave_staged(home: Path) -> Path:
    """Have a process stage something and end."""
    script = (
        "import sys; from pathlib import Path; from squint.library.store import Library;"
        "print(Library(Path(sys.argv[1])).workspace())"
    )
    command = [sys.executable, "-c", script, str(home)]
    return Path(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip())


def test_a_server_sweeps_what_dead_ones_staged_before_anybody_visits_and_no_other_servers(
    tmp_path: Path,
) -> None:
    home = tmp_path / "library"
    left = leave_staged(home)
    mine = Library(home).workspace()
    assert left.exists()
    server = serve(home, free_port())
    try:
        wait_for(lambda: not left.exists())
        assert mine.exists()
    finally:
        server.kill()
        server.wait(20)


def test_a_library_that_cannot_be_used_is_logged_and_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "file" / "library"))

    async def serve_a_while() -> None:
        async with upkeep(None):
            while "could not be swept" not in caplog.text:
                await asyncio.sleep(0.01)

    finish(asyncio.wait_for(serve_a_while(), 20))
