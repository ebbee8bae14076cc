"""The table of in-painting: rows of several seeds put together, and the best baselines marked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from squint.baselines.catalogue import CELL_TYPE_MEAN, TRUTH_HALVES

MODEL = "model"
METRICS = {"pc": "PC", "pg": "PG", "mmd": "MMD", "mmd3": "MMD3", "energy": "E"}
LESS_IS_BETTER = frozenset({"MMD", "MMD3", "E"})
NO_RIVALS = {  # rows that no model is compared with, and why
    CELL_TYPE_MEAN: "uses the label of the hidden cell",
    TRUTH_HALVES: "half of the truth against the other: the floor of MMD, MMD3 and E, for half as many cells",
}


def summarise(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put the rows of all seeds together.

    Parameters
    ----------
    rows
        With ``section``, ``method``, ``kind``, ``n``, ``seed`` (None without chance), the scores, and for
        models ``train_s`` and ``inpaint_s``.

    Returns
    -------
    A row per section and method, in order of appearance: ``section``, ``method``, ``n``, ``seeds``; of each
    metric its mean and, where there are several seeds, its s.d. over them (``PC_sd``, ...); ``best_in``, the
    metrics in which no other baseline is better; ``note``; ``train_s`` and ``inpaint_s``, means.
    """
    cost = {"train_s": np.nan, "inpaint_s": np.nan}
    every = pd.DataFrame([cost | row for row in rows]).rename(columns=METRICS)
    groups = every.groupby(["section", "method"], sort=False)
    table = groups[["kind", "n"]].first().assign(seeds=groups["seed"].nunique())
    for metric in METRICS.values():
        table[metric] = groups[metric].mean()
        table[f"{metric}_sd"] = groups[metric].std(ddof=1)
    table = table.reset_index()
    table["best_in"] = _best(table)
    table["note"] = table["method"].map(NO_RIVALS).fillna("")
    return table.drop(columns="kind").assign(**groups[list(cost)].mean().reset_index(drop=True))


def _best(table: pd.DataFrame) -> list[str]:
    """Name the metrics in which each row is its section's best baseline."""
    best: list[list[str]] = [[] for _ in range(len(table))]
    rivals = table[(table["kind"] != MODEL) & ~table["method"].isin(NO_RIVALS)]
    for _, part in rivals.groupby("section", sort=False):
        for metric in METRICS.values():
            values = part[metric].to_numpy() * (-1 if metric in LESS_IS_BETTER else 1)
            if np.isfinite(values).any():
                best[part.index.to_numpy()[np.nanargmax(values)]].append(metric)
    return [" ".join(metrics) for metrics in best]


def to_markdown(table: pd.DataFrame, sections: Sequence[dict[str, Any]], seeds: Sequence[int]) -> str:
    """Write the table for readers.

    Parameters
    ----------
    table
        From `summarise`.
    sections
        Of each: ``section``, ``n_hidden``, ``n_cells``, ``n_genes``, ``n_measured``.
    seeds
        Those that the means are over.

    Returns
    -------
    Markdown, a table a section; the best baseline of each metric is bold.
    """
    said = ", ".join(map(str, seeds))
    lines = []
    for facts in sections:
        rows = table[table["section"] == facts["section"]]
        genes = f"{facts['n_genes']:,} genes"
        if facts["n_genes"] < facts["n_measured"]:
            genes += f" of the model, of {facts['n_measured']:,} measured"
        lines += [
            f"Strict protocol, section {facts['section']}: {facts['n_hidden']:,} of {facts['n_cells']:,} "
            f"cells hidden at once, from training and from input; {genes}; seeds {said}.",
            "",
            f"| method | n | {' | '.join(METRICS.values())} |",
            "|---|---|" + "---|" * len(METRICS),
            *(_line(row) for _, row in rows.iterrows()),
            "",
            "Bold: the best baseline of each metric. ± is the s.d. over seeds.",
            *(f"`{row['method']}`: {row['note']}." for _, row in rows.iterrows() if row["note"]),
            *_cost(rows),
            "",
        ]
    return "\n".join(lines)


def _line(row: pd.Series) -> str:
    best = row["best_in"].split()
    cells = []
    for metric in METRICS.values():
        digits = 4 if metric in LESS_IS_BETTER else 3
        text = f"{row[metric]:.{digits}f}"
        if np.isfinite(row[f"{metric}_sd"]):
            text += f" ± {row[f'{metric}_sd']:.{digits}f}"
        cells.append(f"**{text}**" if metric in best else text)
    return f"| {row['method']} | {row['n']:,} | {' | '.join(cells)} |"


def _cost(rows: pd.DataFrame) -> list[str]:
    return [
        f"`{row['method']}`: trained in {row['train_s']:.0f} s, in-painted in {row['inpaint_s']:.1f} s."
        for _, row in rows[rows["train_s"].notna()].iterrows()
    ]
