from collections.abc import Sequence

from anndata import AnnData
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import labels
from squint.errors import InputError
from squint.stats import arms
from squint.stats.ranksum import PSEUDO_COUNT, Test, combine, compare


def differential_expression(
    adata: AnnData,
    groupby: str,
    *,
    group: str | Sequence[str],
    reference: str | Sequence[str],
    test: Test = "wilcoxon",
    pseudo_count: float = PSEUDO_COUNT,
    copy: bool = False,
) -> AnnData | None:
    """Find the genes that differ between two groups of cells.

    Each cell is brought to the median depth of the compared cells; the tests are on ``log1p`` of that. They
    take cells for independent, which neighbours in a tissue and cells of one patient are not: p and q rank
    genes, and say little of other patients. For that see :func:`pseudobulk`.

    Parameters
    ----------
    adata
        Sections with raw counts in ``X``.
    groupby
        Column of ``obs`` with the labels.
    group, reference
        A label or several; all other cells are left out.
    test
        ``"wilcoxon"``: rank-sum test, normal approximation corrected for ties. ``"t-test"``: Welch's.
    pseudo_count
        Added to both means of a fold change, in scaled counts per cell. With 0.05, one count in twenty cells,
        a ratio of two means that are next to nothing does not lead the list, and the fold change of a gene
        with one count per cell is off by less than 5 %.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_differential_expression"]`` : :class:`pandas.DataFrame`, indexed by gene, all genes
        ``n_group`` and ``n_reference`` cells; ``mean_group`` and ``mean_reference``, scaled counts per cell;
        ``log2_fold_change`` of those means; ``share_group`` and ``share_reference``, of cells with a count;
        ``auc``, the probability that a cell of the group exceeds one of the reference, ties counted half;
        ``score``, z or t; ``p``; ``q``, Benjamini and Hochberg's over all genes. Sorted by ``auc``, highest
        in the group first: an effect, the same for both tests, that does not grow with the number of cells.
        A gene without any spread has ``score`` 0 and ``p`` 1. Its ``attrs`` hold the facts below.
    ``adata.uns["squint"]["differential_expression"]`` : dict
        ``groupby``, ``group``, ``reference``, ``test``, ``pseudo_count`` and ``median_depth``.

    Raises
    ------
    InputError
        If the column or a label is missing, a label is on both sides, a side has fewer than 3 cells, or the
        sections hold intensities.

    References
    ----------
    SQUINT, section 5.3. Benjamini and Hochberg (1995), Controlling the false discovery rate.
    """
    refuse_intensities(adata)
    adata = adata.copy() if copy else adata
    counts = csr_matrix(adata.X)
    chosen = arms.choose_arms(labels(adata, groupby), group, reference, counts=counts)
    parts = compare(counts, chosen, adata.var_names, test=test, pseudo_count=pseudo_count)
    table = combine(parts)
    named = {"groupby": groupby, "group": arms.listed(group), "reference": arms.listed(reference)}
    table.attrs = named | table.attrs
    adata.uns[keys.DEGS] = table
    adata.uns.setdefault(keys.PROVENANCE, {})["differential_expression"] = dict(table.attrs)
    return adata if copy else None


def refuse_intensities(adata: AnnData) -> None:
    """Refuse sections that hold no counts."""
    if adata.uns.get(keys.PROVENANCE, {}).get("values") == "intensities":
        raise InputError("The section holds intensities, not counts: it can be viewed, not compared.")
