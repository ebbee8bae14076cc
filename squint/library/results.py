"""What is asked of a worker, and what is kept of its answer, found again by what was asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pandas as pd

from squint.errors import InputError
from squint.library.store import FACTS, Library, read_table, write_table

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Task(Generic[Answer]):
    """What is asked of a worker; every kind of task is a class of its own, and its fields are JSON."""

    name: ClassVar[str]

    @property
    def args(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Computation(Task[None]):
    """A task whose result is kept in the library, until one of its sections is deleted."""

    ids: tuple[str, ...]  # of the sections that it is computed from

    @property
    def result(self) -> str:
        """Name of the result: the same for the same arguments."""
        return f"{self.name}-{list_sha256([json.dumps(self.args, sort_keys=True)])[:16]}"


@dataclass(frozen=True)
class Result:
    """A folder of tables and facts."""

    folder: Path

    def table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table, or some columns of it."""
        return read_table(self.folder / f"{name}.parquet", columns)

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted with the tables."""
        return dict(json.loads((self.folder / FACTS).read_text()))


def find(library: Library, asked: Computation) -> Result | None:
    """Find what was computed before."""
    folder = library.results / asked.result
    return Result(folder) if (folder / FACTS).exists() else None


def keep(
    library: Library, asked: Computation, facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> None:
    """Store tables and facts under the name of what was asked, whole or not at all.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing computed from it stays.
    """
    folder = library.workspace()
    for table, frame in tables.items():
        write_table(frame, folder / f"{table}.parquet")
    (folder / FACTS).write_text(json.dumps(facts))
    library.keep_result(folder, asked.result)
    try:
        for section_id in asked.ids:
            library.get(section_id)
    except InputError:
        library.drop_result(asked.result)
        raise


def scores_path(library: Library, run: str, section_id: str) -> Path:
    """Return the table of a section's activation scores in one run, the name of an activation's result."""
    return library.results / run / f"scores_{section_id}.parquet"


def list_sha256(names: list[str]) -> str:
    """Hash a list of names."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
