"""Options that leave out cells of low quality, and what they do to sections that were read."""

import argparse
from dataclasses import fields
from typing import Any, cast

import pandas as pd
from anndata import AnnData

from squint import keys, pp
from squint.errors import InputError
from squint.io import mapped
from squint.pp import QualityFilter


def add_filter(sub: argparse.ArgumentParser) -> None:
    """Take criteria that cells must meet."""
    group = sub.add_argument_group("cells of low quality to leave out (none, unless asked)")
    for name, value, about in (
        ("--min-counts", "N", "those with fewer counts of genes"),
        ("--min-area", "UM2", "those that are smaller, in um2"),
        ("--max-area", "UM2", "those that are larger, in um2"),
        ("--max-control-share", "SHARE", "those with more controls among their counts: 0.05 is a twentieth"),
    ):
        group.add_argument(name, type=float, metavar=value, help=about)
    group.add_argument("--in-tissue", action="store_true", help="what the source says lies off the tissue")


def filter_of(options: argparse.Namespace) -> QualityFilter:
    """Gather the criteria.

    Raises
    ------
    InputError
        If no cell could meet one.
    """
    return QualityFilter(**{item.name: getattr(options, item.name) for item in fields(QualityFilter)})


def leave_out(adata: AnnData, criteria: QualityFilter, name: str) -> AnnData:
    """Give the cells that pass, and note how many do not; with no criterion, all as they are.

    The graph of neighbours is left out with the cells, since those that remain get new neighbours. Counts
    that lie in files stay in files.

    Raises
    ------
    InputError
        If no cell passes, or the sections say nothing of a criterion.
    """
    if not criteria.given():
        return adata
    passed = pp.quality_filter(adata, criteria)
    if not passed.mask.any():
        raise InputError(f"No cell of {name} would be left: {passed.sentences(criteria)[0]}. Ask for less.")
    table = cast("pd.DataFrame", adata.obs)[passed.mask]
    table = table.assign(
        **{
            str(key): labels.cat.remove_unused_categories()
            for key, labels in table.select_dtypes("category").items()
        }
    )
    counts, arrays = cast("Any", adata.X), cast("dict[str, Any]", adata.obsm)
    kept = AnnData(
        X=mapped.change_rows(counts, lambda rows, which: rows[passed.mask[which]]),
        obs=table,
        var=cast("pd.DataFrame", adata.var),
        obsm={key: array[passed.mask] for key, array in arrays.items()},
        uns={key: value for key, value in adata.uns.items() if key != "spatial_neighbors"},
    )
    made = adata.uns[keys.PROVENANCE]
    kept.uns[keys.PROVENANCE] = {
        **made,
        "notes": [*made["notes"], *(f"{said}." for said in passed.sentences(criteria))],
        "filter": {
            "criteria": criteria.given(),
            "n_before": adata.n_obs,
            "n_after": kept.n_obs,
            "n_alone": passed.n_alone,
            "n_missing": passed.n_missing,
        },
    }
    return kept
