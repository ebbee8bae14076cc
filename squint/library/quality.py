"""What a reader should know before trusting the tokens of a section."""

from collections.abc import Mapping, Sequence
from typing import Any

from squint.library.store import Library, Section

NO_COUNTS = "They have no counts in the model's genes, so nothing is known of them."
_STALE = "They are shown nowhere. Tokenise the section with this model."
_NEW_TO_MODEL, _OVERLAP = 0.05, 0.60  # shares that are worth a warning


def quality_flags(section: Section, facts: Mapping[str, Any] | None, stale: str = "") -> dict[str, str]:
    """Say what a reader should know of a section, and why.

    Parameters
    ----------
    section
        The section.
    facts
        What was noted with its tokens; ``None`` if there are none that count.
    stale
        What stale tokens it has, in words.
    """
    flags = {}
    if section.unit == "unknown":
        flags["units unknown"] = "There is no scale bar, and sections are not drawn at one magnification."
    if section.named and not section.named.file:
        flags["names of cells are damaged"] = "The page Cell types says what to do."
    if section.values != "counts":
        return flags | {"intensities: for viewing, no tokens": ""}
    if facts is None:
        return flags | ({stale: _STALE} if stale else {"no tokens by this model": ""})
    if "problem" in facts:
        return flags | {"does not fit the model: for viewing": str(facts["problem"])}
    return flags | _doubts(facts) | _without_token(facts)


def doubted(library: Library, sections: Sequence[Section], model: str) -> dict[str, list[str]]:
    """Say of each section whose tokens are uncertain, by id, why they are."""
    facts = library.all_token_facts(model)
    known = {section.id: facts.get(section.id, {}) for section in sections}
    found = {name: list(_doubts(noted)) for name, noted in known.items() if "gene_overlap" in noted}
    return {name: why for name, why in found.items() if why}


def without_token(library: Library, sections: Sequence[Section], model: str) -> tuple[int, int]:
    """Count the cells of some sections that have no token, and those of them without any counts at all."""
    known = library.all_token_facts(model)
    facts = [known.get(section.id, {}) for section in sections]
    n_cells, n_empty = (
        sum(int(noted.get(name, 0)) for noted in facts) for name in ("n_without_token", "n_without_counts")
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
