"""What is asked of a worker, and what is kept of its answer, found again by what was asked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pandas as pd

from squint.files import list_sha256
from squint.library import keeping, retention
from squint.library.records import ResultRow, ResultUse
from squint.library.store import Library
from squint.library.stored import StoredFiles
from squint.library.tables import read_table, write_table

Report = Callable[[float, str], None]  # how a task tells how far it is, and finds out that it was cancelled

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Task(Generic[Answer]):
    """What is asked of a worker; every kind of task is a class of its own, and its fields are JSON."""

    name: ClassVar[str]
    private: ClassVar[bool] = False  # whether its fields may name a person

    @property
    def args(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Computation(Task[None]):
    """A task whose result is kept, until one of its sections is deleted or nobody looks at it for long."""

    form: ClassVar[int] = 1  # counts upwards when what the result holds becomes another
    ids: tuple[str, ...]  # of the sections that it is computed from

    @property
    def result(self) -> str:
        """Name of the result: the same for the same arguments, and another in another form."""
        asked = [json.dumps(self.args, sort_keys=True)]
        if self.form > 1:
            asked.append(str(self.form))
        return f"{self.name}-{list_sha256(asked)[:16]}"


@dataclass(frozen=True)
class Result:
    """A folder of tables, and facts."""

    folder: Path
    noted: str  # with the tables, as JSON
    files: StoredFiles

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted with the tables."""
        return dict(json.loads(self.noted))

    def table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table, or some columns of it."""
        return read_table(self.files.checked(self.folder / f"{name}.parquet"), columns)


def find(library: Library, asked: Computation) -> Result | None:
    """Find what was computed before; what of that is damaged is removed, to be computed again."""
    with library.database.reading() as session:
        row = session.get(ResultRow, asked.result)
        if row is None:
            return None
        problems = library.files.problems(session, result=asked.result)
        use = session.get(ResultUse, asked.result)
    folder = library.results / asked.result
    if not row.intact or problems or not folder.is_dir():
        keeping.drop_results(library, lambda _: [asked.result])
        return None
    if not retention.note_use(library, asked.result, use):
        return None
    return Result(folder, row.facts, library.files)


def keep(
    library: Library, asked: Computation, facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> None:
    """Store tables and facts under the name of what was asked, whole or not at all.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing computed from it stays.
    """
    with library.staged() as folder:
        for table, frame in tables.items():
            write_table(frame, folder / f"{table}.parquet")
        keeping.keep_result(library, folder, asked.result, json.dumps(dict(facts)), asked.ids)


def scores_path(library: Library, run: str, section_id: str) -> Path:
    """Return the table of a section's activation scores in one run, the name of an activation's result."""
    return library.results / run / f"scores_{section_id}.parquet"
