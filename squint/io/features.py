"""Which features are genes: as the source states it, or else by the names that vendors give to controls."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, mapped
from squint.io.findings import Findings

TYPE_COLUMNS = ("feature_types", "feature_type", "code_class", "codeclass")  # in small letters
GENES = "Gene Expression"  # what 10x calls them
GENE_TYPES = {"gene expression", "gene", "genes", "rna", "mrna", "endogenous"}
PROTEIN_TYPES = {"protein expression", "antibody capture", "protein"}


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


CONTROLS = {  # what vendors call them, where no column states the type
    _named(r"NegControlProbe[_-].*|antisense_.*"): "Negative Control Probe",
    _named(r"NegControlCodeword[_-].*"): "Negative Control Codeword",
    _named(r"UnassignedCodeword[_-].*"): "Unassigned Codeword",
    _named(r"DeprecatedCodeword[_-].*"): "Deprecated Codeword",
    _named(r"Intergenic_Region_.*"): "Genomic Control",
    _named(r"blank[_-]?\d+.*"): "Blank",
    _named(r"Neg(?:Prb|Probe|ative|Add)[_-]?\d+.*"): "Negative probe",
    _named(r"(?:FalseCode|SystemControl|SysControl)[_-]?\w*"): "System control",
}


def types_of(var: pd.DataFrame) -> tuple[pd.Series, str]:
    """Give the type of each feature, and the column that states it; ``""`` where names tell.

    Parameters
    ----------
    var
        Table of features by name.

    Returns
    -------
    (g,) text, ``"Gene Expression"`` for genes; and the column's name.
    """
    by_name = pd.Series(GENES, index=np.arange(len(var)), dtype=object)
    names = var.index.astype(str)
    for pattern, kind in CONTROLS.items():
        by_name[names.str.fullmatch(pattern).astype(bool)] = kind
    columns = {str(name).lower(): str(name) for name in reversed(list(var.columns))}
    column = next((columns[name] for name in TYPE_COLUMNS if name in columns), "")
    if not column:
        return by_name, ""
    stated = var[column].astype(object).reset_index(drop=True)
    text = stated.map(lambda value: str(value).strip() if isinstance(value, str) else "")
    types = text.where(text != "", by_name)
    return types.where(~_in_words(types).isin(GENE_TYPES), GENES), column


def _in_words(types: pd.Series) -> pd.Series:
    """Give types in small letters with blanks between words: some write ``gene_expression``."""
    return types.str.lower().str.replace(r"[\s_-]+", " ", regex=True)


def genes_only(
    counts: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, findings: Findings
) -> tuple[sparse.csr_matrix, pd.DataFrame, pd.DataFrame]:
    """Leave out and count what is no gene: controls, blanks, codewords and proteins.

    Parameters
    ----------
    counts
        CSR (n, features).
    obs
        Table of cells; ``control_counts`` is added to where controls are left out and it has none.
    var
        Table of features by name.
    findings
        Added to.

    Returns
    -------
    Counts, cells and features, of genes alone.

    Raises
    ------
    InputError
        If there are no genes.
    """
    types, column = types_of(var)
    is_gene = (types == GENES).to_numpy()
    source = f"var[{column!r}]" if column else "names of features"
    if is_gene.all():
        return counts, obs, var
    if not is_gene.any():
        raise InputError(
            f"None of the {len(var):,} features is a gene ({', '.join(sorted(set(types)))}): tokens are made "
            "of the counts of genes."
        )
    for kind, n in types[~is_gene].value_counts().sort_index().items():
        findings.leave_out(str(kind), int(n), "no gene", source)
    controls = ~is_gene & ~_in_words(types).isin(PROTEIN_TYPES).to_numpy()
    if keys.CONTROL_COUNTS not in obs and controls.any():
        obs = obs.assign(**{keys.CONTROL_COUNTS: checks.row_sums(_columns(counts, controls))})
    return _columns(counts, is_gene), obs, var[is_gene]


def _columns(counts: sparse.csr_matrix, kept: NDArray[np.bool_]) -> sparse.csr_matrix:
    """Give some columns of a matrix, which may lie in files, without a copy of the rest."""
    return mapped.change_rows(counts, lambda rows, _: sparse.csr_matrix(rows[:, kept]))
