"""Gene sets: the one that comes with squint, and those that users add to the library."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.formats import gene_sets
from squint.library.database import database
from squint.library.records import GeneSetFile
from squint.library.store import Library, harmless_name
from squint.library.taking_over import Kept, left_lying

AGGRESSIVE = "Aggressive kidney cancer"
OLD_FOLDER = "gene_sets"
_AT_MOST = 100  # files; a page reads them all
_LONGEST = 120  # name of a file

GeneSets = Mapping[str, tuple[str, ...]]


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name; those of a damaged file are left out, as :func:`damaged` says."""
    found = {AGGRESSIVE: tuple(gene_sets.AGGRESSIVE_KIDNEY)}
    for name, sets in _read_all(library).items():
        stem = _stem(name)
        for title, genes in (sets or {}).items():
            found[title if title == stem else f"{stem}: {title}"] = genes
    return found


def sources() -> Mapping[str, str]:
    """Say where each gene of the set that comes with squint is from."""
    return gene_sets.AGGRESSIVE_KIDNEY


def add(library: Library, name: str, sets: GeneSets) -> None:
    """Put the gene sets of a file into the library.

    Parameters
    ----------
    library
        Where they are kept.
    name
        Of the file. It is kept under a harmless one that is free: nobody's sets are written over. A set that
        is named after its file is named after that.
    sets
        The genes of each set, as :func:`squint.formats.gene_sets.parse` finds them in the file.

    Raises
    ------
    InputError
        If the library holds too many files.
    """
    stem, _, ending = name.rpartition(".")
    with _kept(library).writing() as session:
        taken = session.scalars(sa.select(GeneSetFile.name)).all()
        if len(taken) >= _AT_MOST:
            raise InputError(f"The library holds {_AT_MOST} files of gene sets. Remove one first.")
        free = _free(harmless_name(stem), {_stem(other) for other in taken})
        alone = Path(name).stem  # what a set without a name was named after
        named = {free: sets[alone]} if list(sets) == [alone] else sets
        _put(session, f"{free}.{ending.lower()}", named)


def files(library: Library) -> list[str]:
    """List the files of gene sets that users added."""
    with _kept(library).reading() as session:
        return sorted(session.scalars(sa.select(GeneSetFile.name)))


def damaged(library: Library) -> list[str]:
    """List the files of gene sets that are damaged in the library: to be removed, and added again."""
    return [name for name, sets in _read_all(library).items() if sets is None]


def remove(library: Library, name: str) -> None:
    """Remove a file of gene sets."""
    with _kept(library).writing() as session:
        session.execute(sa.delete(GeneSetFile).where(GeneSetFile.name == name))


def _put(session: Session, name: str, sets: GeneSets) -> None:
    content = {title: list(genes) for title, genes in sets.items()}
    session.add(GeneSetFile(name=name, sets=content, added=datetime.now(UTC).isoformat(timespec="seconds")))


def _read_all(library: Library) -> dict[str, GeneSets | None]:
    """Give the sets of every file by name, ``None`` where they are damaged."""
    with _kept(library).reading() as session:
        known = session.execute(sa.select(GeneSetFile.name, GeneSetFile.check)).all()
    found: dict[str, GeneSets | None] = {}
    for name, check in sorted(known):
        try:
            found[name] = _read(library.home, name, check)
        except KeyError:  # removed just now
            continue
        except InputError:
            found[name] = None
    return found


@lru_cache(maxsize=20)
def _read(home: Path, name: str, check: str) -> GeneSets:
    """Read the sets of a file once: a page asks for all of them whenever anything on it is touched."""
    with database(home).reading() as session:
        row = session.get(GeneSetFile, name)
    if row is None:
        raise KeyError(name)
    if not row.intact or row.check != check:
        raise InputError(
            f"The gene sets of {name} are damaged in the library. Remove them and add them again."
        )
    return {title: tuple(genes) for title, genes in row.sets.items()}


def _free(stem: str, taken: set[str]) -> str:
    return stem if stem not in taken else next(f"{stem}-{i}" for i in count(2) if f"{stem}-{i}" not in taken)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _kept(library: Library) -> Kept:
    folder = library.home / OLD_FOLDER
    return Kept(library.home, "gene sets", lambda session: _take_over(session, folder))


def _take_over(session: Session, folder: Path) -> list[Path]:
    taken = []
    for path in sorted(folder.glob("[!.]*")):
        try:
            if len(path.name) > _LONGEST:
                raise InputError(f"its name has more than {_LONGEST} characters")  # noqa: TRY301
            sets = gene_sets.read(path)
        except InputError as error:
            left_lying(path, error)
        else:
            _put(session, path.name, sets)
            taken.append(path)
    return taken
