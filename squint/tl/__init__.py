"""Analyse sections: tokens, what they are and keep, and activation scores."""

from squint.tl._activate import activate, activation, rank_codes
from squint.tl._reconstruct import reconstruct
from squint.tl._token_profiles import token_profiles
from squint.tl._tokenize import check_fits, tokenize

__all__ = ["activate", "activation", "check_fits", "rank_codes", "reconstruct", "token_profiles", "tokenize"]
