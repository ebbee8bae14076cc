"""Sections on one axis of genes, or why there is none. Runs in the worker."""

from collections.abc import Sequence

import anndata as ad

from squint.errors import InputError

_LISTED = 5


def join(parts: Sequence[ad.AnnData], titles: Sequence[str]) -> ad.AnnData:
    """Put cells of several sections below each other, over the genes that all measure.

    Raises
    ------
    InputError
        If there is no such gene; it names the sections to leave out.
    """
    together = ad.concat(parts, join="inner")
    if not together.n_vars:
        raise InputError(_why([set(part.var_names) for part in parts], titles))
    return together


def _why(panels: Sequence[set[str]], titles: Sequence[str]) -> str:
    """Name the sections that share no gene with the one that shares genes with most others."""
    shares = [[bool(one & other) for other in panels] for one in panels]
    alike = max(shares, key=sum)
    odd = [title for title, is_alike in zip(titles, alike, strict=True) if not is_alike]
    rest = [title for title, is_alike in zip(titles, alike, strict=True) if is_alike]
    if not odd:
        return f"No gene is measured in all of {_some(titles)}. Choose sections of one panel."
    return (
        f"{_some(odd)} {'shares' if len(odd) == 1 else 'share'} no gene with {_some(rest)}. Leave "
        f"{'it' if len(odd) == 1 else 'them'} out, or choose sections of one panel."
    )


def _some(titles: Sequence[str]) -> str:
    more = len(titles) - _LISTED
    return ", ".join(titles[:_LISTED]) + (f" and {more} more" if more > 0 else "")
