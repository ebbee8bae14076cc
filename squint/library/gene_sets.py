"""Gene sets: the one that comes with squint, and those that users add to the library."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

from squint.errors import InputError
from squint.files import write_bytes
from squint.formats import gene_sets
from squint.library.store import Library, harmless_name

AGGRESSIVE = "Aggressive kidney cancer"
_AT_MOST = 100  # files; a page reads them all


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name."""
    found = {AGGRESSIVE: tuple(gene_sets.AGGRESSIVE_KIDNEY)}
    for path in _paths(library):
        with suppress(InputError, FileNotFoundError):  # a stray file is no reason to show none
            for name, genes in _read(path, path.stat().st_mtime_ns).items():
                found[name if name == path.stem else f"{path.stem}: {name}"] = genes
    return found


@lru_cache(maxsize=100)
def _read(path: Path, changed: int) -> dict[str, tuple[str, ...]]:  # noqa: ARG001 - another time, another file
    """Read a file once: a page asks for all of them whenever anything on it is touched."""
    return gene_sets.read(path)


def sources() -> Mapping[str, str]:
    """Say where each gene of the set that comes with squint is from."""
    return gene_sets.AGGRESSIVE_KIDNEY


def add(library: Library, content: bytes, name: str) -> int:
    """Put a file of gene sets into the library; return how many sets it holds.

    Raises
    ------
    InputError
        If it holds none.
    """
    stem, _, ending = name.rpartition(".")
    found = gene_sets.parse(content, name)
    if len(_paths(library)) >= _AT_MOST:
        raise InputError(f"The library holds {_AT_MOST} files of gene sets. Remove one first.")
    path = _free_path(library, harmless_name(stem), ending.lower())
    write_bytes(path, content)
    return len(found)


def files(library: Library) -> list[str]:
    """List the files of gene sets that users added."""
    return [path.name for path in _paths(library)]


def remove(library: Library, name: str) -> None:
    """Remove a file of gene sets."""
    if name in files(library):
        (library.gene_sets_folder / name).unlink(missing_ok=True)


def _paths(library: Library) -> list[Path]:
    """List the files by name, but for those that are only being written."""
    return sorted(path for path in library.gene_sets_folder.iterdir() if not path.name.startswith("."))


def _free_path(library: Library, stem: str, ending: str) -> Path:
    """Find a name that no other file has: nobody's sets are written over."""
    taken = {path.stem for path in _paths(library)}
    free = stem if stem not in taken else next(f"{stem}-{i}" for i in count(2) if f"{stem}-{i}" not in taken)
    return library.gene_sets_folder / f"{free}.{ending}"
