"""Model bundles: which suit a stack or a section, and what their training knew of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from app.settings import settings
from squint.errors import InputError
from squint.library.stacks import Stack
from squint.library.store import Library, Section
from squint.model.card import CARD, REFUSE_BELOW, BundleCard, read_card


@dataclass(frozen=True)
class ModelFacts:
    """What pages say of a model."""

    name: str  # of its folder
    sha256: str  # of its weights
    n_codes: int
    n_genes: int
    genes_sha256: str  # of its list of genes
    n_sections: int  # trained on
    simulated: bool  # whether all of those were


class Candidate(NamedTuple):
    """A model, as one section meets it."""

    folder: Path
    n_genes: int
    n_shared: int  # of its genes that the section measures
    in_training: bool  # whether its card names this section
    held_out: frozenset[str]  # cells of the section that training did not see
    in_paints: bool  # whether it was trained to

    @property
    def fits(self) -> bool:
        """Whether enough of its genes are measured."""
        return self.n_shared >= REFUSE_BELOW * self.n_genes


def candidates(library: Library, section: Section) -> list[Candidate]:
    """List all models, in the order of `find_models`, with what they share with a section."""
    genes, cells = set(library.genes(section.id)), set(library.cells(section.id).index)
    found = []
    for folder in _bundles(library):
        if card := _card(folder):
            held_out, known = _held_out(card, section, cells)
            n_genes, n_shared = len(card.genes), card.n_shared(genes)
            found.append(Candidate(folder, n_genes, n_shared, known, held_out, card.in_paints))
    return found


def _card(folder: Path) -> BundleCard | None:
    """Read what a bundle says of its model; ``None`` where it is no bundle, or a broken one."""
    try:
        return read_card(folder)
    except InputError:  # the server says so where it is its own
        return None


def _held_out(card: BundleCard, section: Section, cells: set[str]) -> tuple[frozenset[str], bool]:
    for record in card.sections:
        hidden = set(record.hidden)
        if (record.name, record.n_cells) == (section.section, len(cells)) and hidden <= cells:
            return frozenset(hidden), True
    return frozenset(), False


def find_models(library: Library, stack: Stack) -> list[Path]:
    """List the bundles whose card names every level of a stack, with cells held out of it.

    The model of the server comes first, then those trained here, the newest first, then those that ship with
    squint.
    """
    cells = {level.section: set(library.cells(level.id).index) for level in stack.levels}
    return [folder for folder in _bundles(library) if _knows(folder, cells)]


def _bundles(library: Library) -> Iterator[Path]:
    yield settings().model
    yield from library.trained_models()
    yield from sorted(folder.parent for folder in settings().samples.glob(f"*/{CARD}"))


def _knows(folder: Path, cells: Mapping[str, set[str]]) -> bool:
    """Say whether a card names sections of these cells, some of which it held out."""
    card = _card(folder)
    if card is None:
        return False
    held_out = {record.name: (record.n_cells, set(record.hidden)) for record in card.sections}
    for name, own in cells.items():
        n_cells, hidden = held_out.get(name, (0, set()))
        if n_cells != len(own) or not hidden or not hidden <= own:
            return False
    return True
