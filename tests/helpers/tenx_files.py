"""Matrices written in the layouts of 10x Genomics."""

import gzip
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import zarr
from scipy import sparse


def write_h5(
    path: Path, counts: np.ndarray, barcodes: list[str], names: list[str], *, types: list[str], **dtypes: str
) -> None:
    """Write counts (cells, features) as ``*_matrix.h5``; ``dtypes`` of data, indices, indptr and shape."""
    stored = sparse.csr_matrix(counts)  # cells by features by rows is features by cells by columns
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        parts = {"data": stored.data, "indices": stored.indices, "indptr": stored.indptr}
        parts["shape"] = np.array(counts.shape[::-1])
        usual = {"data": "i4", "indices": "i8", "indptr": "i8", "shape": "i4"}
        for key, values in parts.items():
            group.create_dataset(key, data=values.astype(dtypes.get(key, usual[key])), compression="gzip")
        group["barcodes"] = np.array(barcodes, "S")
        features = group.create_group("features")
        features["name"] = np.array(names, "S")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(len(names))], "S")
        features["feature_type"] = np.array(types, "S")
        features["genome"] = np.array(["GRCh38"] * len(names), "S")
        features["_all_tag_keys"] = np.array(["genome"], "S")


def write_folder(
    folder: Path,
    counts: np.ndarray,
    barcodes: list[str],
    names: list[str],
    *,
    types: list[str] | None = None,
    packed: bool = True,
) -> None:
    """Write counts (cells, features) as Matrix Market with its lists; without types as before 2018."""
    folder.mkdir(parents=True)
    stored = sparse.coo_matrix(np.asarray(counts).T)
    sizes = f"{stored.shape[0]} {stored.shape[1]} {stored.nnz}"
    values = [f"{i + 1} {j + 1} {v}" for i, j, v in zip(stored.row, stored.col, stored.data, strict=True)]
    rows = [[f"ENSG{i:011d}", name] for i, name in enumerate(names)]
    if types:
        rows = [[*row, kind] for row, kind in zip(rows, types, strict=True)]
    files = {
        "matrix.mtx": ["%%MatrixMarket matrix coordinate integer general", "%of cells", sizes, *values],
        "barcodes.tsv": barcodes,
        "features.tsv" if types else "genes.tsv": ["\t".join(row) for row in rows],
    }
    for name, lines in files.items():
        text = ("\n".join(lines) + "\n").encode()
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text))
        else:
            (folder / name).write_bytes(text)


def write_zarr(
    path: Path,
    counts: np.ndarray,
    barcodes: list[str],
    names: list[str],
    *,
    types: list[str],
    version: int = 2,
    **options: object,
) -> None:
    """Write counts (cells, features) as Xenium Explorer's store, zipped where it is called so."""
    folder = path.with_suffix("") if path.suffix == ".zip" else path
    stored = sparse.csr_matrix(np.asarray(counts).T)
    root = zarr.open_group(folder, mode="w", zarr_format=version)
    group = root.create_group("cell_features")
    parts = {"data": stored.data, "indices": stored.indices, "indptr": stored.indptr}
    parts["cell_id"] = np.array([_numbers(barcode) for barcode in barcodes])
    for key, values in parts.items():
        chunks = tuple(min(7, max(1, size)) for size in values.shape)
        array = group.create_array(key, shape=values.shape, dtype="u4", chunks=chunks, **options)
        array[...] = values.astype("u4")
    kinds = {"Gene Expression": "gene"}
    group.attrs.update(
        {
            "feature_keys": names,
            "feature_ids": [f"ENSG{i:011d}" for i in range(len(names))],
            "feature_types": [kinds.get(kind, kind.lower().replace(" ", "_")) for kind in types],
            "number_cells": len(barcodes),
            "number_features": len(names),
            "major_version": 3,
        }
    )
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(file for file in folder.rglob("*") if file.is_file()):
                archive.write(file, file.relative_to(folder))
        shutil.rmtree(folder)


def _numbers(barcode: str) -> tuple[int, int]:
    """Turn ``"aaabckmo-1"`` into the numbers it is made of."""
    letters, _, data_set = barcode.partition("-")
    return int("".join(f"{ord(letter) - ord('a'):x}" for letter in letters), 16), int(data_set)
