"""The pipe by which the engine is woken."""

import os
import threading
import time
from pathlib import Path

import pytest

from squint.engine import bell
from squint.engine.bell import FILE, Bell, ring
from squint.library.place import project_home


def test_whoever_rings_for_any_library_of_a_server_wakes_its_engine(tmp_path: Path) -> None:
    own = Bell(tmp_path)
    assert not own.wait(0)
    for home in (tmp_path, project_home(tmp_path, "0a" * 8)):
        began = time.monotonic()
        threading.Timer(0.1, ring, [home]).start()
        assert own.wait(30)
        assert time.monotonic() - began < 10
        assert not own.wait(0)  # once for all that came before
    own.ring()
    assert own.wait(0)
    own.close()


def test_a_bell_that_nobody_hears_keeps_nobody_waiting(tmp_path: Path) -> None:
    ring(tmp_path)  # no engine was ever there
    own = Bell(tmp_path)
    for _ in range(100_000):  # more than a pipe holds
        own.ring()
    ring(tmp_path)
    assert own.wait(0)
    assert not own.wait(0)
    own.close()
    own.ring()
    ring(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_that_name_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("kept")
    ring(tmp_path)
    assert (tmp_path / FILE).read_text() == "kept"
    own = Bell(tmp_path)  # and one that an engine left which was killed is no hindrance
    assert own.reaches_others
    ring(tmp_path)
    assert own.wait(0)
    own.close()


def test_where_the_disk_knows_no_pipes_the_engine_rings_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mkfifo", refuse)
    own = bell.Bell(tmp_path)
    assert not own.reaches_others
    own.ring()
    assert own.wait(0)
    assert not own.wait(0)
    own.close()
    own.ring()
