"""One bit that flips in what a library stores is said, or means nothing: never another value or error."""

# ruff: noqa: S608 - the names in SQL are of our own tables

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from squint.errors import InputError
from squint.library import database as databases
from squint.library import earlier, identity, stored
from squint.library.database import FILE
from squint.library.records import Checked, Record
from squint.library.recovery import recover
from squint.library.store import Library
from squint.library.verify import verify
from tests.helpers.full_library import FILES, ROWS, Filled, Reading, fill
from tests.helpers.sections import small_section

N_FLIPS = 150
CHECKED = {
    str(mapper.local_table): mapper
    for mapper in Record.registry.mappers
    if issubclass(mapper.class_, Checked)
}
NOBODY_READS = {"notes"}  # in which nothing but words to people stands


class Whole(NamedTuple):
    """What a library holds while nothing is wrong with it."""

    rows: sqlite3.Connection
    files: dict[Path, bytes]

    def mend(self, filled: Filled, path: Path | None = None) -> None:
        """Put everything back as it was: of the files those that are gone, and the one given."""
        with closing(connect(filled)) as live:
            self.rows.backup(live)
        self.mend_files(path)

    def mend_files(self, path: Path | None = None) -> None:
        """Put back the files."""
        for file, content in self.files.items():
            if file == path or not file.exists():
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)


@pytest.fixture(scope="module")
def filled(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Fill a library; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("flips")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SQUINT_DATABASE_URL", raising=False)
        made = fill(Library(folder / "home"), small_section(), model_folder, folder)
        assert verify(made.library).problems == ()
        yield made
        close(folder / "home")


@pytest.fixture(scope="module")
def whole(filled: Filled) -> Iterator[Whole]:
    """Copy the library, before anything is done to it."""
    home = filled.library.home
    files = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and FILE not in path.name}
    with closing(sqlite3.connect(":memory:")) as kept:
        with closing(connect(filled)) as live:
            live.backup(kept)
        yield Whole(kept, files)


def connect(filled: Filled) -> sqlite3.Connection:
    connection = sqlite3.connect(filled.library.home / FILE, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    return connection


def flipped(content: bytes, place: int) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    changed[place // 8 % len(content)] ^= 1 << place % 8
    return bytes(changed)


def is_noticed(reading: Reading, filled: Filled, right: Any) -> bool:
    """Read as a new process does: it is said in words that something is damaged, or nothing is other."""
    stored._checked.clear()
    seen, said = None, ""
    try:
        seen = reading.read(filled)
    except InputError as error:
        said = str(error)
    if said:
        assert "damaged" in said
    elif seen is not None or not reading.is_made_again:
        assert seen == right
    return seen is None


@pytest.mark.parametrize("kind", FILES)
def test_in_a_file(filled: Filled, whole: Whole, kind: str) -> None:
    reading = FILES[kind]
    right, path = reading.read(filled), reading.of(filled)
    content, noticed = whole.files[path], 0
    for place in np.random.default_rng(0).integers(0, 8 * len(content), N_FLIPS).tolist():
        path.write_bytes(flipped(content, place))
        noticed += is_noticed(reading, filled, right)
        whole.mend(filled, path)
    assert noticed >= (N_FLIPS if kind != "cells of a set" else 10)  # the head of these is not read
    assert not is_noticed(reading, filled, right)


def flip_value(value: Any, place: int) -> Any:
    """Flip one bit of a value as SQLite stores it."""
    if isinstance(value, str):
        return flipped(value.encode(), place) if value else b"\1"
    if isinstance(value, int):
        return int.from_bytes(flipped(value.to_bytes(8, "big", signed=True), place), "big", signed=True)
    return struct.unpack(">d", flipped(struct.pack(">d", value), place))[0]


def test_every_table_that_is_read_is_flipped_in() -> None:
    assert set(CHECKED) - NOBODY_READS == set(ROWS)


@pytest.mark.parametrize("table", ROWS)
def test_in_a_row(filled: Filled, whole: Whole, table: str) -> None:
    """Flip bits of values; keys stand in an index too, and SQLite notices where the two differ."""
    reading, mapper = ROWS[table], CHECKED[table]
    right = reading.read(filled)
    names = [column.name for column in mapper.columns if not column.primary_key]
    rng, noticed = np.random.default_rng(1), 0
    for _ in range(N_FLIPS):
        with closing(connect(filled)) as live:
            name, value = str(rng.choice(names)), None
            while value is None:  # there is no bit to flip in those
                name = str(rng.choice(names))
                asked = f'SELECT rowid, "{name}" FROM {table} WHERE {reading.which}'
                ((rowid, value),) = live.execute(asked).fetchall()
            new = flip_value(value, int(rng.integers(2**31)))
            how = "CAST(? AS TEXT)" if isinstance(new, bytes) else "?"
            live.execute(f'UPDATE {table} SET "{name}" = {how} WHERE rowid = ?', [new, rowid])
        noticed += is_noticed(reading, filled, right)
        whole.mend(filled)
    assert noticed > 0.8 * N_FLIPS  # the others are spellings of the same, such as 9 for true
    assert not is_noticed(reading, filled, right)


def test_in_the_file_of_the_database(filled: Filled, whole: Whole) -> None:
    """Flip bits wherever there are some, in keys and indexes too, and read all rows after a start."""
    right = {table: reading.read(filled) for table, reading in ROWS.items()}
    home, path = filled.library.home, filled.library.home / FILE
    content, refused, noticed = whole.rows.serialize(), 0, 0
    used = np.flatnonzero(np.frombuffer(content, np.uint8))  # most of a small database is room
    rng = np.random.default_rng(2)
    for at in rng.choice(used, N_FLIPS).tolist():
        close(home)
        path.write_bytes(flipped(content, 8 * at + int(rng.integers(8))))
        said, is_said = "", False
        try:
            library = Library(home)
            recover(library)
            is_said = bool(verify(library).problems)
        except InputError as error:
            said = str(error)
        if said:
            assert FILE in said or "library folder" in said or "library in" in said
            refused += 1
        else:
            now = Filled(library, filled.section_id)
            lost = [table for table, reading in ROWS.items() if is_noticed(reading, now, right[table])]
            assert is_said or not lost
            noticed += bool(lost)
        gone = [file for file in whole.files if not file.exists()]
        assert all(file.is_relative_to(filled.library.results) for file in gone)  # which are made again
        whole.mend_files()
    close(home)
    path.write_bytes(content)
    assert min(refused, noticed) > 10


@pytest.mark.parametrize("place", ["/riginals/x", "originals/\0", "sections/../../x", "x", "."])
def test_in_the_path_of_a_file(filled: Filled, whole: Whole, place: str) -> None:
    with closing(connect(filled)) as live:
        live.execute("UPDATE stored_files SET path = ? WHERE original IS NOT NULL", [place])
    stored._checked.clear()
    assert f"What the library knows of stored_files {place} is damaged." in verify(filled.library).problems
    with pytest.raises(InputError, match="is damaged"):
        ROWS["originals"].read(filled)
    whole.mend(filled)


def close(home: Path) -> None:
    """Let this process know nothing of a library."""
    if (known := databases._open.pop(databases.url_of(home), None)) is not None:
        known.close()
    for beside in ("-wal", "-shm"):
        (home / f"{FILE}{beside}").unlink(missing_ok=True)
    identity._seen.clear()
    earlier._done.clear()
