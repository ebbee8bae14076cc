"""Matrices written in the layouts of 10x Genomics."""

import gzip
from pathlib import Path

import h5py
import numpy as np
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
