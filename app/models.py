"""Model bundles: which suit a stack or a section, and what their training knew of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from app.settings import settings
from squint.files import list_sha256
from squint.library.models import KnownModel, known
from squint.library.place import shipped_models
from squint.library.stacks import Stack
from squint.library.store import Library, Section
from squint.model.card import REFUSE_BELOW, BundleCard


@dataclass(frozen=True)
class ModelFacts:
    """What pages say of a model."""

    name: str
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


def shipped() -> list[Path]:
    """List the folders of the server's model, and of those that ship with squint."""
    return [settings().model, *shipped_models()]


def known_models(library: Library) -> list[KnownModel]:
    """List all models, damaged ones too: the server's, those of the library, the newest first, and others."""
    return sorted(known(library, shipped()), key=lambda model: model.folder != settings().model)


def facts_of(model: KnownModel) -> ModelFacts | None:
    """Give what pages say of a model; ``None`` if it is damaged."""
    return None if model.card is None or model.problem else describe(model.name, model.sha256, model.card)


def describe(name: str, sha256: str, card: BundleCard) -> ModelFacts:
    """Give what pages say of a model of this name, hash of its weights, and card."""
    return ModelFacts(
        name=name,
        sha256=sha256,
        n_codes=card.model.n_codes,
        n_genes=len(card.genes),
        genes_sha256=list_sha256(card.genes),
        n_sections=len(card.sections),
        simulated=card.simulated,
    )


def fitting(library: Library, card: BundleCard) -> tuple[str, ...]:
    """List the ids of the sections of which a model can give tokens, in the order that does not change."""
    needed = REFUSE_BELOW * len(card.genes)
    counted = [one.id for one in library.sections() if one.values == "counts"]
    return tuple(sorted(one for one in counted if card.n_shared(library.genes(one)) >= needed))


def trained_on(library: Library, card: BundleCard) -> tuple[str, ...]:
    """List the ids of the sections that a model was trained on; none if one of them is not in the library.

    They are found by their names and numbers of cells: whoever goes on with them compares what they hold.
    """
    here = {(one.section, one.n_cells): one.id for one in [*library.sections(), *library.hidden()]}
    found = [here.get((record.name, record.n_cells)) for record in card.sections]
    ids = [one for one in found if one is not None]
    return tuple(ids) if len(ids) == len(found) else ()


def candidates(library: Library, section: Section, models: Iterable[KnownModel]) -> list[Candidate]:
    """List those of some models that are sound, with what they share with a section."""
    genes, cells = set(library.genes(section.id)), set(library.cells(section.id).index)
    found = []
    for model in models:
        if card := model.card:
            held_out, known_of = _held_out(card, section, cells)
            n_genes, n_shared = len(card.genes), card.n_shared(genes)
            found.append(Candidate(model.folder, n_genes, n_shared, known_of, held_out, card.in_paints))
    return found


def _held_out(card: BundleCard, section: Section, cells: set[str]) -> tuple[frozenset[str], bool]:
    for record in card.sections:
        hidden = set(record.hidden)
        if (record.name, record.n_cells) == (section.section, len(cells)) and hidden <= cells:
            return frozenset(hidden), True
    return frozenset(), False


def find_models(library: Library, stack: Stack, models: Iterable[KnownModel]) -> list[Path]:
    """List the bundles of those models whose card names every level of a stack, with cells held out of it."""
    cells = {level.section: set(library.cells(level.id).index) for level in stack.levels}
    return [model.folder for model in models if model.card and _knows(model.card, cells)]


def _knows(card: BundleCard, cells: Mapping[str, set[str]]) -> bool:
    """Say whether a card names sections of these cells, some of which it held out."""
    held_out = {record.name: (record.n_cells, set(record.hidden)) for record in card.sections}
    for name, own in cells.items():
        n_cells, hidden = held_out.get(name, (0, set()))
        if n_cells != len(own) or not hidden or not hidden <= own:
            return False
    return True
