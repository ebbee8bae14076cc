"""Names of what is computed over several sections, so that a page finds it without asking the worker."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from app.library import Library, read_table

UNKNOWN = "unknown"  # the cell type of cells without one, where others have one


@dataclass(frozen=True)
class Activation:
    """One way to score sections."""

    ids: tuple[str, ...]  # sections to score, and those of the two patients
    model: str  # sha256
    reference: str
    against: str | None
    n_codes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(sorted(self.ids)))

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
