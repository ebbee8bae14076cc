"""Gene sets: the one that comes with squint, and those that users add to the library.

A file that was added stays as it is. What it holds lies beside it under a hidden name, as JSON that a worker
wrote: whoever shows gene sets reads that alone.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import count
from pathlib import Path

from squint.errors import InputError
from squint.files import write_bytes, write_json
from squint.library.store import Library, harmless_name

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
_AT_MOST = 100  # files; a page shows them all

Sets = Mapping[str, tuple[str, ...]]  # genes by name of the set


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name."""
    found = {AGGRESSIVE: tuple(AGGRESSIVE_KIDNEY)}
    for path in _paths(library):
        with suppress(FileNotFoundError):  # removed just now, or not read yet
            for name, genes in _read(_held(path), _held(path).stat().st_mtime_ns).items():
                found[name if name == path.stem else f"{path.stem}: {name}"] = genes
    return found


@lru_cache(maxsize=100)
def _read(path: Path, changed: int) -> Sets:  # noqa: ARG001 - another time, another file
    """Read a file once: a page asks for all of them whenever anything on it is touched."""
    return {name: tuple(genes) for name, genes in json.loads(path.read_text()).items()}


def sources() -> Mapping[str, str]:
    """Say where each gene of the set that comes with squint is from."""
    return AGGRESSIVE_KIDNEY


def keep(library: Library, content: bytes, name: str) -> Path:
    """Put a file of gene sets into the library, under a harmless form of its name; return where it lies.

    Raises
    ------
    InputError
        If there are too many files already.
    """
    stem, _, ending = name.rpartition(".")
    if len(_paths(library)) >= _AT_MOST:
        raise InputError(f"The library holds {_AT_MOST} files of gene sets. Remove one first.")
    path = _free_path(library, harmless_name(stem), ending.lower())
    write_bytes(path, content)
    return path


def note(path: Path, sets: Sets) -> None:
    """Write down what a file of the library holds, as :func:`squint.formats.gene_sets.parse` finds it."""
    write_json(_held(path), {title: list(genes) for title, genes in sets.items()})


def unread(library: Library) -> list[Path]:
    """List files of which nobody has written down what they hold: put there by hand, or changed since."""
    return [path for path in _paths(library) if not _is_noted(path)]


def _is_noted(path: Path) -> bool:
    try:
        return _held(path).stat().st_mtime_ns >= path.stat().st_mtime_ns
    except FileNotFoundError:
        return not path.exists()


def files(library: Library) -> list[str]:
    """List the files of gene sets that users added."""
    return [path.name for path in _paths(library)]


def remove(library: Library, name: str) -> None:
    """Remove a file of gene sets."""
    if name in files(library):
        path = library.gene_sets_folder / name
        path.unlink(missing_ok=True)
        _held(path).unlink(missing_ok=True)


def _paths(library: Library) -> list[Path]:
    """List the files by name, but for those that are hidden or only being written."""
    return sorted(path for path in library.gene_sets_folder.iterdir() if not path.name.startswith("."))


def _held(path: Path) -> Path:
    """Say where it is written down what a file holds."""
    return path.with_name(f".{path.name}.json")


def _free_path(library: Library, stem: str, ending: str) -> Path:
    """Find a name that no other file has: nobody's sets are written over."""
    taken = {path.stem for path in _paths(library)}
    free = stem if stem not in taken else next(f"{stem}-{i}" for i in count(2) if f"{stem}-{i}" not in taken)
    return library.gene_sets_folder / f"{free}.{ending}"
