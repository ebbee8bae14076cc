"""What each token of a model is, in words: over all sections with tokens by it, whatever a page shows.

What users call a token takes the place of its main cell type; its number always stays.

Each section keeps sums beside its tokens, made when it was tokenised; a description is made of the sums of
all. A gene is described over the sections that measure it, and only genes of the model count.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.errors import DAMAGED, InputError
from squint.files import whole
from squint.library import token_naming
from squint.library.quality import doubted
from squint.library.store import Library, Section, tokens_name
from squint.pl import plain
from squint.stats.token_details import marker_genes, sections_with, types_in
from squint.stats.token_profiles import TokenSums, count_types, describe, top_type

_KEPT = 8  # descriptions: of a few models, and of the library before and after a change


def sums_path(library: Library, section_id: str, model: str) -> Path:
    """Return the file of a section's sums by token, which need not exist."""
    return library.tokens_path(section_id, model).with_name(_sums_name(model))


def _sums_name(model: str) -> str:
    return f"{tokens_name(model)}.sums.npz"


def write(folder: Path, model: str, sums: TokenSums) -> None:
    """Write the sums of a section to a folder, whole or not at all."""
    with whole(folder / _sums_name(model)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            counts=sums.counts,
            n_cells=sums.n_cells,
            names=np.frombuffer(json.dumps([sums.tokens, sums.genes]).encode(), np.uint8),
        )


def read(library: Library, section: Section, model: str) -> TokenSums:
    """Read the sums of a section, and count the types that its cells have now in each token.

    Raises
    ------
    InputError
        If they are damaged.
    """
    path = sums_path(library, section.id, model)
    try:
        with library.files.checked(path).open("rb") as file, np.load(file) as kept:
            tokens, genes, *_ = json.loads(kept["names"].tobytes())
            counts, n_cells = kept["counts"], kept["n_cells"]
    except InputError:
        raise
    except (*DAMAGED, BadZipFile) as error:
        raise InputError(f"{path.name} of section {section.title} is damaged. Tokenise it again.") from error
    types, n_cells_of_type = _count_types(library, section, model, tokens)
    return TokenSums(tokens, genes, types, counts, n_cells, n_cells_of_type)


def _count_types(
    library: Library, section: Section, model: str, used: list[str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Count the types that the cells of a section have now in each of its tokens: names of cells change."""
    written = library.tokens_path(section.id, model).stat().st_mtime_ns
    return _counted(library, section, model, tuple(map(int, used)), written)


@lru_cache(maxsize=1024)  # a section each, so that other names in one have no others counted again
def _counted(
    library: Library, section: Section, model: str, used: tuple[int, ...], written: int
) -> tuple[list[str], NDArray[np.int64]]:
    del written  # a file that was written anew is another
    tokens, types = library.tokens(section.id, model), library.types(section)
    if types is None or tokens is None:
        return [], np.zeros((len(used), 0), dtype=np.int64)
    numbers, own = np.array(used), tokens[keys.TOKEN].to_numpy(dtype=np.int64)
    place = np.searchsorted(numbers, own).clip(max=max(len(used) - 1, 0))
    return count_types(np.where(np.isin(own, numbers), place, -1), types, len(used))


def described_by(library: Library, model: str) -> list[Section]:
    """List the sections that say what tokens are: those with tokens, but none that the model hardly knows.

    Where it hardly knows any, all of them.
    """
    sections = library.tokenised(library.sections(), model)
    doubts = doubted(library, sections, model)
    return [section for section in sections if section.id not in doubts] or sections


def lacking(library: Library, model: str) -> list[str]:
    """List the ids of sections that were tokenised before sums were kept."""
    sections = library.tokenised(library.sections(), model)
    return [section.id for section in sections if not sums_path(library, section.id, model).exists()]


def token_profiles(library: Library, model: str) -> pd.DataFrame:
    """Say what each token of a model is.

    Returns
    -------
    Indexed by token, all tokens in use: ``n_cells``, ``share``, ``top_genes``, ``top_types``, ``sections`` as
    :func:`squint.tl.token_profiles` gives them, over the sections of :func:`described_by`; and ``name``, the
    token's number with the name that users gave it, or else with its main cell type. Sections of which no
    sums are kept are left out.
    """
    table = _described(library, model, *_there(library, model))
    given = token_naming.names(library, model)
    return table.assign(name=[given.get(str(token), str(name)) for token, name in table["name"].items()])


class Details(NamedTuple):
    """One token in detail, over the sections of :func:`described_by`."""

    genes: pd.DataFrame  # as `squint.stats.token_details` gives them
    types: pd.DataFrame
    sections: pd.DataFrame


def details(library: Library, model: str, token: str) -> Details:
    """Give marker genes, cell types and sections of a token; sections without sums are left out."""
    there, written = _there(library, model)
    return Details(*(table.copy() for table in _details(library, model, token, there, written)))


@lru_cache(maxsize=32)  # a few tokens of a few models
def _details(
    library: Library, model: str, token: str, sections: tuple[Section, ...], written: tuple[int, ...]
) -> Details:
    del written
    sums = {section.title: read(library, section, model) for section in sections}
    return Details(marker_genes(sums, token), types_in(sums, token), sections_with(sums, token))


def _there(library: Library, model: str) -> tuple[tuple[Section, ...], tuple[int, ...]]:
    """List the sections that say what tokens are and have sums, with when these were written."""
    there = [s for s in described_by(library, model) if sums_path(library, s.id, model).exists()]
    return tuple(there), tuple(sums_path(library, s.id, model).stat().st_mtime_ns for s in there)


@lru_cache(maxsize=_KEPT)
def _described(
    library: Library, model: str, sections: tuple[Section, ...], written: tuple[int, ...]
) -> pd.DataFrame:
    del written  # files that were written anew are others
    sums = {section.title: read(library, section, model) for section in sections}
    table = describe(sums)
    return table.assign(name=[_name(str(token), row) for token, row in top_type(sums).iterrows()])


def _name(token: str, row: "pd.Series[Any]") -> str:
    return f"{token} {plain(str(row['type']))} {row['share']:.0%}" if row["type"] else token


def token_names(library: Library, model: str | None) -> Mapping[str, str]:
    """Name each token by its number, and by what users call it, or its main cell type with its share.

    Those that users named are among them even where no section has them.
    """
    if model is None:
        return {}
    described = token_profiles(library, model)["name"]
    return token_naming.names(library, model) | {str(token): str(name) for token, name in described.items()}


def without_number(token: str, name: str) -> str:
    """Give the name of a token, as :func:`token_names` has it, without its number; nothing if that is all."""
    return name.removeprefix(token).removeprefix(token_naming.NUMBER).strip()
