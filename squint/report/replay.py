"""A recipe replayed: its sections found or read anew, its model loaded, everything computed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from squint import keys, tl
from squint.errors import InputError
from squint.files import list_sha256
from squint.library.store import Library
from squint.report import kept
from squint.report.originals import Originals, Say, missing, read_pieces
from squint.report.pieces import NOTED, Piece, read_outline, read_set, read_types, with_types
from squint.report.recipe import ModelRecord, Recipe
from squint.report.tables import Computed, Outlines, Sets, compute

if TYPE_CHECKING:
    from squint.model.bundle import Bundle

_SHOWN = 12  # digits of a hash
_GIVEN = "Take the recipe with all that it was given with: the whole ZIP, or the folder it was unpacked to."


@dataclass(frozen=True)
class Sources:
    """Where a replay finds what its recipe names."""

    inputs: Callable[[str], bytes | None]  # a table that goes with the recipe, by its hash
    originals: Sequence[Path] = ()  # files and folders; sections are read anew of those that are given
    library: Library | None = None  # where the other sections are
    model: "Callable[[ModelRecord], Bundle] | None" = None


def replay(recipe: Recipe, sources: Sources, say: Say) -> Computed:
    """Compute all tables of a recipe.

    Parameters
    ----------
    recipe
        What is asked.
    sources
        Where its sections, tables and model are.
    say
        Is told how far it is.

    Returns
    -------
    As :func:`squint.report.tables.compute`.

    Raises
    ------
    InputError
        If something that the recipe names is not there, or is not as it was.
    """
    pieces = _pieces(recipe, sources, say)
    _check_units(recipe, pieces)
    for piece in pieces:
        _give_types(piece, sources)
    if recipe.model is not None:
        _give_tokens(recipe.model, pieces, sources, say)
    say(0.6, "computing the tables")
    sets, outlines = read_sets(recipe, sources.inputs), read_outlines(recipe, sources.inputs)
    return compute(recipe, pieces, sets, outlines)


def read_sets(recipe: Recipe, inputs: Callable[[str], bytes | None]) -> Sets:
    """Read the cells of a recipe's sets from the tables that go with it.

    Raises
    ------
    InputError
        If one is not there, was changed, or names a section that the recipe does not.
    """
    known = {record.name for record in recipe.sections}
    sets = {}
    for one in recipe.cell_sets:
        where = f"The table of cell set {one.name}"
        sets[one.name] = read_set(_input(inputs, one.sha256, where), where)
        if unknown := set(sets[one.name]) - known:
            raise InputError(f"{where} names section {min(unknown)!r}, which the recipe does not hold.")
    return sets


def read_outlines(recipe: Recipe, inputs: Callable[[str], bytes | None]) -> Outlines:
    """Read the outlines of those sets of a recipe that were drawn, from the tables that go with it.

    Raises
    ------
    InputError
        If one is not there, was changed, is no outline, or names a section that the recipe does not.
    """
    known = {record.name for record in recipe.sections}
    outlines = {}
    for one in recipe.cell_sets:
        if one.outline:
            where = f"The outline of cell set {one.name}"
            outlines[one.name] = read_outline(_input(inputs, one.outline, where), where)
            if unknown := set(outlines[one.name]) - known:
                raise InputError(f"{where} names section {min(unknown)!r}, which the recipe does not hold.")
    return outlines


def _pieces(recipe: Recipe, sources: Sources, say: Say) -> list[Piece]:
    given = Originals(sources.originals)
    anew = read_pieces(recipe.sections, given, say) if sources.originals else {}
    found = []
    for record in recipe.sections:
        piece = anew.get(record.sha256)
        if piece is None and sources.library is not None:
            sha256 = None if recipe.model is None else recipe.model.sha256
            piece = kept.find_piece(sources.library, record, sha256)
        if piece is None:
            if sources.originals:
                raise missing(record, given)
            raise InputError(
                f"Section {record.name} (sha256 {record.sha256[:_SHOWN]}) is not in the library. Give the "
                "originals that the recipe was made of with --originals."
            )
        found.append(piece)
    return found


def _check_units(recipe: Recipe, pieces: Sequence[Piece]) -> None:
    for record, piece in zip(recipe.sections, pieces, strict=True):
        piece.adata.uns.setdefault(keys.PROVENANCE, {})["unit"] = record.unit


def _give_types(piece: Piece, sources: Sources) -> None:
    """Give a section the types that the recipe says are in use."""
    types = piece.record.types
    if types.source == "none":
        with_types(piece, None)
    elif types.source == "labeling":
        where = f"The table of cell types of section {piece.record.name}"
        content = _input(sources.inputs, types.sha256, where)
        with_types(piece, read_types(content, [str(name) for name in piece.adata.obs_names], where))


def _input(inputs: Callable[[str], bytes | None], sha256: str, where: str) -> bytes:
    content = inputs(sha256)
    if content is None:
        raise InputError(f"{where} (inputs/{sha256[:_SHOWN]}...csv) is not there. {_GIVEN}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{where} (inputs/{sha256[:_SHOWN]}...csv) was changed. {_GIVEN}")
    return content


def _give_tokens(model: ModelRecord, pieces: Sequence[Piece], sources: Sources, say: Say) -> None:
    waiting = [piece for piece in pieces if not piece.noted]
    if not waiting:
        return
    if sources.model is None:
        raise InputError(f"The model {model.name} is not given.")
    bundle = sources.model(model)
    if bundle.sha256 != model.sha256:
        raise InputError(
            f"The model given has sha256 {bundle.sha256[:_SHOWN]}, the recipe's {model.sha256[:_SHOWN]}: it "
            "was changed, or is another. Give the one that the recipe names."
        )
    if list_sha256(bundle.genes) != model.genes_sha256:
        raise InputError("The model given has the recipe's weights, and other genes. Give an unchanged one.")
    for number, piece in enumerate(waiting):
        say(0.1 + 0.5 * number / len(waiting), f"giving tokens to section {piece.record.name}")
        tl.tokenize(piece.adata, bundle)
        facts: Mapping[str, object] = piece.adata.uns[keys.PROVENANCE]
        piece.noted = {name: facts[name] for name in NOTED}
        del piece.adata.obsm[keys.LATENT]
