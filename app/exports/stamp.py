"""The stamp on everything that leaves the dashboard: what it shows, made by what, from what, when."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.models import ModelFacts
from app.settings import NOTICE, app_version
from squint.library.store import Section


class Marks(dict[str, str]):
    """The stamp as text by name, with the ids of the sections that it is of, for the audit log."""

    def __init__(
        self,
        marks: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        sections: Sequence[str] = (),
    ) -> None:
        super().__init__(marks)
        self.sections = tuple(sections)


def counts(sections: Sequence[Section]) -> str:
    """Say how much is shown."""
    n_patients = len({section.patient for section in sections})
    n_cells = sum(section.n_cells for section in sections)
    return f"n = {many(n_cells, 'cell')}, {many(len(sections), 'section')}, {many(n_patients, 'patient')}"


def many(n: int, what: str) -> str:
    """Write a number of things."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def simulated(sections: Sequence[Section]) -> str:
    """Say whether sections are simulated; nothing if none is."""
    n_simulated = sum(section.simulated for section in sections)
    if not n_simulated:
        return ""
    return "simulated" if n_simulated == len(sections) else "partly simulated"


def codes_in_words(how: Mapping[str, Any]) -> str:
    """Say which codes count in a score, under the names that users gave them, and how they were picked."""
    against = f" against {how['against']}" if how.get("against") else ""
    return f"{how['named']} ({how['mode']}{against})"


def stamp(
    title: str,
    sections: Sequence[Section],
    model: ModelFacts | None,
    parameters: Mapping[str, object],
) -> Marks:
    """Give the stamp as text by name."""
    marks = Marks(
        {"Title": title, "Cells": counts(sections), "Notice": NOTICE}, [section.id for section in sections]
    )
    if any(section.simulated for section in sections):
        simulated = [section.title for section in sections if section.simulated]
        marks["Simulated"] = ", ".join(simulated)
    if left_out := "; ".join(f"{s.title}: {s.left_out}" for s in sections if s.left_out):
        marks["Low quality"] = left_out
    if named := "; ".join(f"{s.title}: {s.named.words}" for s in sections if s.named):
        marks["Cell types"] = named
    marks["App version"] = f"squint {app_version()}"
    if model is not None:
        marks["Model"] = f"{model.name}, sha256 {model.sha256[:12]}"
        marks["Gene list"] = f"{model.n_genes} genes, sha256 {model.genes_sha256[:12]}"
    marks["Sections"] = ", ".join(f"{section.title} sha256 {section.sha256[:12]}" for section in sections)
    marks["Parameters"] = "; ".join(f"{name}: {value}" for name, value in parameters.items()) or "none"
    marks["Time"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return marks


def footer(marks: Mapping[str, str], width: int = 180) -> list[str]:
    """Write the stamp as lines for the foot of a figure, the notice first."""
    lines = [marks["Notice"]]
    line = ""
    for name, value in marks.items():
        if name in {"Title", "Cells", "Notice"}:
            continue
        for word in f"{name}: {value}".split(" "):
            if line and len(line) + 1 + len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        line += " ·"
    return [*lines, line.removesuffix(" ·")]
