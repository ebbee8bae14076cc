"""Which files of an instrument hold transcripts, by their names: pages ask, and read none."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Self

Pair = tuple[float, float]


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
_OTHER = re.compile(  # that the reader of their source places
    r"(.+/)?(?:(.+[_-])?tx_file\.csv(\.gz)?|points/[^/]+/points\.parquet(/[^/]+)?)", re.IGNORECASE
)
_ENDINGS = (".parquet", ".csv", ".csv.gz")  # the one that is read fastest first
POINTS = "points.parquet"  # of a SpatialData store: a file, or a folder of parts


@dataclass(frozen=True)
class Frame:
    """What takes places of a file to positions: ``matrix @ (x, y) + offset``.

    Attributes
    ----------
    columns
        Pairs of the columns of x and y, in small letters; the first pair that the file has counts.
    matrix
        Its two rows.
    offsets
        By field of view; of ``""`` for all transcripts where fields do not matter.
    """

    columns: tuple[tuple[str, str], ...]
    matrix: tuple[Pair, Pair]
    offsets: Mapping[str, Pair]

    def scaled(self, factor: float) -> "Frame":
        """Give the frame of positions in a unit of which one of these has ``factor``."""
        (a, b), (c, d) = self.matrix
        moved = {field: (x * factor, y * factor) for field, (x, y) in self.offsets.items()}
        return Frame(self.columns, ((a * factor, b * factor), (c * factor, d * factor)), moved)


@dataclass(frozen=True)
class Placing:
    """How transcripts of a source come to lie where its cells were read, as the reader of these found out.

    Attributes
    ----------
    file
        The file, or a folder of parts, relative to the source. It need not be there when cells are read.
    gene
        The column that names genes.
    frames
        In the order of preference: the first whose columns the file has counts.
    field
        The column of the field of view, where frames tell fields apart.
    quality, least
        As of :class:`Form`; the column need not be there.
    why_not
        Why they cannot be placed, as the end of a sentence; empty if they can.
    """

    file: str
    gene: str = ""
    frames: tuple[Frame, ...] = ()
    field: str = ""
    quality: str = ""
    least: float = 0.0
    why_not: str = ""

    def scaled(self, factor: float) -> "Placing":
        """Give the placing in a unit of which one of the source's has ``factor``."""
        frames = tuple(frame.scaled(factor) for frame in self.frames)
        return Placing(self.file, self.gene, frames, self.field, self.quality, self.least, self.why_not)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Make one of what :func:`dataclasses.asdict` gave, read back from JSON."""
        frames = tuple(
            Frame(
                tuple((str(x), str(y)) for x, y in frame["columns"]),
                (_pair(frame["matrix"][0]), _pair(frame["matrix"][1])),
                {str(field): _pair(offset) for field, offset in frame["offsets"].items()},
            )
            for frame in told["frames"]
        )
        return cls(**{**told, "frames": frames})


def _pair(numbers: Sequence[float]) -> Pair:
    x, y = numbers
    return float(x), float(y)


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


def fastest(names: Collection[str]) -> dict[str, str]:
    """Give, of files with transcripts that a source holds in several forms, the one that is read fastest.

    Returns
    -------
    By what their names have in common: all before the ending.
    """
    found: dict[str, str] = {}
    for ending in reversed(_ENDINGS):
        found |= {name.removesuffix(ending): name for name in sorted(names) if name.endswith(ending)}
    return {stem: name for stem, name in found.items() if form_of(name)}


def preferred(names: Collection[str], section: str = "") -> str | None:
    """Give, of the files of a source, the one with transcripts that is read fastest.

    Parameters
    ----------
    names
        Of the files, in the source's own folder or with its name.
    section
        Which of several sources was chosen, if one was: the folder, or what names of its files begin with.

    Returns
    -------
    Its name; ``None`` where there is none, or it is not shown which of several is the section's.
    """
    found = fastest(names)
    if len(found) > 1 and section:
        own = section.rpartition("/")[2]
        of_source = {own, f"{own}_detected_transcripts"}
        found = {
            stem: name
            for stem, name in found.items()
            if {PurePosixPath(stem).name, PurePosixPath(stem).parent.name} & of_source
        }
    return next(iter(found.values())) if len(found) == 1 else None


def is_drawn(name: str) -> bool:
    """Say whether a file of a source holds transcripts that the map may draw, by its name."""
    return form_of(name) is not None or _OTHER.fullmatch(name) is not None


def placed(names: Collection[str], placing: Placing) -> str | None:
    """Find the file that a placing names, or the folder of its parts, among the files of an original.

    Parameters
    ----------
    names
        Relative to the original, in which the source may lie some folders down.
    placing
        What is looked for. A table may be packed as ``.gz``, whatever it was when cells were read.

    Returns
    -------
    Its name; ``None`` where there is none, or more than one.
    """
    plain = placing.file.removesuffix(".gz")
    found = set()
    for name in names:
        inside = f"/{name}/"
        for file in (plain, f"{plain}.gz"):
            before, is_there, _ = inside.partition(f"/{file}/")
            if is_there:
                found.add(f"{before}/{file}".lstrip("/"))
    unpacked = {name for name in found if not name.endswith(".gz")}
    left = {name for name in found if name.removesuffix(".gz") not in unpacked} | unpacked
    return left.pop() if len(left) == 1 else None


def label_of(name: str) -> str:
    """Say what to call a file with transcripts, or the folder of its parts, on a page."""
    path = PurePosixPath(name)
    above = (path, *path.parents)
    return next((f"points/{one.parent.name}" for one in above if one.name == POINTS), path.name)


def labelled(files: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Give the bytes of files with transcripts, those of parts together, by what to call them."""
    found: dict[str, int] = {}
    for name, n_bytes in files:
        found[label_of(name)] = found.get(label_of(name), 0) + n_bytes
    return found
