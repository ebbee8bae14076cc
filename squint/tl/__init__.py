"""Analyse sections: tokens, what they are and keep, and activation scores."""

from squint.tl._activate import activate, activation, rank_codes
from squint.tl._fit import check_fits, find_conditions
from squint.tl._reconstruct import reconstruct
from squint.tl._token_profiles import token_profiles
from squint.tl._tokenize import tokenize

__all__ = [
    "activate",
    "activation",
    "check_fits",
    "find_conditions",
    "rank_codes",
    "reconstruct",
    "token_profiles",
    "tokenize",
]
