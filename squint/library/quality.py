"""What a reader should know before trusting the tokens of a section."""

from collections.abc import Mapping, Sequence
from typing import Any

from squint.library.store import Library, Section

NO_COUNTS = "They have no counts in the model's genes, so nothing is known of them."
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
        return flags | {"does not fit the model: for viewing": str(facts["problem"])}
    return flags | _doubts(facts) | _without_token(facts)


def doubted(library: Library, sections: Sequence[Section], model: str) -> dict[str, list[str]]:
    """Say of each section whose tokens are uncertain, by id, why they are."""
    facts = {section.id: library.token_facts(section.id, model) or {} for section in sections}
    found = {name: list(_doubts(known)) for name, known in facts.items() if "gene_overlap" in known}
    return {name: why for name, why in found.items() if why}


def without_token(library: Library, sections: Sequence[Section], model: str) -> tuple[int, int]:
    """Count the cells of some sections that have no token, and those of them without any counts at all."""
    facts = [library.token_facts(section.id, model) or {} for section in sections]
    n_cells, n_empty = (
        sum(int(known.get(name, 0)) for known in facts) for name in ("n_without_token", "n_without_counts")
    )
    return n_cells, n_empty


def _without_token(facts: Mapping[str, Any]) -> dict[str, str]:
    n_cells = int(facts.get("n_without_token", 0))
    return (
        {f"{n_cells:,} {'cell' if n_cells == 1 else 'cells'} without a token": NO_COUNTS} if n_cells else {}
    )


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
