"""Gene sets: the one that comes with squint, and those that users add to the library.

Those of an older squint, or that somebody put there by hand, lie as files in ``gene_sets/`` until a worker
reads them.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from squint.errors import InputError
from squint.files import list_sha256
from squint.library.access import changing
from squint.library.database import database
from squint.library.keeping import now
from squint.library.records import GeneSetFile
from squint.library.store import Library, harmless_name
from squint.library.taking_over import alone, left_lying

# Genes linked to aggressive kidney cancer in the SQUINT paper, section 5.3, each with its source there.
AGGRESSIVE_KIDNEY = {
    "LDHA": "Hala Girgis, Olena Masui, Nicole MA White, Andreas Scorilas, Fabio Rotondo, Annetta Seivwright, "
    "Manal Gabriel, Emily R Filter, Andrew HA Girgis, Georg A Bjarnason, et al. Lactate dehydrogenase a is a "
    "potential prognostic marker in clear cell renal cell carcinoma. Molecular cancer, 13(1):101, 2014.",
    "MMP14": "Ya-Wei Zhao, Wang Ma, Fengjun Jiang, Yi Xie, and Lei Tang. Upregulation of matrix "
    "metalloproteinase 14 (mmp14) is associated with poor prognosis in renal clear cell carcinoma—a "
    "bioinformatics analysis. Translational Andrology and Urology, 11(11):1523, 2022.",
    "PFKFB3": "Jun Li, Shiqiang Zhang, Dingzhun Liao, Qian Zhang, Chujie Chen, Xiangwei Yang, Donggen Jiang, "
    "and Jun Pang. Overexpression of pfkfb3 promotes cell glycolysis and proliferation in renal cell "
    "carcinoma. BMC cancer, 22(1):83, 2022a.",
}
AGGRESSIVE = "Aggressive kidney cancer"
_UNREADABLE = "unreadable"  # folder of files that no worker could read
_MARK = "gene sets"
_AT_MOST = 100  # files; a page reads them all

GeneSets = Mapping[str, tuple[str, ...]]


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name; those of a damaged file are left out, as :func:`damaged` says."""
    found = {AGGRESSIVE: tuple(AGGRESSIVE_KIDNEY)}
    for name, sets in _read_all(library).items():
        stem = _stem(name)
        for title, genes in (sets or {}).items():
            found[title if title == stem else f"{stem}: {title}"] = genes
    return found


def sha256(library: Library) -> str:
    """Hash all sets with their genes."""
    return list_sha256([f"{name} {' '.join(genes)}" for name, genes in sorted(find_sets(library).items())])


def sources() -> Mapping[str, str]:
    """Say where each gene of the set that comes with squint is from."""
    return AGGRESSIVE_KIDNEY


@changing
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
    with library.database.writing() as session:
        alone(session, _MARK)
        taken = session.scalars(sa.select(GeneSetFile.name)).all()
        if len(taken) >= _AT_MOST:
            raise InputError(f"The library holds {_AT_MOST} files of gene sets. Remove one first.")
        free = _free(harmless_name(stem), {_stem(other) for other in taken})
        own = Path(name).stem  # what a set without a name was named after
        named = {free: sets[own]} if list(sets) == [own] else sets
        content = {title: list(genes) for title, genes in named.items()}
        session.add(GeneSetFile(name=f"{free}.{ending.lower()}", sets=content, added=now()))


def unread(library: Library) -> list[Path]:
    """List the files that lie in ``gene_sets/`` and were not read yet."""
    return sorted(path for path in library.gene_sets_folder.glob("[!.]*") if path.is_file())


def take(library: Library, path: Path, sets: GeneSets) -> None:
    """Put what a file of :func:`unread` holds into the library; the file goes."""
    add(library, path.name, sets)
    path.unlink(missing_ok=True)


def put_aside(path: Path, why: InputError) -> None:
    """Leave a file of :func:`unread` that cannot be read to whoever put it there; the log says why."""
    aside = path.parent / _UNREADABLE / path.name
    aside.parent.mkdir(exist_ok=True)
    path.replace(aside)
    left_lying(aside, why)


def files(library: Library) -> list[str]:
    """List the files of gene sets that users added."""
    with library.database.reading() as session:
        return sorted(session.scalars(sa.select(GeneSetFile.name)))


def damaged(library: Library) -> list[str]:
    """List the files of gene sets that are damaged in the library: to be removed, and added again."""
    return [name for name, sets in _read_all(library).items() if sets is None]


@changing
def remove(library: Library, name: str) -> None:
    """Remove a file of gene sets."""
    with library.database.writing() as session:
        session.execute(sa.delete(GeneSetFile).where(GeneSetFile.name == name))


def _read_all(library: Library) -> dict[str, GeneSets | None]:
    """Give the sets of every file by name, ``None`` where they are damaged."""
    with library.database.reading() as session:
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
