"""Parts of HDF5 files that unpack to far more than they take on the disk."""

import zlib

import h5py
import numpy as np


def fill(
    file: h5py.File, name: str, shape: tuple[int, ...], chunk: tuple[int, ...], value: float, dtype: str
) -> h5py.Dataset:
    """Make a data set of one value at once: its first chunk is packed, and stored as each of them."""
    packed = zlib.compress(np.full(chunk, value, dtype).tobytes(), 9)
    stored = file.create_dataset(
        name, shape=shape, dtype=dtype, chunks=chunk, compression="gzip", compression_opts=9
    )
    for at in np.ndindex(*(-(-n // step) for n, step in zip(shape, chunk, strict=True))):
        stored.id.write_direct_chunk(tuple(i * step for i, step in zip(at, chunk, strict=True)), packed)
    return stored


def repeat_text(file: h5py.File, name: str, n_values: int, length: int) -> None:
    """Make a column in which every cell refers to the same text."""
    stored = file.create_dataset(name, shape=(n_values,), dtype=h5py.string_dtype(), chunks=(1,))
    stored[0] = "x" * length
    file.flush()
    reference = stored.id.read_direct_chunk((0,))[1]
    for at in range(1, n_values):
        stored.id.write_direct_chunk((at,), reference)
    stored.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
