"""Leave out whole levels of a stack, tell them from the others, and score that beside the nearest cells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys, tl
from squint.errors import InputError
from squint.files import write_text
from squint.spreadsheet import csv_text

TABLE, TEXT = "table.csv", "table.md"
SCORES = {"pc": max, "pg": max, "mmd3": min, "energy": min}  # and which is better
TITLES = {"pc": "PC", "pg": "PG", "mmd3": "MMD3", "energy": "E"}


def leave_levels_out(adata: AnnData, folder: Path, *, seeds: Sequence[int] = (0, 1, 2)) -> str:
    """Judge every level between two others.

    Parameters
    ----------
    adata
        Levels of raw counts, as `squint.read` gives them.
    folder
        Where ``table.csv``, a row per level, target and method, and ``table.md`` are written.
    seeds
        Of the draws; all else is without chance.

    Returns
    -------
    What ``table.md`` holds: per target and method the mean over levels, beside the K nearest cells with the
    best K for each score.

    Raises
    ------
    InputError
        If no level lies between two others.
    """
    tl.virtual_section_quality(adata, n_levels=None, distributions=True, seeds=list(seeds))
    table = adata.uns[keys.BETWEEN_QUALITY]
    if table.empty:
        raise InputError(
            "No level lies between two others, so none can be left out. Give three levels or more."
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = to_markdown(table)
    write_text(folder / TABLE, csv_text(table))
    write_text(folder / TEXT, text)
    return text


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Average over levels: what was learned, the nearest cells with the best K for each score, and draws.

    Parameters
    ----------
    table
        Of `squint.tl.virtual_section_quality`.

    Returns
    -------
    A row per target and method with each score, the K that it is best with (``k_pc`` and so on), its s.d.
    over seeds where there is chance, and ``n_levels``.
    """
    rows = []
    for (target, method), own in table.groupby(["target", "method"], sort=False):
        if target == "token":
            continue
        row: dict[str, object] = {"target": target, "method": method, "n_levels": own["level"].nunique()}
        for score, better in SCORES.items():
            means = own.groupby(["k", "seed"])[score].mean().groupby("k").mean()
            if means.notna().any():
                best = better(means.dropna())
                row |= {score: float(best), f"k_{score}": int(means.index[means == best][0])}
                row[f"sd_{score}"] = float(np.std(own.groupby("seed")[score].mean()))
        rows.append(row)
    return pd.DataFrame(rows)


def to_markdown(table: pd.DataFrame) -> str:
    """Write the table for a reader, with the gain over the best K level by level."""
    n_levels = table["level"].nunique()
    lines = [
        f"{n_levels} levels left out, one at a time. Nearest: z-weighted mean over the K nearest cells of "
        "both adjacent levels, with the best K for each score.",
        "",
        "| target | method | PC | PG | MMD3 | E |",
        "|---|---|---|---|---|---|",
    ]
    for row in summarise(table).to_dict("records"):
        cells = [_cell(row, score) for score in SCORES]
        lines.append(f"| {row['target']} | {row['method']} | {' | '.join(cells)} |")
    for target in (t for t in ("neighbourhood", "cell") if (table["target"] == t).any()):
        for score in ("pc", "pg"):
            said = tl.virtual_section_verdict(table, target=target, score=score)
            lines.append(
                f"\n{TITLES[score]}, {target}: {said.words}; difference {said.difference:+.4f} "
                f"(s.e. {said.se:.4f} over {said.n_levels} levels, K = {said.k})."
            )
    tokens = table[table["target"] == "token"]
    if len(tokens):
        share = tokens.groupby("k")["agreement"].mean()
        lines.append(
            f"\nTokens told right: {share.max():.1%} (K = {share.index[int(share.argmax())]}), "
            f"by the nearest cell {share[1]:.1%}."
        )
    return "\n".join(lines) + "\n"


def _cell(row: dict[Any, Any], score: str) -> str:
    value = row.get(score)
    if not isinstance(value, float) or not np.isfinite(value):
        return "-"
    digits = 3 if score in ("pc", "pg") else 4
    text = f"{value:.{digits}f}".removeprefix("0")
    if row["method"] == "nearest":
        return f"{text} (K {int(row[f'k_{score}'])})"
    if row["method"] == "draw":
        return f"{text} ± {row[f'sd_{score}']:.4f}"
    return text
