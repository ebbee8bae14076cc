"""Analyse sections: tokens, what they are and keep, and activation scores."""

from squint.tl._activate import activate, activation, rank_codes
from squint.tl._align_levels import align_levels, stack_levels
from squint.tl._co_occurrence import co_occurrence
from squint.tl._communities import communities
from squint.tl._compare import combine, compare
from squint.tl._differential_expression import differential_expression
from squint.tl._expression_by_group import expression_by_group, scaled_counts
from squint.tl._fit import check_fits, find_conditions
from squint.tl._imputation_quality import imputation_quality, level_badges
from squint.tl._inpaint import inpaint
from squint.tl._neighbor_enrichment import (
    enrichment,
    neighbor_enrichment,
    shuffled_edges,
    token_graph,
)
from squint.tl._pseudobulk import pseudobulk
from squint.tl._reconstruct import reconstruct
from squint.tl._token_profiles import token_profiles
from squint.tl._tokenize import tokenize

__all__ = [
    "activate",
    "activation",
    "align_levels",
    "check_fits",
    "co_occurrence",
    "combine",
    "communities",
    "compare",
    "differential_expression",
    "enrichment",
    "expression_by_group",
    "find_conditions",
    "imputation_quality",
    "inpaint",
    "level_badges",
    "neighbor_enrichment",
    "pseudobulk",
    "rank_codes",
    "reconstruct",
    "scaled_counts",
    "shuffled_edges",
    "stack_levels",
    "token_graph",
    "token_profiles",
    "tokenize",
]
