"""Read and check tissue sections, of whatever source."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import cast

import pandas as pd
from anndata import AnnData

from squint import keys, sensitive
from squint.errors import InputError
from squint.files import why_refused
from squint.io import archives, folders
from squint.io.content import Answers, Asked
from squint.io.facts import Settled, settle
from squint.io.findings import AskedError, Question
from squint.io.hashing import source_sha256
from squint.io.hdf5 import memory_budget
from squint.io.joining import join_settled
from squint.io.mapped import Scratch
from squint.io.registry import Source, is_folder, sources_in
from squint.io.report import Report, summarise

LARGE = 0.5  # share of the memory budget, itself half of the memory


def read(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    answers: Answers | None = None,
    scratch: str | Path | None = None,
) -> AnnData:
    """Read one or several tissue sections from a file or a folder, by what it holds.

    Parameters
    ----------
    path
        An ``.h5ad`` file, an AnnData or SpatialData ``.zarr``, or the output folder of an instrument, or a
        ``.zip`` of it. A folder that holds several sources of one kind and panel gives a section of each.
    columns
        Which column of the source's cells holds what, where its names are neither squint's nor known aliases:
        ``{"section_id": "slide"}``. Keys are ``section_id``, ``patient_id``, ``cell_type``,
        ``region`` and ``z_um``; ``x``, ``y`` and ``z`` of a table of positions. An empty text: no column.
        Short for ``answers=Answers(columns=...)``.
    answers
        What the source leaves open, see :class:`squint.io.Answers`.
    scratch
        A folder on a disk with room, for a section larger than memory: its counts are read in parts, and lie
        in files of a new folder in there, which `tokenize` puts its latents beside. Yours to delete, once the
        section is no longer used.

    Returns
    -------
    A section in one fixed form:

    ``adata.X`` : CSR float32 (n, g)
        Raw counts of genes; controls, blanks and proteins are left out.
    ``adata.obs["section_id"]`` : categorical
        With ``patient_id``, ``cell_type``, ``region`` and ``z_um`` where the source has them, and its other
        columns.
    ``adata.obsm["spatial"]`` : float64 (n, 2 | 3)
        x right, y down.
    ``adata.var_names``
        Gene symbols.
    ``adata.uns["squint"]``
        ``unit`` (``"um"`` where the source states it or an answer says it, else ``"unknown"``), ``values``
        (``"counts"`` or ``"intensities"``), ``source_sha256``, and ``notes``: sentences on what was changed,
        or is odd.

    Other numeric ``obsm`` arrays, squint's own results, and a graph that is provably squint's are kept; other
    layers and the rest of ``uns`` stay in the source.

    Raises
    ------
    InputError
        If the source cannot be read or is no section, or the disk is too small.
    AskedError
        If it leaves open what the section would be misread without; says which answer.
    """
    told = _told(columns, answers)
    if scratch is None:
        return read_settled(path, told).adata
    with _new_folder(Path(scratch)) as folder:
        return read_settled(path, told, scratch=Scratch(folder)).adata


def is_large(path: str | Path) -> bool:
    """Say whether the counts of a source fill so much memory that they are better read in parts.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    True if :func:`read` should be given a ``scratch`` folder: the counts fill more than a quarter of the
    memory, and are stored so that they can be read in parts.

    Raises
    ------
    InputError
        If the source cannot be opened, or is damaged.
    """
    if _is_zip(Path(path)):
        return False
    sources = sources_in(Path(path))
    sizes = [source.reader.counts_bytes(source.path) for source in sources if source.reader.counts_bytes]
    return len(sizes) == len(sources) == 1 and sizes[0] > memory_budget() * LARGE


@contextmanager
def _new_folder(scratch: Path) -> Iterator[Path]:
    """Make a folder for one section, which goes again if the section cannot be read."""
    try:
        folder = Path(mkdtemp(prefix="squint-", dir=scratch))
    except OSError as error:
        raise InputError(f"The scratch folder {scratch} cannot be used: {why_refused(error)}.") from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def validate(
    path: str | Path, *, columns: Mapping[str, str] | None = None, answers: Answers | None = None
) -> Report:
    """Say what :func:`read` would read, found, left out, assumed and asks.

    Parameters
    ----------
    path
        The file or folder.
    columns, answers
        As for :func:`read`.

    Returns
    -------
    The facts, with what may identify a person.

    Raises
    ------
    InputError
        If :func:`read` would refuse the source.
    """
    return read_and_validate(path, columns=columns, answers=answers)[1]


def read_and_validate(
    path: str | Path, *, columns: Mapping[str, str] | None = None, answers: Answers | None = None
) -> tuple[AnnData, Report]:
    """Read a source once, for both its sections and the report on them.

    Parameters
    ----------
    path
        The file or folder.
    columns, answers
        As for :func:`read`.

    Returns
    -------
    What :func:`read` and :func:`validate` give.

    Raises
    ------
    InputError
        If the source cannot be read or is no section.
    """
    settled = read_settled(path, _told(columns, answers))
    return settled.adata, report_on(settled, Path(path).name or Path(path).resolve().name)


def report_on(settled: Settled, name: str) -> Report:
    """Give the report on a source that was read.

    Parameters
    ----------
    settled
        As :func:`read_settled` gives it.
    name
        Of the source, to be shown.

    Returns
    -------
    The facts, with what may identify a person.
    """
    obs = cast("pd.DataFrame", settled.adata.obs)
    return summarise(settled, name, sensitive.find_sensitive(obs, settled.uns_names, name))


def read_settled(path: str | Path, answers: Answers, *, scratch: Scratch | None = None) -> Settled:
    """Read a source with all that comes along.

    Parameters
    ----------
    path, answers
        As for :func:`read`.
    scratch
        Where to make files that the counts then lie in; by default they lie in memory.

    Returns
    -------
    The sections, outlines of their cells, pictures, and the report.

    Raises
    ------
    InputError
        As :func:`read`.
    """
    path = Path(path)
    if _is_zip(path):
        return _read_zip(path, answers, scratch)
    if is_folder(path):
        folders.check(path)
    sources = sources_in(path)
    is_open = len({source.reader.kind for source in sources}) > 1 or _ask_part(sources)
    is_below = any(source.path != path for source in sources)  # what is given by its own name needs no other
    if is_open or (answers.section is not None and (is_below or len(sources) > 1)):
        sources = [_chosen(sources, answers.section, path)]
    parts = [_read_source(source, sources, answers, scratch, path) for source in sources]
    settled = (
        parts[0] if len(parts) == 1 else join_settled(parts, [source.name for source in sources], path.name)
    )
    settled.adata.uns[keys.PROVENANCE]["source_sha256"] = source_sha256(path)
    return settled


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and not is_folder(path)


def _read_zip(path: Path, answers: Answers, scratch: Scratch | None) -> Settled:
    """Unpack a zip for as long as it is read; its pictures go with it."""
    with TemporaryDirectory(prefix="squint-") as name:
        folder = Path(name) / path.stem
        inside = archives.unpack(path, folder, max_bytes=shutil.disk_usage(name).free)
        settled = read_settled(inside, answers, scratch=scratch)
    settled.adata.uns[keys.PROVENANCE]["source_sha256"] = source_sha256(path)
    return replace(settled, pictures=[])


def _told(columns: Mapping[str, str] | None, answers: Answers | None) -> Answers:
    told = answers or Answers()
    return replace(told, columns={**told.columns, **columns}) if columns else told


def _read_source(
    source: Source, sources: list[Source], answers: Answers, scratch: Scratch | None, path: Path
) -> Settled:
    """Read one source; where others are beside it, one that cannot be read leaves open which is meant."""
    try:
        content = source.reader.read(source.path, Asked(answers, scratch, source.part))
        return settle(content, answers, source.name)
    except AskedError:
        raise
    except InputError as error:
        others = tuple(other.name for other in sources if other != source)
        if not others:
            raise
        words = f"{source.name} cannot be read: {error} Choose another."
        raise AskedError(Question("section", words, others, path.name)) from error


def _ask_part(sources: list[Source]) -> bool:
    """Say whether one folder holds several sources of a kind of which one is to be chosen."""
    paths = [source.path for source in sources if source.reader.asks_part]
    return len(set(paths)) < len(paths)


def _chosen(sources: list[Source], answer: str | None, path: Path) -> Source:
    names = [source.name for source in sources]
    if answer not in names:
        words = "It holds several sources." if answer is None else f"It holds no {answer!r}."
        raise AskedError(Question("section", words, tuple(names), path.name))
    return sources[names.index(str(answer))]


def obs_columns(path: str | Path) -> list[str]:
    """List the columns of the cells of a source, where it can be done without reading them.

    What :func:`read` may be told to use as ``columns``, also where it would refuse the source without.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    Names in alphabetical order; none if there is no table of cells, or it is not known without reading.

    Raises
    ------
    InputError
        If the source cannot be opened, or is damaged.
    """
    found: set[str] = set()
    for source in [] if _is_zip(Path(path)) else sources_in(Path(path)):
        if source.reader.columns is not None:
            found |= set(source.reader.columns(source.path))
    return sorted(found)
