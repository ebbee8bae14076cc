import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys
from squint._version import __version__
from squint.errors import InputError
from squint.tl._by_clusters import Clusters
from squint.tl._by_file import LabelFile
from squint.tl._by_markers import Markers
from squint.tl._by_transfer import Transfer
from squint.tl._differential_expression import refuse_intensities
from squint.tl._named import Named

How = Clusters | Markers | Transfer | LabelFile
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


def cell_types(
    adata: AnnData,
    *,
    by: How | str = "clusters",
    name: str | None = None,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Name the cells of sections: by clusters, by marker genes, as another section does, or as a file says.

    Parameters
    ----------
    adata
        Sections with raw counts in ``X``.
    by
        :class:`Clusters`, :class:`Markers`, :class:`Transfer` or :class:`LabelFile`, each with its options;
        ``"clusters"`` and ``"markers"`` are the first two with theirs as they are.
    name
        Of the labeling: letters, digits, ``-``, ``_`` and ``.``; by default the way it is made, and a number
        where that is taken.
    seed
        Seed of clusters, of cells drawn and of cells held out: the same gives the same names.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_cell_type"]`` : categorical of str (n,)
        The names; missing for cells without counts, and where the way of naming says too little.
    ``adata.obs["squint_cell_type_confidence"]`` : float32 (n,) in [0, 1]
        Of a cell of a cluster: the share of its ties to neighbours that stay in it. Of a name by markers: the
        share of the best score by which it leads the second. By transfer: how probable the best type is,
        whether it was given or not. From a file: as that says. NaN: none is stated.
    ``adata.obs["squint_labels_NAME"]``, ``adata.obs["squint_confidence_NAME"]``
        The same, kept under the name of this labeling, so that they follow their cells.
    ``adata.uns["squint"]["labelings"]`` : dict
        All labelings by name: ``by``, ``parameters``, ``seed``, ``version``, ``time_utc``, ``n_cells``,
        ``n_named``, ``n_types``, ``notes``, ``facts`` of the way it was made, with the calibration of a
        transfer, and the columns of ``obs`` that keep it, ``labels`` and ``confidence``.
    ``adata.uns["squint"]["labeling"]`` : str
        Name of the labeling in use.
    ``adata.uns["squint_cell_type_evidence"]`` : :class:`pandas.DataFrame`
        Of names of clusters by markers: a row per ``cluster`` and ``set``, the best first: ``score``, the t
        of decoupler's ulm; ``n_cells``; ``kind``, type or state, which names nothing; ``n_measured`` of
        ``n_markers``; ``margin`` to the second, of the best; ``named``, whether it became the name.

    Raises
    ------
    InputError
        If there are intensities, which only a file can name, no counts or too few cells, the name is taken,
        genes are of an unknown species, the panel measures too few markers or shares too few genes, a column
        is missing, a file names too few cells, or a package is not installed.

    References
    ----------
    Traag, Waltman and van Eck (2019), From Louvain to Leiden. Badia-i-Mompel et al. (2022), decoupleR.
    Dominguez Conde et al. (2022), Cross-tissue immune cell analysis, whose celltypist the transfer follows.
    """
    how = _way(by)
    if how.word != LabelFile.word:  # a file says what it says, whatever was measured
        refuse_intensities(adata)
    known = dict(adata.uns.get(keys.PROVENANCE, {}).get("labelings", {}))
    title = _title(name, how.word, known)
    adata = adata.copy() if copy else adata
    found = how.name(adata, seed)
    _keep(adata, found, title)
    known[title] = {
        "by": how.word,
        "parameters": found.parameters,
        "seed": seed,
        "version": __version__,
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_cells": adata.n_obs,
        "n_named": int((found.labels.codes >= 0).sum()),
        "n_types": len(found.labels.categories),
        "notes": found.notes,
        "facts": found.facts,
        "labels": keys.LABELS_PREFIX + title,
        "confidence": keys.CONFIDENCE_PREFIX + title,
    }
    made: dict[str, Any] = adata.uns.setdefault(keys.PROVENANCE, {})
    made.update(labelings=known, labeling=title)
    return adata if copy else None


def _way(by: How | str) -> How:
    if not isinstance(by, str):
        return by
    if by not in {Clusters.word, Markers.word}:
        raise InputError(
            f"Cells are named by 'clusters' or 'markers', or by Transfer or LabelFile, not by {by!r}."
        )
    return Clusters() if by == Clusters.word else Markers()


def _title(name: str | None, word: str, known: dict[str, Any]) -> str:
    """Give the labeling a name that is free."""
    if name is None:
        return word if word not in known else next(t for i in count(2) if (t := f"{word}-{i}") not in known)
    if not _NAME.fullmatch(name):
        raise InputError(f"{name[:60]!r} cannot name a labeling. Use letters, digits, -, _ and a dot.")
    if name in known:
        raise InputError(f"There is a labeling {name!r} already. Choose another name.")
    return name


def _keep(adata: AnnData, found: Named, title: str) -> None:
    """Put names into ``obs``: as those in use, and under the labeling's own name."""
    labels = found.labels.remove_unused_categories()
    for column in (keys.NAMED_TYPE, keys.LABELS_PREFIX + title):
        adata.obs[column] = pd.Categorical.from_codes(labels.codes, labels.categories.astype(object))
    for column in (keys.NAMED_TYPE_CONFIDENCE, keys.CONFIDENCE_PREFIX + title):
        adata.obs[column] = found.confidence.astype(np.float32)
    if found.evidence is not None:
        adata.uns[keys.EVIDENCE] = found.evidence
