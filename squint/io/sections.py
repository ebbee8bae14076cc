"""Read, check and write tissue sections."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

import h5py
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys, sensitive
from squint.errors import InputError
from squint.files import whole
from squint.io import checks, h5ad, slots
from squint.io.hdf5 import memory_budget
from squint.io.mapped import Scratch, let_go, mapping_of
from squint.io.registry import H5AD, reader_of
from squint.io.report import Report, summarise

LARGE = 0.5  # share of the memory budget, itself half of the memory


def read(
    path: str | Path, *, columns: Mapping[str, str] | None = None, scratch: str | Path | None = None
) -> AnnData:
    """Read one or several tissue sections from an ``.h5ad`` file.

    Parameters
    ----------
    path
        The file.
    columns
        Which column of the file's ``obs`` holds what, where its names are neither squint's nor known aliases:
        ``{"section_id": "slide"}``. Keys are ``section_id``, ``patient_id``, ``cell_type``,
        ``region`` and ``z_um``.
    scratch
        A folder on a disk with room, for a section larger than memory: its counts are read in parts, and lie
        in files of a new folder in there, which `tokenize` puts its latents beside. Yours to delete, once the
        section is no longer used.

    Returns
    -------
    A section in one fixed form:

    ``adata.X`` : CSR float32 (n, g)
        Raw counts, from ``X`` or else ``layers["counts"]``.
    ``adata.obs["section_id"]`` : categorical
        With ``patient_id``, ``cell_type``, ``region`` and ``z_um`` where the file has them, and its other
        columns.
    ``adata.obsm["spatial"]`` : float64 (n, 2 | 3)
        x right, y down.
    ``adata.var_names``
        Gene symbols.
    ``adata.uns["squint"]``
        ``unit`` (``"um"``, ``"um (assumed)"`` or ``"unknown"``), ``values`` (``"counts"`` or
        ``"intensities"``), ``source_sha256``, and ``notes``: sentences on what was changed, left out or odd.

    Other numeric ``obsm`` arrays, squidpy's spatial graph and squint's own results are kept; other layers and
    the rest of ``uns`` stay in the file.

    Raises
    ------
    InputError
        If the file cannot be read or is no section, or the disk is too small.
    """
    if scratch is None:
        return _read(Path(path), columns or {})[0]
    with _new_folder(Path(scratch)) as folder:
        return _read(Path(path), columns or {}, Scratch(folder))[0]


def is_large(path: str | Path) -> bool:
    """Say whether the counts of an ``.h5ad`` file fill so much memory that they are better read in parts.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    True if :func:`read` should be given a ``scratch`` folder: the counts fill more than a quarter of the
    memory, and are stored so that they can be read in parts.

    Raises
    ------
    InputError
        If the file cannot be opened, or is damaged.
    """
    return reader_of(Path(path)) is H5AD and h5ad.counts_bytes(Path(path)) > memory_budget() * LARGE


@contextmanager
def _new_folder(scratch: Path) -> Iterator[Path]:
    """Make a folder for one section, which goes again if the section cannot be read."""
    try:
        folder = Path(mkdtemp(prefix="squint-", dir=scratch))
    except OSError as error:
        reason = error.strerror or "the disk refused"
        raise InputError(f"The scratch folder {scratch} cannot be used: {reason}.") from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def validate(path: str | Path, *, columns: Mapping[str, str] | None = None) -> Report:
    """Say what :func:`read` would read.

    Parameters
    ----------
    path
        The file.
    columns
        As for :func:`read`.

    Returns
    -------
    The facts, with what may identify a person.

    Raises
    ------
    InputError
        If :func:`read` would refuse the file.
    """
    return read_and_validate(path, columns=columns)[1]


def read_and_validate(
    path: str | Path, *, columns: Mapping[str, str] | None = None
) -> tuple[AnnData, Report]:
    """Read a file once, for both its sections and the report on them.

    Parameters
    ----------
    path
        The file.
    columns
        As for :func:`read`.

    Returns
    -------
    What :func:`read` and :func:`validate` give.

    Raises
    ------
    InputError
        If the file cannot be read or is no section.
    """
    adata, uns_keys = _read(Path(path), columns or {})
    name = Path(path).name
    obs = cast("pd.DataFrame", adata.obs)
    return adata, summarise(adata, name, sensitive.find_sensitive(obs, uns_keys, name))


def obs_columns(path: str | Path) -> list[str]:
    """List the columns of ``obs`` of an ``.h5ad`` file, without reading them.

    What :func:`read` may be told to use as ``columns``, also where it would refuse the file for lack of one.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Names in alphabetical order; none if the file has no ``obs``.

    Raises
    ------
    InputError
        If the file cannot be opened, or is damaged.
    """
    reader = reader_of(Path(path))
    if reader is H5AD:
        return h5ad.obs_columns(Path(path))
    return sorted(str(name) for name in reader.read(Path(path), None).obs.columns)


def write(adata: AnnData, path: str | Path) -> None:
    """Write sections to an ``.h5ad`` file, whole or not at all.

    Parameters
    ----------
    adata
        Annotated data; not changed.
    path
        The file, replaced if it exists.

    Raises
    ------
    InputError
        If the folder is missing or the disk refuses.
    """
    path = Path(path)
    raw: Any = adata.raw
    uns = dict(adata.uns)
    if keys.PROVENANCE in uns:
        uns[keys.PROVENANCE] = slots.to_storable(uns[keys.PROVENANCE])
    mapped = {key: array for key, array in adata.obsm.items() if mapping_of(array) is not None}
    # anndata turns text columns into categories while it writes: of this shell, not of the caller's object
    shell = AnnData(
        X=adata.X,
        obs=cast("pd.DataFrame", adata.obs).copy(),
        var=cast("pd.DataFrame", adata.var).copy(),
        uns=uns,
        obsm={key: array for key, array in adata.obsm.items() if key not in mapped},
        varm=dict(adata.varm),
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        layers=dict(adata.layers),
        raw=None if raw is None else {"X": raw.X, "var": raw.var, "varm": dict(raw.varm)},
    )
    with whole(path) as temporary:
        shell.write_h5ad(temporary, compression="gzip")
        _write_mapped(mapped, temporary)


def _write_mapped(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Add arrays that lie in files to ``obsm`` of an ``.h5ad`` file as anndata does, some rows at a time."""
    with h5py.File(path, "r+") as file:
        for key, array in arrays.items():
            stored = file["obsm"].create_dataset(
                key, shape=array.shape, dtype=array.dtype, chunks=True, compression="gzip"
            )
            stored.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            n_rows = stored.chunks[0]
            for start in range(0, len(array), n_rows):
                stored[start : start + n_rows] = array[start : start + n_rows]
                let_go(array)


def source_sha256(path: Path) -> str:
    """Hash a file, or the names and contents of all files of a folder."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for part in sorted(part for part in path.rglob("*") if part.is_file()):
        digest.update(f"{part.relative_to(path)} {part.stat().st_size}\n".encode())
        with part.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _read(
    path: Path, columns: Mapping[str, str], scratch: Scratch | None = None
) -> tuple[AnnData, list[str]]:
    """Read a file; give the sections and the names of all keys below ``uns``."""
    content = reader_of(path).read(path, scratch)
    notes = content.notes
    obs = slots.name_columns(content.obs, columns, path.stem, notes)
    spatial, obs = slots.place_z(content.obsm[keys.SPATIAL], obs, notes)
    counts, var = slots.name_genes(content.counts, content.var, notes)
    values = slots.kind_of_values(counts, notes)
    sections = obs[keys.SECTION].cat.codes.to_numpy()
    unit = slots.name_unit(content.unit, checks.spacings(spatial, sections), notes)
    adata = AnnData(
        X=counts,
        obs=obs,
        var=var,
        obsm=content.obsm | {keys.SPATIAL: spatial},
        obsp=content.obsp,
        uns=content.uns,
    )
    adata.uns[keys.PROVENANCE] = {
        **content.uns.get(keys.PROVENANCE, {}),
        "unit": unit,
        "values": values,
        "source_sha256": source_sha256(path),
        "notes": notes,
    }
    return adata, [name.removeprefix("uns/") for name in content.names if name.startswith("uns/")]
