"""Which reader reads a source: found by what the source holds, not by its name.

A package that reads another kind of source names its reader as an entry point of the group
``squint.readers``; it is asked before squint's own::

    [project.entry-points."squint.readers"]
    slideseq = "my_package.slideseq:READER"
"""

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError
from squint.io import anndata_zarr, cosmx, counts_table, h5ad, merscope, refused, spatialdata, visium, xenium
from squint.io.content import Reader

GROUP = "squint.readers"
READERS: tuple[Reader, ...] = (
    xenium.READER,
    merscope.READER,
    cosmx.READER,
    visium.READER,
    anndata_zarr.READER,
    spatialdata.READER,
    counts_table.READER,
    h5ad.READER,
)  # asked in this order
DEPTH = 4  # folders below the one given in which a source may lie
MAX_FOLDERS = 2_000  # that are looked into
WRAPPERS = {"outs", "output"}  # folders that name nothing


class Source(NamedTuple):
    """A file or folder, and who reads it."""

    name: str  # of the section it is, where it states none
    path: Path
    reader: Reader
    part: str = ""  # which of those that lie side by side in the folder


def sources_in(path: Path) -> list[Source]:
    """Find what can be read: the file or folder itself, or else the sources in a folder, by name.

    Raises
    ------
    InputError
        If there is nothing in a folder, or the reader of another package cannot be loaded.
    """
    readers = (*_of_other_packages(), *READERS)
    there = os.path.exists(path)  # noqa: PTH110 - a name that is none is no file, and no error
    if not there:
        return [Source(path.stem, path, h5ad.READER)]  # who says why it is none
    if (reader := _reader_of(path, readers)) is not None:
        return list(_parts_of(_stem(path) if is_folder(path) else path.stem, "", path, reader))
    if is_folder(path) and (found := list(_below(path, readers))):
        return found
    if path.is_file() and (reader := _reader_of(path.parent, readers)) is not None:
        raise InputError(
            f"{path.name} is one file of several ({reader.kind}). Give the folder that it lies in, "
            f"{path.parent.name!r}."
        )
    if (why := refused.why(path)) is not None:
        raise InputError(why)
    if not is_folder(path):
        return [Source(path.stem, path, h5ad.READER)]  # who says why it is none
    raise InputError(
        f"{path.name}: nothing in this folder is a section that squint reads. It looks for the output "
        "folders of Xenium, MERSCOPE, CosMx, Visium and Visium HD, for SpatialData and AnnData .zarr, .h5ad, "
        "and a table of counts beside one of positions."
    )


def is_folder(path: Path) -> bool:
    """Say whether a path is a folder; a name that is too long, or holds a NUL, is none and raises nothing."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises


def _reader_of(path: Path, readers: tuple[Reader, ...]) -> Reader | None:
    return next((reader for reader in readers if reader.reads(path)), None)


def _parts_of(name: str, above: str, path: Path, reader: Reader) -> Iterator[Source]:
    """Give the source, or each of those whose files lie side by side in one folder."""
    parts = reader.parts(path) if reader.parts is not None else []
    if len(parts) < 2:
        yield Source(name, path, reader, *parts)
    else:
        yield from (Source(f"{above}{part}", path, reader, part) for part in parts)


def _below(path: Path, readers: tuple[Reader, ...]) -> Iterator[Source]:
    """Go through folders level by level; what is inside a source is not looked at."""
    level, seen = [path], 0
    for _ in range(DEPTH):
        deeper = []
        for folder in level:
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                if entry.name.startswith((".", "__MACOSX")) or entry.is_symlink():
                    continue
                seen += 1
                if seen > MAX_FOLDERS:
                    return
                inside = Path(entry.path)
                reader = _reader_of(inside, readers)
                if reader is not None:
                    name = _name_below(path, inside)
                    yield from _parts_of(name, f"{name}/", inside, reader)
                elif entry.is_dir(follow_symlinks=False):
                    deeper.append(inside)
        level = deeper


def _name_below(path: Path, inside: Path) -> str:
    parts = [part for part in inside.relative_to(path).parts if part not in WRAPPERS]
    *above, last = parts or [_stem(path)]
    return "/".join([*above, Path(last).stem if inside.is_file() or last.endswith(".zarr") else last])


def _stem(folder: Path) -> str:
    named = Path(os.path.abspath(folder))  # noqa: PTH100 - a link is called by its own name, which is harmless
    while named.name in WRAPPERS and named.parent != named:
        named = named.parent
    return named.name.removesuffix(".zarr")


def _of_other_packages() -> Iterator[Reader]:
    for point in entry_points(group=GROUP):
        try:
            reader = point.load()
        except Exception as error:
            whose = point.dist.name if point.dist else "?"
            raise InputError(
                f"The reader {point.name!r} of the package {whose!r} cannot be loaded: {error}. Mend or "
                "remove that package."
            ) from error
        yield reader
