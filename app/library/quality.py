"""What a reader should know before trusting the tokens of a section."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.library.store import Library, Section
from app.text import sentence

_NEW_TO_MODEL, _OVERLAP = 0.05, 0.60  # shares that are worth a warning


def quality_flags(library: Library, section: Section, model: str) -> dict[str, str]:
    """Say what a reader should know of a section, and why."""
    flags = {}
    if section.unit == "unknown":
        flags["units unknown"] = "There is no scale bar, and sections are not drawn at one magnification."
    if section.values != "counts":
        return flags | {"intensities: for viewing, no tokens": ""}
    facts = library.token_facts(section.id, model)
    if facts is None:
        return flags | {"no tokens by this model": ""}
    if "problem" in facts:
        return flags | {"does not fit the model: for viewing": sentence(facts["problem"])}
    return flags | _doubts(facts)


def doubted(library: Library, sections: Sequence[Section], model: str) -> dict[str, list[str]]:
    """Say of each section whose tokens are uncertain, by id, why they are."""
    facts = {section.id: library.token_facts(section.id, model) or {} for section in sections}
    found = {name: list(_doubts(known)) for name, known in facts.items() if "gene_overlap" in known}
    return {name: why for name, why in found.items() if why}


def _doubts(facts: Mapping[str, Any]) -> dict[str, str]:
    flags = {}
    if facts["gene_overlap"] < _OVERLAP:
        flags[f"{facts['gene_overlap']:.0%} of the model's genes"] = "Tokens are uncertain."
    beyond = max(facts["share_beyond_p99"].values())
    if beyond > _NEW_TO_MODEL:
        flags[f"{beyond:.0%} of cells are new to the model"] = (
            "They are farther from every pattern of the model than 99 in 100 cells it was trained on."
        )
    return flags
