"""Write sections to a file, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import h5py
import pandas as pd
from anndata import AnnData
from anndata._io.specs.registry import IORegistryError  # public nowhere, and derived from Exception alone
from anndata.io import write_elem
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.errors import InputError
from squint.files import whole
from squint.io import slots
from squint.io.hdf5_writing import new_hdf5
from squint.io.mapped import let_go, mapping_of


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
        If the folder is missing, the disk refuses, or a slot holds what no file can hold.
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
    shell.strings_to_categoricals()
    if shell.raw is not None:
        shell.strings_to_categoricals(shell.raw.var)
    if isinstance(adata.X, csr_matrix):
        let_go(adata.X.data, adata.X.indices)
    with whole(path) as temporary, new_hdf5(temporary) as file:
        try:
            write_elem(file, "/", shell, dataset_kwargs={"compression": "gzip"})
        except (ValueError, TypeError, KeyError, UnicodeError, IORegistryError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{path.name} could not be written: {reason}") from error
        _write_mapped(mapped, file)


def _write_mapped(arrays: Mapping[str, NDArray[Any]], file: h5py.File) -> None:
    """Add arrays that lie in files to ``obsm`` of an ``.h5ad`` file as anndata does, some rows at a time."""
    for key, array in arrays.items():
        stored = file["obsm"].create_dataset(
            key, shape=array.shape, dtype=array.dtype, chunks=True, compression="gzip"
        )
        stored.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        n_rows = stored.chunks[0]
        for start in range(0, len(array), n_rows):
            stored[start : start + n_rows] = array[start : start + n_rows]
            let_go(array)
