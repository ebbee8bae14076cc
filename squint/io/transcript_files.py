"""Which files of an instrument hold transcripts, by their names: pages ask, and read none."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple


class Form(NamedTuple):
    """How an instrument writes transcripts: which columns say what. Places are in micrometres."""

    instrument: str
    file: re.Pattern[str]  # what a file is called
    gene: str
    x: str
    y: str
    quality: str = ""  # column; empty if there is none
    least: float = 0.0  # quality of what the instrument itself counts


FORMS: Sequence[Form] = (
    Form(
        "10x Xenium",
        re.compile(r"transcripts\.(parquet|csv|csv\.gz)"),
        "feature_name",
        "x_location",
        "y_location",
        "qv",
        20,
    ),
    Form(
        "MERSCOPE",
        re.compile(r"(.+_)?detected_transcripts\.(csv|csv\.gz|parquet)"),
        "gene",
        "global_x",
        "global_y",
    ),
)


def form_of(name: str) -> Form | None:
    """Give the form of a file by its name within a source; ``None`` if it holds no transcripts that are read.

    Parameters
    ----------
    name
        With the folders in which it lies in the source: none, or the source's own.
    """
    path = PurePosixPath(name)
    if len(path.parts) > 2:
        return None
    return next((form for form in FORMS if form.file.fullmatch(path.name)), None)


def preferred(names: Collection[str]) -> str | None:
    """Give, of the files of a source, the one with transcripts that is read fastest."""
    endings = (".parquet", ".csv", ".csv.gz")
    found = sorted(
        (next(i for i, ending in enumerate(endings) if name.endswith(ending)), name)
        for name in names
        if form_of(name)
    )
    return found[0][1] if found else None
