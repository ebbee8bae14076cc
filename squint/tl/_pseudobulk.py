import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import labels
from squint.errors import InputError
from squint.stats.arms import Arms, Patients, choose_arms, listed, patients
from squint.tl._differential_expression import refuse_intensities

MIN_CELLS = 10
_NAMES = {
    "baseMean": "base_mean",
    "log2FoldChange": "log2_fold_change",
    "lfcSE": "se",
    "pvalue": "p",
    "padj": "q",
}


def pseudobulk(
    adata: AnnData,
    groupby: str,
    *,
    group: str | Sequence[str],
    reference: str | Sequence[str],
    patient_key: str = keys.PATIENT,
    min_cells: int = MIN_CELLS,
    copy: bool = False,
) -> AnnData | None:
    """Find the genes that differ between two groups of cells across patients.

    Counts are summed over each patient's cells of each arm, and the sums are compared with DESeq2: patients
    are independent, cells are not. If at least two patients have both arms, those are compared, each with
    itself (``~ patient + arm``); else patients with one arm only (``~ arm``), at least two on each side.

    Parameters
    ----------
    adata
        Sections with raw counts in ``X``.
    groupby
        Column of ``obs`` with the labels.
    group, reference
        A label or several; all other cells are left out.
    patient_key
        Column of ``obs`` with the patients; cells without one are left out.
    min_cells
        Cells that a patient must have in an arm to count there.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_pseudobulk"]`` : :class:`pandas.DataFrame`, indexed by gene, all genes
        ``n_patients_group`` and ``n_patients_reference``; ``base_mean``, normalised counts per patient and
        arm; ``log2_fold_change``, not shrunken, and its standard error ``se``; ``p`` of Wald's test; ``q``,
        Benjamini and Hochberg's. Sorted by ``p``. NaN as in DESeq2: all but ``base_mean`` for a gene without
        a count, ``p`` and ``q`` for a gene with an outlying patient, ``q`` for one with too few counts to be
        found. Its ``attrs`` hold the facts below.
    ``adata.uns["squint"]["pseudobulk"]`` : dict
        ``groupby``, ``group``, ``reference``, ``patients_group``, ``patients_reference``, ``design``,
        ``min_cells``, and ``warnings``, what DESeq2 said of the fit.

    Raises
    ------
    InputError
        If a column or a label is missing, a label is on both sides, there are too few cells or patients, or
        the sections hold intensities.

    References
    ----------
    Love, Huber and Anders (2014), Moderated estimation of fold change and dispersion for RNA-seq data with
    DESeq2, by way of Muzellec et al. (2023), PyDESeq2.
    """
    refuse_intensities(adata)
    adata = adata.copy() if copy else adata
    arms = choose_arms(labels(adata, groupby), group, reference, counts=csr_matrix(adata.X))
    of_cell = labels(adata, patient_key)
    found = patients(of_cell, arms, min_cells=min_cells)
    if found.problem:
        raise InputError(found.problem)
    samples, counts = sum_counts(csr_matrix(adata.X), of_cell.to_numpy(), arms, found)
    table, said = _deseq2(counts, design(samples, paired=found.paired))
    table.index = pd.Index(adata.var_names, name="gene")
    table.insert(0, "n_patients_group", len(found.group))
    table.insert(1, "n_patients_reference", len(found.reference))
    table.attrs = {
        "groupby": groupby,
        "group": listed(group),
        "reference": listed(reference),
        "patients_group": found.group,
        "patients_reference": found.reference,
        "design": "~ patient + arm" if found.paired else "~ arm",
        "min_cells": min_cells,
        "warnings": said,
    }
    adata.uns[keys.PSEUDOBULK] = table.sort_values("p", kind="stable")
    adata.uns.setdefault(keys.PROVENANCE, {})["pseudobulk"] = dict(table.attrs)
    return adata if copy else None


def sum_counts(
    counts: csr_matrix, of_cell: NDArray[np.object_], arms: Arms, found: Patients
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Sum counts (n, g) over the cells of each patient in each arm.

    Returns
    -------
    The samples, with ``patient`` and ``in_group``, and their counts (samples, g).
    """
    rows = [(name, False) for name in found.reference] + [(name, True) for name in found.group]
    samples = pd.DataFrame(rows, columns=["patient", "in_group"])
    members = [(arms.group if in_group else arms.reference) & (of_cell == name) for name, in_group in rows]
    summed = csr_matrix(np.array(members, dtype=np.float64)) @ counts
    return samples, np.rint(summed.toarray()).astype(np.int64)


def design(samples: pd.DataFrame, *, paired: bool) -> pd.DataFrame:
    """Make the design matrix: 1, a column per further patient where paired, and the arm last."""
    matrix = pd.DataFrame({"intercept": 1.0}, index=samples.index)
    if paired:
        for number, name in enumerate(sorted(samples["patient"].unique())[1:], start=1):
            matrix[f"patient {number}"] = (samples["patient"] == name).astype(float)
    return matrix.assign(arm=samples["in_group"].astype(float))


def _deseq2(counts: NDArray[np.int64], matrix: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Test the last column of a design; give the table in the order of the genes, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # imported here: on import, pydeseq2 silences FutureWarning for everybody
        from pydeseq2.dds import DeseqDataSet  # noqa: PLC0415
        from pydeseq2.default_inference import DefaultInference  # noqa: PLC0415
        from pydeseq2.ds import DeseqStats  # noqa: PLC0415

        inference = DefaultInference(n_cpus=1)  # starting processes takes longer than fitting a panel
        names = matrix.index.astype(str)
        fitted = DeseqDataSet(
            counts=pd.DataFrame(counts, index=names).rename(columns=str),
            metadata=matrix.set_axis(names),
            design=matrix.set_axis(names),
            inference=inference,
            quiet=True,
        )
        fitted.deseq2()
        contrast = np.eye(matrix.shape[1])[-1]
        tested = DeseqStats(fitted, contrast=contrast, inference=inference, quiet=True)
        tested.summary()
    said = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    table = tested.results_df[list(_NAMES)].rename(columns=_NAMES).astype(float)
    return table, list(dict.fromkeys(said))
