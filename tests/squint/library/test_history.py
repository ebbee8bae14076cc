"""Versions in the database: undo and redo, many at once, damage, and what an older library kept."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.library import history
from squint.library.database import database
from squint.library.history import History
from squint.library.records import HistoryHead, HistoryVersion, Record
from squint.library.store import Library

_MANY = """
import sys
from pathlib import Path
from squint.library.history import History
history = History(Path(sys.argv[1]), "things")
for i in range(25):
    history.commit(lambda content: (f"added {i}", [*(content or []), [sys.argv[2], i]]))
"""

_LOOK = """
import sys
from pathlib import Path
from squint.library.history import History
print(History(Path(sys.argv[1]), "things").now().content)
"""


@pytest.fixture
def things(library: Library) -> History:
    return History(library.home, "things")


def put(things: History, *names: str) -> None:
    for name in names:
        things.commit(lambda content, name=name: (f"added {name}", [*(content or []), name]))


def change_beside(library: Library, table: type[Record], where: str, **values: object) -> None:
    """Change a row as damage does: its hash stays."""
    with database(library.home).engine.begin() as connection:
        connection.execute(sa.update(table.__table__).where(sa.text(where)).values(**values))


def test_one_goes_back_and_forward_and_a_change_drops_what_was_undone(things: History) -> None:
    assert things.now() == history.Now()
    put(things, "a", "b", "c")
    assert (things.step(-1, None), things.step(-1, None)) == ("added c", "added b")
    now = things.now()
    assert (now.content, now.undo, now.redo) == (["a"], "added a", "added b")
    assert things.step(1, now.version) == "added b"
    with pytest.raises(InputError, match="changed meanwhile"):
        things.step(1, now.version)
    put(things, "d")
    assert things.now().content == ["a", "b", "d"]
    with pytest.raises(InputError, match="nothing to do again"):
        things.step(1, None)
    for _ in range(3):
        things.step(-1, None)
    assert things.now().content is None
    with pytest.raises(InputError, match="nothing to undo"):
        things.step(-1, None)


def test_a_change_that_fails_leaves_nothing(things: History) -> None:
    put(things, "a")
    before = things.now()

    def fails(content: object) -> tuple[str, object]:
        raise LookupError(content)

    with pytest.raises(LookupError):
        things.commit(fails)
    assert things.now() == before


def test_old_versions_go_and_no_number_is_used_twice(
    things: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_VERSIONS", 3)
    put(things, *"abcdef")
    with things.held() as contents:
        assert contents == [list("abcd"), list("abcde"), list("abcdef")]
    seen = things.now().version
    things.step(-1, None)
    put(things, "g")
    assert things.now().version > seen


def test_of_what_many_processes_do_at_once_nothing_is_lost(library: Library, things: History) -> None:
    work = [sys.executable, "-c", _MANY, str(library.home)]
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": root}
    running = [subprocess.Popen([*work, str(i)], env=env, cwd=root) for i in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    found = things.now().content
    assert len(found) == 100
    assert sorted(map(tuple, found)) == [(str(who), i) for who in range(4) for i in range(25)]
    for who in range(4):
        assert [i for name, i in found if name == str(who)] == list(range(25))


@pytest.mark.parametrize("values", [{"content": ["z"]}, {"what": "else"}])
def test_a_damaged_version_is_said_and_undone(
    library: Library,
    things: History,
    values: dict[str, object],
) -> None:
    put(things, "a", "b")
    change_beside(library, HistoryVersion, "number = 3", **values)
    now = things.now()
    assert now.content is None
    assert (
        now.damage
        == "The things are damaged in the library. Undo the last change of them, or restore a backup."
    )
    with pytest.raises(InputError, match="damaged"):
        put(things, "c")
    with things.held() as contents:
        assert contents is None
    assert things.step(-1, now.version) == "a change that is damaged"
    assert things.now().content == ["a"]
    assert things.now().redo == "a change that is damaged"
    put(things, "c")
    assert things.now().content == ["a", "c"]


def test_a_damaged_version_that_does_not_count_takes_nothing_down(library: Library, things: History) -> None:
    put(things, "a", "b")
    change_beside(library, HistoryVersion, "number = 2", content=["z"])
    assert things.now().content == ["a", "b"]
    put(things, "c")
    things.step(-1, None), things.step(-1, None)
    assert things.now().damage
    things.step(-1, None)
    assert not things.now().damage


def test_a_damaged_head_is_said_and_undoing_goes_to_the_last_version(
    library: Library,
    things: History,
) -> None:
    put(things, "a", "b")
    change_beside(library, HistoryHead, "name = 'things'", at=2)
    assert things.now().damage
    assert things.now().content is None
    with pytest.raises(InputError, match="damaged"):
        put(things, "c")
    things.step(-1, None)
    assert things.now().content == ["a", "b"]


def write_old(folder: Path, head: str = '{"versions": [1, 2, 3], "at": 1}') -> None:
    folder.mkdir()
    (folder / "lock").touch()
    (folder / "head.json").write_text(head)
    for number, (what, content) in enumerate(
        (("", None), ("made A", ["A"]), ("made B", ["A", "B"])), start=1
    ):
        (folder / f"{number:08d}.json").write_text(json.dumps({"what": what, "content": content}))


def test_what_an_older_library_kept_is_taken_over_once(library: Library, things: History) -> None:
    folder = library.home / "things"
    write_old(folder)
    saved = (folder / "head.json").stat().st_mtime
    now = things.now()
    assert (now.version, now.content, now.undo, now.redo) == (2, ["A"], "made A", "made B")
    assert now.saved is not None
    assert now.saved.timestamp() == pytest.approx(saved, abs=1e-3)
    assert list(folder.iterdir()) == []
    put(things, "C")
    (folder / "head.json").write_text('{"versions": [1], "at": 0}')
    assert things.now().content == ["A", "C"]


def test_many_that_open_an_older_library_at_once_take_it_over_once(library: Library) -> None:
    write_old(library.home / "things")
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": root}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _LOOK, str(library.home)],
            env=env,
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0] for process in running] == ["['A']\n"] * 3


@pytest.mark.parametrize("damage", ["", "{}", "[]", '"x"', "\x00", "[" * 100_000, '{"what": 3}'])
def test_a_damaged_version_of_an_older_library_is_said_and_does_not_take_the_rest_down(
    library: Library,
    things: History,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = library.home / "things"
    write_old(folder)
    (folder / "00000002.json").write_text(damage)
    with caplog.at_level(logging.WARNING):
        now = things.now()
    assert [record.getMessage().split(" was left")[0] for record in caplog.records] == [
        str(folder / "00000002.json")
    ]
    assert [path.name for path in folder.iterdir()] == ["00000002.json"]
    assert now.damage
    assert (now.undo, now.redo) == ("a change that is damaged", "made B")
    assert things.step(1, None) == "made B"
    assert things.now().content == ["A", "B"]


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{}",
        "[]",
        '{"versions": 3}',
        '{"versions": [1], "at": "x"}',
        "\x00",
        '{"versions": [1e9], "at": 0}',
    ],
)
def test_where_the_head_of_an_older_library_is_damaged_the_last_version_counts(
    library: Library,
    things: History,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = library.home / "things"
    write_old(folder, damage)
    with caplog.at_level(logging.WARNING):
        assert things.now().content == ["A", "B"]
    assert "head.json was left as it is" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["head.json"]
