"""Which files of a CosMx export lie in a folder, by the names that NanoString and Bruker give them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError

COUNTS, CELLS, FIELDS, OUTLINES, TRANSCRIPTS = (
    "exprMat_file",
    "metadata_file",
    "fov_positions_file",
    "polygons",
    "tx_file",
)
_NAME = re.compile(
    rf"(?:(?P<prefix>.+)[_-])?(?P<kind>{COUNTS}|{CELLS}|{FIELDS}|{OUTLINES}|{TRANSCRIPTS})\.csv(?:\.gz)?",
    re.IGNORECASE,
)
_KINDS = {kind.lower(): kind for kind in (COUNTS, CELLS, FIELDS, OUTLINES, TRANSCRIPTS)}
PICTURES = ("CellComposite", "CellLabels", "CellOverlay", "CompartmentLabels", "Morphology2D")
UNPREFIXED = "unprefixed"


class Export(NamedTuple):
    """The files of one data set."""

    name: str  # what its files' names begin with
    files: Mapping[str, list[Path]]  # by kind; several where one stands packed beside unpacked

    def expected(self, kind: str) -> str:
        """Give the name that a missing file would have."""
        mark = "-" if kind == OUTLINES else "_"
        return f"{kind}.csv" if self.name == UNPREFIXED else f"{self.name}{mark}{kind}.csv"


def exports(folder: Path) -> list[Export]:
    """List the data sets in a folder, by name: those with counts if there are any, else those with any table.

    Parameters
    ----------
    folder
        The folder; what is none has none.
    """
    found: dict[str, dict[str, list[Path]]] = {}
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (OSError, ValueError):
        return []
    for name in names:
        if not name.startswith(".") and (match := _NAME.fullmatch(name)):
            kinds = found.setdefault(match["prefix"] or UNPREFIXED, {})
            kinds.setdefault(_KINDS[match["kind"].lower()], []).append(folder / name)
    recognised = {name: kinds for name, kinds in found.items() if _is_export(kinds)}
    whole = {name: kinds for name, kinds in recognised.items() if COUNTS in kinds}
    return [Export(name, kinds) for name, kinds in (whole or recognised).items()]


def _is_export(kinds: Mapping[str, list[Path]]) -> bool:
    """Say whether files are CosMx's: the others of its names alone may be anybody's."""
    return bool({COUNTS, TRANSCRIPTS} & set(kinds)) or len(kinds) > 1


def check_complete(export: Export) -> None:
    """Refuse a data set without counts or cells.

    Raises
    ------
    InputError
        With the names of what is missing, and of what is there.
    """
    there = ", ".join(path.name for paths in export.files.values() for path in paths)
    if COUNTS not in export.files and TRANSCRIPTS in export.files:
        raise InputError(
            f"{export.files[TRANSCRIPTS][0].name} holds transcripts, and {export.expected(COUNTS)} is "
            "missing: squint reads counts of cells. Export the flat files with expression matrix and "
            "metadata."
        )
    if missing := [export.expected(kind) for kind in (COUNTS, CELLS) if kind not in export.files]:
        raise InputError(
            f"{' and '.join(missing)} missing beside {there}. Put the missing file into the folder."
        )
