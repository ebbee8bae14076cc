"""Counts of a section as files: gene by gene, so that one is read without the others."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError

if TYPE_CHECKING:
    import anndata as ad


def write_genes(adata: "ad.AnnData", path: Path) -> None:
    """Store counts gene by gene."""
    import h5py  # noqa: PLC0415 - only where a gene is shown or kept
    from scipy.sparse import csc_matrix  # noqa: PLC0415

    from squint.io.hdf5_writing import new_hdf5  # noqa: PLC0415

    counts = csc_matrix(adata.X)
    with new_hdf5(path) as file:
        file.attrs["n_cells"] = adata.n_obs
        file.create_dataset("names", data=adata.var_names.to_numpy(dtype=object), dtype=h5py.string_dtype())
        file["indptr"] = counts.indptr.astype(np.int64)
        for name, values in (("indices", counts.indices.astype(np.int32)), ("data", counts.data)):
            options = (
                {"compression": "gzip", "compression_opts": 4, "chunks": (65_536,)}
                if len(values) > 65_536
                else {}
            )
            file.create_dataset(name, data=values, **options)


def read_names(path: Path) -> list[str]:
    """List the genes of a section."""
    import h5py  # noqa: PLC0415 - only where a gene is shown

    try:
        with h5py.File(path) as file:
            return [str(name) for name in file["names"].asstr()[:]]
    except DAMAGED as error:
        raise _damaged(path) from error


def read_gene(path: Path, name: str) -> NDArray[np.float32] | None:
    """Read the counts (n_cells,) of a gene, or ``None`` if the section lacks it."""
    import h5py  # noqa: PLC0415 - only where a gene is shown

    try:
        with h5py.File(path) as file:
            at = np.flatnonzero(file["names"].asstr()[:] == name)
            if not len(at):
                return None
            start, end = file["indptr"][at[0] : at[0] + 2]
            counts = np.zeros(int(file.attrs["n_cells"]), dtype=np.float32)
            counts[file["indices"][start:end]] = file["data"][start:end]
    except DAMAGED as error:
        raise _damaged(path) from error
    return counts


def read_cell(path: Path, row: int, n_genes: int) -> NDArray[np.float32]:
    """Read the counts (n_genes,) of a cell from the file of a section."""
    import h5py  # noqa: PLC0415 - only where a cell is asked for

    counts = np.zeros(n_genes, dtype=np.float32)
    try:
        with h5py.File(path) as file:
            start, end = file["X/indptr"][row : row + 2]
            counts[file["X/indices"][start:end]] = file["X/data"][start:end]
    except DAMAGED as error:
        raise _damaged(path) from error
    return counts


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} in the library is damaged. Look at the page Sections.")
