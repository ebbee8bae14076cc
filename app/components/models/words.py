"""What a model is for and how good it is, from its card, in words."""

from collections.abc import Sequence
from math import isnan

from app.exports.stamp import many
from app.text import as_text
from squint.library.store import Section
from squint.model.card import NOT_MEASURED, BundleCard

_FEW_CELLS = 10_000
_R = "neighbourhood_pearson"


def trained_on(card: BundleCard) -> str:
    """Say how much tissue a model has seen."""
    n_cells = sum(record.n_cells - len(record.hidden) for record in card.sections)
    return f"{many(len(card.sections), 'section')}, {many(n_cells, 'cell')}"


def purpose(card: BundleCard) -> str:
    """Say which tissue a model knows, and what it can."""
    tissue = " ".join([", ".join(as_text(organ) for organ in card.organs), "tissue"]).strip()
    can = "gives tokens and in-paints" if card.in_paints else "gives tokens; was not taught to in-paint"
    return f"Knows {'simulated ' if card.simulated else ''}{tissue}, and {can}."


def origin(card: BundleCard) -> list[str]:
    """Say what whoever trained a model wrote of it: what it knows, what not, its limits, whose data."""
    if card.about is None:
        return []
    about = card.about
    return [
        f"Trained on: {about.trained_on}",
        f"Not trained on: {about.not_trained_on}",
        *about.limits,
        f"Data: {about.data}, by {about.authors}; licence of the data: {about.licence}.",
    ]


def doubts(card: BundleCard, sections: Sequence[Section]) -> list[str]:
    """Say what a user should know before using a model.

    Parameters
    ----------
    card
        What the model says of itself.
    sections
        Of the library, which may name the patients of those it was trained on.
    """
    said = []
    if card.simulated:
        said.append("Trained on simulated data alone: on real tissue its tokens may mean nothing.")
    patients = _patients(card, sections)
    if len(card.sections) == 1:
        said.append("One section of one patient: it does not know what differs between patients.")
    elif len(patients) == 1:
        said.append("One patient: it does not know what differs between patients.")
    n_cells = sum(record.n_cells - len(record.hidden) for record in card.sections)
    if n_cells < _FEW_CELLS:
        said.append(f"Few cells: {n_cells:,}; rare neighbourhoods may have no code of their own.")
    if isnan(card.distance_p99):
        said.append(NOT_MEASURED)
    n_hidden = sum(len(record.hidden) for record in card.sections)
    if n_hidden:
        said.append(f"{many(n_hidden, 'cell')} were held out of its training.")
    return said


def measures(card: BundleCard) -> list[tuple[str, str, str]]:
    """Give the measures of a card: what each is, its value, and what it is held against."""
    rows = [
        ("Codes used", "codes_used", ",.0f", f"of {card.model.n_codes:,}", ""),
        ("Perplexity of codes", "perplexity", ".1f", "", ""),
        ("Neighbourhood, r", _R, ".3f", "mean profile", f"{_R}_of_the_mean_profile"),
        ("Adjacency, AP", "adjacency_average_precision", ".3f", "chance", "adjacency_chance"),
    ]
    said = []
    for label, name, form, against, floor in rows:
        value, beside = (_number(card.metrics.get(key)) for key in (name, floor))
        if value is not None:
            words = f"{against} {beside:{form}}" if beside is not None else "" if floor else against
            said.append((label, f"{value:{form}}", words))
    return said


def _number(value: object) -> float | None:
    """Give a number that is defined."""
    return float(value) if isinstance(value, int | float) and not isnan(value) else None


def _patients(card: BundleCard, sections: Sequence[Section]) -> set[str]:
    """Name the patients of the sections that a model was trained on; nobody if one of those is not here."""
    known = {(section.section, section.n_cells): section.patient for section in sections}
    found = [known.get((record.name, record.n_cells)) for record in card.sections]
    return set() if None in found else {patient for patient in found if patient is not None}
