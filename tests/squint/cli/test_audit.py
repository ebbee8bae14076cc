"""The commands on the audit log, as whoever keeps the server calls them."""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from squint.cli import main as commands
from squint.cli.main import main
from squint.library import audit
from squint.library.acting import Actor, acting
from squint.library.chain import EXPORTED, FIGURE, Entry
from squint.library.database import database
from squint.library.store import Library

# How each command that has to do with a library is noted: by the rows that it changes, by a note of its own,
# or not at all, for it changes nothing and nothing leaves.
BY_ROWS = {"import", "patients", "rebuild", "add", "remove", "rename", "role", "member"}
BY_NOTE = {"backup", "restore", "prune", "export", "report", "audit list"}
LOOKS = {
    "models list",
    "library list",
    "people list",
    "projects list",
    "show",
    "library verify",
    "audit verify",
    "head",
}
OF_FILES = {  # they work on files, not on a library
    *("simulate", "validate", "train", "tokenize", "activate", "export-tokens", "inpaint", "cell-types"),
    "learn-to-inpaint",
    *("perturb", "virtual-section", "inpainting", "ablations", "speed", "structure"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a library whose log has some rows."""
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    library = Library(tmp_path / "home")
    with acting(Actor(4, "tokens")):
        for i in range(6):
            audit.note(library.home, Entry(EXPORTED, FIGURE, section=f"{i:016x}"))
    yield library.home
    database(library.home).close()


def names(parser: argparse.ArgumentParser, group: str = "") -> Iterator[str]:
    """Name all commands; those of groups too, behind the group where two have the same name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                if any(isinstance(one, argparse._SubParsersAction) for one in sub._actions):
                    yield from names(sub, name)
                else:
                    yield f"{group} {name}" if name in ("list", "verify") else name


def test_of_every_command_it_is_known_how_it_is_noted() -> None:
    assert set(names(commands._parser())) == BY_ROWS | BY_NOTE | LOOKS | OF_FILES


def test_a_log_that_holds_is_said_to(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["audit", "verify", "--json", str(tmp_path / "v.json")]) == 0
    end = audit.head(database(home))
    assert f"6 rows: all as they were written. The last has chain {end.chain}" in capsys.readouterr().out
    assert json.loads((tmp_path / "v.json").read_text())["n_checked"] == 6
    assert main(["audit", "head"]) == 0
    said = capsys.readouterr().out.strip()
    assert said == f"6:{end.chain}"
    assert main(["audit", "verify", "--head", said]) == 0


def test_a_row_that_was_edited_is_named_with_status_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with database(home).engine.connect() as connection, connection.begin():
        connection.execute(sa.text("DROP TRIGGER audit_no_update"))
        connection.execute(sa.text("UPDATE audit SET person = 5 WHERE id = 3"))
    assert main(["audit", "verify"]) == 2
    said = capsys.readouterr().err
    assert "Row 3 was changed" in said
    assert "2 of 6 rows before it fit" in said


def test_a_log_that_does_not_come_by_a_head_that_was_kept_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del home
    assert main(["audit", "verify", "--head", f"9:{'a' * 64}"]) == 2
    assert "no row 9" in capsys.readouterr().err
    assert main(["audit", "verify", "--head", f"2:{'a' * 64}"]) == 2
    assert "rewritten" in capsys.readouterr().err
    assert main(["audit", "verify", "--head", "nonsense"]) == 2


def test_rows_are_listed_and_filtered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del home
    assert main(["audit", "list", "--n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["6", "5"]
    assert "person 4: exported figure of section 0000000000000005 [tokens]" in lines[0]
    for options, n in (
        (["--person", "4"], 6),
        (["--person", "server"], 0),
        (["--section", f"{1:016x}"], 1),
        (["--action", "seen"], 0),
        (["--since", "2001-01-01"], 6),
        (["--until", "2001-01-01T10:00"], 0),
    ):
        assert main(["audit", "list", *options]) == 0
        assert len(capsys.readouterr().out.splitlines()) == n
    for wrong in (["--since", "yesterday"], ["--person", "Anna"], ["--action", "stolen"], ["--n", "0"]):
        assert main(["audit", "list", *wrong]) == 2


def test_what_leaves_by_a_command_is_noted(home: Path, tmp_path: Path) -> None:
    assert main(["audit", "list", "--csv", str(tmp_path / "log.csv")]) == 0
    assert main(["backup", str(tmp_path / "b.zip")]) == 0
    with (tmp_path / "log.csv").open() as file:
        assert len(list(csv.reader(file))) == 1 + 6 + 1
    rows = audit.rows(database(home), audit.Filter())[:2]
    assert [(row.kind, row.place, row.person) for row in rows] == [
        ("backup", "squint backup", 0),
        ("audit log", "squint list", 0),
    ]
    assert main(["audit", "list", "--csv", str(tmp_path / "log.csv")]) == 2


def test_a_restored_library_says_so_at_the_end_of_its_log(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["backup", str(tmp_path / "b.zip")]) == 0
    kept = audit.head(database(home))
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "other"))
    assert main(["restore", str(tmp_path / "b.zip")]) == 0
    log = database(tmp_path / "other")
    assert audit.verify(log, kept).problem == ""
    assert audit.rows(log, audit.Filter(), n=1)[0].action == "restored"
    log.close()
