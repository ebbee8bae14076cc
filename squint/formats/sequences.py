"""Tokens as sequences, one per section, in an order that keeps neighbours together: for language models."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from squint import keys
from squint._version import __version__
from squint.columns import UNKNOWN, labels
from squint.errors import InputError
from squint.files import whole
from squint.io import checks

if TYPE_CHECKING:
    from anndata import AnnData

BITS = 21  # per axis: three axes fit into 63 bits
ORDER = (
    "Morton (Z-order) of x, y and, in three dimensions, z, each in 2^21 steps of the section's longest side; "
    "the lowest bit is x's; ties by cell name"
)


def token_sequences(adata: "AnnData", *, token_key: str = keys.TOKENS) -> pd.DataFrame:
    """Give the tokens of each section as one sequence.

    Parameters
    ----------
    adata
        Tokenised sections.
    token_key
        Where in ``obsm`` the tokens of all heads are (n, heads).

    Returns
    -------
    One row per section, by name:

    ``section_id``, ``patient_id``
        Names; the patient where ``obs`` has one, missing where the section is not of exactly one.
    ``unit``
        Of the coordinates: ``"um"`` or ``"unknown"``.
    ``z_um``
        Height of the section, where ``obs`` has it; NaN where its cells differ.
    ``n_cells``
        Length of the lists that follow, one item per cell with a token, in Morton order of the coordinates.
    ``n_without_token``
        Cells that have none, for they have no counts; they are left out.
    ``tokens``, ``tokens_2``, ...
        Lists of int: the tokens of the first head, as in ``obs["squint_token"]``, and one column for each
        further head.
    ``x``, ``y``, ``z``
        Lists of float, in ``unit``; z only in three dimensions.
    ``cells``
        Lists of names.

    Raises
    ------
    InputError
        If tokens, sections or coordinates are missing or unusable.
    """
    if token_key not in adata.obsm:
        raise InputError(f"`adata.obsm` has no {token_key!r}. Run `squint.tl.tokenize` first.")
    sections = labels(adata, keys.SECTION).to_numpy()
    where = f"`adata.obsm[{keys.SPATIAL!r}]`"
    coordinates = checks.check_coordinates(adata.obsm.get(keys.SPATIAL), adata.obs_names, where)
    names = adata.obs_names.to_numpy(dtype=str)
    tokens = {
        "tokens" if head == 0 else f"tokens_{head + 1}": values
        for head, values in enumerate(np.asarray(adata.obsm[token_key], dtype=np.int32).T)
    }
    lists = {**tokens, **dict(zip("xyz", coordinates.T, strict=False)), "cells": names}
    rows = []
    known = (np.asarray(adata.obsm[token_key]) >= 0).all(axis=1)
    for section in sorted(set(sections)):
        here = sections == section
        cells = np.flatnonzero(here & known)
        cells = cells[morton_order(coordinates[cells], names[cells])]
        row = {"section_id": section, **_facts_of_section(adata, np.flatnonzero(here))}
        row |= {"n_cells": len(cells), "n_without_token": int((here & ~known).sum())}
        rows.append(row | {name: values[cells].tolist() for name, values in lists.items()})
    return pd.DataFrame(rows)


def morton_order(coordinates: NDArray[np.float64], names: NDArray[Any] | None = None) -> NDArray[np.intp]:
    """Order cells along a Z-order curve, so that cells near each other in the list are near in the tissue.

    Parameters
    ----------
    coordinates
        Positions (n, 2 | 3), finite.
    names
        Names (n,) that decide between cells of one step; by default those keep their order.

    Returns
    -------
    Numbers of the cells (n,), first to last.
    """
    place = morton_place(coordinates)
    return np.argsort(place, kind="stable") if names is None else np.lexsort((names, place))


def morton_place(coordinates: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Give each cell's place on the curve: the bits of its steps along the axes, in turn.

    Steps are as long on all axes: 2^21 along the longest side of the cells' extent.

    Parameters
    ----------
    coordinates
        Positions (n, 2 | 3), finite.

    Returns
    -------
    Places (n,); cells within one step share one.
    """
    if not len(coordinates):
        return np.zeros(0, dtype=np.uint64)
    low = coordinates.min(axis=0)
    span = float(np.max(coordinates - low)) or 1.0
    steps = ((coordinates - low) / span * (2**BITS - 1)).astype(np.uint64)  # (n, d)
    n_axes = steps.shape[1]
    place = np.zeros(len(steps), dtype=np.uint64)
    for bit in range(BITS):
        for axis in range(n_axes):
            place |= (steps[:, axis] >> np.uint64(bit) & np.uint64(1)) << np.uint64(bit * n_axes + axis)
    return place


def provenance(adata: "AnnData", file: str) -> dict[str, Any]:
    """Say which model made the tokens of sections, and how their sequences are ordered.

    Parameters
    ----------
    adata
        Tokenised sections.
    file
        Their name, for messages.

    Returns
    -------
    ``model_sha256``; ``n_codes``, the size of each head's vocabulary; ``n_heads``; ``order``; the version of
    ``squint``; and ``time_utc``.

    Raises
    ------
    InputError
        If the sections do not say which model made their tokens.
    """
    facts = adata.uns.get(keys.PROVENANCE, {})
    if not {"model_sha256", "n_codes"} <= set(facts):
        raise InputError(f"{file} holds tokens, but not of which model. Tokenise it again.")
    return {
        "model_sha256": str(facts["model_sha256"]),
        "n_codes": int(facts["n_codes"]),
        "n_heads": int(np.shape(adata.obsm[keys.TOKENS])[1]),
        "order": ORDER,
        "squint": __version__,
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def join_sequences(parts: Mapping[str, pd.DataFrame], models: Mapping[str, str]) -> pd.DataFrame:
    """Put the sequences of several files into one table.

    Parameters
    ----------
    parts
        File -> its table of :func:`token_sequences`.
    models
        File -> sha256 of the model that made its tokens.

    Returns
    -------
    The rows of all tables, in order.

    Raises
    ------
    InputError
        If the tokens are of several models, or two files hold sections of one name.
    """
    if len(set(models.values())) > 1:
        said = ", ".join(f"{file} of {sha256[:12]}" for file, sha256 in models.items())
        raise InputError(
            f"Tokens of different models mean different things: {said}. Tokenise all by one model."
        )
    joined = pd.concat(parts.values(), ignore_index=True)
    twice = joined["section_id"][joined["section_id"].duplicated()]
    if len(twice):
        raise InputError(f"Section {twice.iloc[0]!r} is in two files. Give each section once.")
    return joined


def check_ending(path: Path) -> None:
    """Refuse a file that is neither ``.parquet`` nor ``.jsonl``.

    Parameters
    ----------
    path
        The file, which need not exist.

    Raises
    ------
    InputError
        If the ending is another.
    """
    if path.suffix not in _WRITERS:
        raise InputError(f"{path.name} ends neither in .parquet nor in .jsonl. Choose one of them.")


def write_sequences(table: pd.DataFrame, facts: Mapping[str, Any], path: Path) -> None:
    """Write sequences to a file, whole or not at all.

    Parameters
    ----------
    table
        Of :func:`token_sequences`.
    facts
        Of :func:`provenance`.
    path
        ``.parquet``: zstd, ``facts`` as JSON under ``squint`` in the schema's metadata.
        ``.jsonl``: one section a line, ``facts`` under ``squint`` in each. Replaced if it exists.

    Raises
    ------
    InputError
        If the ending is another, or the disk refuses.
    """
    check_ending(path)
    with whole(path) as temporary:
        _WRITERS[path.suffix](table, facts, temporary)


def _facts_of_section(adata: "AnnData", cells: NDArray[np.intp]) -> dict[str, Any]:
    """Say what is known of the section of these cells as a whole."""
    facts: dict[str, Any] = {}
    if keys.PATIENT in adata.obs:
        patients = set(labels(adata, keys.PATIENT).iloc[cells])
        facts["patient_id"] = patients.pop() if len(patients) == 1 and UNKNOWN not in patients else None
    facts["unit"] = str(adata.uns.get(keys.PROVENANCE, {}).get("unit", "unknown"))
    if keys.Z in adata.obs:
        heights = np.unique(adata.obs[keys.Z].to_numpy(dtype=np.float64)[cells])
        facts[keys.Z] = float(heights[0]) if len(heights) == 1 else float("nan")
    return facts


def _write_parquet(table: pd.DataFrame, facts: Mapping[str, Any], path: Path) -> None:
    columns = {name: pa.array(values, _type_of(name)) for name, values in _with_none(table).items()}
    written = pa.table(columns).replace_schema_metadata({"squint": json.dumps(facts)})
    parquet.write_table(written, path, compression="zstd")


def _type_of(column: str) -> pa.DataType:
    if column.startswith("tokens"):
        return pa.list_(pa.int32())
    lists = dict.fromkeys("xyz", pa.list_(pa.float64())) | {"cells": pa.list_(pa.string())}
    numbers = {"n_cells": pa.int64(), "n_without_token": pa.int64()}
    return {**lists, **numbers, keys.Z: pa.float64()}.get(column, pa.string())


def _write_jsonl(table: pd.DataFrame, facts: Mapping[str, Any], path: Path) -> None:
    columns = _with_none(table)
    with path.open("w", encoding="utf-8") as file:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            file.write(json.dumps({**row, "squint": facts}, allow_nan=False) + "\n")


def _with_none(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Give the columns as lists, what is missing as None."""
    return {str(name): table[name].astype(object).where(table[name].notna(), None).tolist() for name in table}


_WRITERS: dict[str, Callable[[pd.DataFrame, Mapping[str, Any], Path], None]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_jsonl,
}
