"""Sections that one model can be trained on: those that share a panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.exports.stamp import many
from squint.library.store import Library, Section
from squint.model.card import WARN_BELOW


@dataclass(frozen=True)
class Panel:
    """Sections, and the genes that all of them measure."""

    sections: tuple[Section, ...]
    genes: frozenset[str]

    @property
    def title(self) -> str:
        """What they are, in one line."""
        first, n_cells = self.sections[0], sum(section.n_cells for section in self.sections)
        where = f"Stack {first.stack}" if first.stack else first.organ or "Panel"
        simulated = ", simulated" if first.simulated else ""
        return (
            f"{where}{simulated}: {many(len(self.sections), 'section')} sharing "
            f"{many(len(self.genes), 'gene')}, {many(n_cells, 'cell')}"
        )


def panels(library: Library) -> list[Panel]:
    """Group the sections of counts by the panel that they share, the largest real ones first.

    Simulated sections, and the levels of a stack, are groups of their own.
    """
    sections = [one for one in library.sections() if one.values == "counts"]
    genes = {one.id: frozenset(library.genes(one.id)) for one in sections}
    found = [panel for some in _alike(sections) for panel in _group(some, genes)]
    return sorted(
        found, key=lambda panel: (panel.sections[0].simulated, -sum(one.n_cells for one in panel.sections))
    )


def shared(library: Library, sections: Sequence[Section]) -> int:
    """Count the genes that all of some sections measure."""
    return len(frozenset.intersection(*(frozenset(library.genes(one.id)) for one in sections)))


def _alike(sections: Sequence[Section]) -> list[list[Section]]:
    """Part sections that would not be put into one model without a reason."""
    parts: dict[tuple[bool, str], list[Section]] = {}
    for one in sections:
        parts.setdefault((one.simulated, one.stack), []).append(one)
    return list(parts.values())


def _group(sections: Sequence[Section], genes: Mapping[str, frozenset[str]]) -> list[Panel]:
    """Put each section to the first others with which it shares most of its genes and of theirs."""
    found: list[Panel] = []
    for one in sorted(sections, key=lambda section: -section.n_genes):
        own = genes[one.id]
        for i, panel in enumerate(found):
            common, largest = own & panel.genes, max(len(own), len(genes[panel.sections[0].id]))
            if common and len(common) >= WARN_BELOW * largest:
                found[i] = Panel((*panel.sections, one), common)
                break
        else:
            found.append(Panel((one,), own))
    return found
