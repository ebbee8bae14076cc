"""Names of what is computed over several sections, so that a page finds it without asking the worker."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from app.library.store import Library, read_table, write_table
from squint.errors import InputError

FACTS = "facts.json"


@dataclass(frozen=True)
class Request:
    """Something to compute, by the worker's task of that name."""

    task: str
    args: Mapping[str, Any]  # JSON, without the library's folder

    @property
    def name(self) -> str:
        """Name of the result: the same for the same arguments."""
        return f"{self.task}-{list_sha256([json.dumps(self.args, sort_keys=True)])[:16]}"


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


def find(library: Library, request: Request) -> Result | None:
    """Find what was computed before."""
    folder = library.results / request.name
    return Result(folder) if (folder / FACTS).exists() else None


def keep(
    library: Library, args: Mapping[str, Any], facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> None:
    """Store tables and facts under the name of their request, whole or not at all.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing computed from it stays.
    """
    folder = library.workspace()
    for table, frame in tables.items():
        write_table(frame, folder / f"{table}.parquet")
    (folder / FACTS).write_text(json.dumps(facts))
    library.keep_result(folder, args["name"])
    try:
        for section_id in args["ids"]:
            library.get(section_id)
    except InputError:
        library.drop_result(args["name"])
        raise


@dataclass(frozen=True)
class Activation:
    """One way to score sections."""

    ids: tuple[str, ...]  # sections to score
    ranked: tuple[str, ...]  # those of them whose cells choose the codes
    model: str  # sha256
    reference: str
    against: str | None
    n_codes: int

    def __post_init__(self) -> None:
        for name in ("ids", "ranked"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))

    @property
    def run(self) -> str:
        """Name of the scores."""
        return list_sha256([json.dumps(asdict(self), sort_keys=True)])[:16]


def list_sha256(names: list[str]) -> str:
    """Hash a list of names."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def profile_name(ids: list[str], model: str) -> str:
    """Name of the table of token profiles over some sections."""
    return f"profiles-{list_sha256([model, *sorted(ids)])[:16]}.parquet"


def find_activation(library: Library, request: Activation) -> dict[str, Any] | None:
    """Give what is known of a run, if it was done and nothing of it was deleted since."""
    path = library.results / f"{request.run}.json"
    if not path.exists() or not all(library.scores_path(i, request.run).exists() for i in request.ids):
        return None
    return dict(json.loads(path.read_text()))


def find_profiles(library: Library, ids: list[str], model: str) -> Any:
    """Read the table of token profiles over some sections, if it was made."""
    path = library.results / profile_name(ids, model)
    return read_table(path) if path.exists() else None
