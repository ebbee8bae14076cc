"""The sections of a report as a library has them, and the records of them that go into its recipe."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import squint.io
from squint import keys
from squint.columns import token_names
from squint.errors import InputError
from squint.files import list_sha256
from squint.library.labelings import of_file
from squint.library.models import KnownModel
from squint.library.records import SectionRow
from squint.library.stacks import name_sections, outside_stacks
from squint.library.store import DATA, Library, Section
from squint.model.card import BundleCard
from squint.report.pieces import NOTED, Piece, labels_sha256, with_types, write_types
from squint.report.recipe import ModelRecord, SectionRecord, Types

Inputs = dict[str, bytes]  # tables that go with a recipe, by the hash of each


def model_record(model: KnownModel) -> ModelRecord:
    """Say in a recipe which model it is.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if model.card is None:
        raise InputError(f"The model {model.name} is damaged. {model.problem}")
    genes = model.card.genes
    return ModelRecord(
        model.name,
        model.sha256,
        list_sha256(genes),
        model.card.model.n_codes,
        len(genes),
        model.card.simulated,
        *_about(model.card),
    )


def _about(card: BundleCard) -> tuple[str, tuple[str, ...]]:
    """Give what a card says that the model learned from, and its limits, each as one line."""
    if card.about is None:
        n_cells = sum(one.n_cells for one in card.sections)
        sections = "1 section" if len(card.sections) == 1 else f"{len(card.sections)} sections"
        return (f"{sections}, {n_cells:,} cells" if card.sections else "", ())
    lines = (f"{card.about.data}. {card.about.trained_on}", *card.about.limits)
    first, *limits = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return first, tuple(limits)


def ranking_sections(library: Library, model: str, patients: Collection[str]) -> list[Section]:
    """List the sections by whose cells codes of some patients are ranked, as the page Risk map ranks them.

    A stack is many levels of one place: it counts only where a patient has nothing else.
    """
    every = library.tokenised(library.sections(), model)
    return [
        one
        for patient in sorted(patients)
        for one in outside_stacks([section for section in every if section.patient == patient])
    ]


def gather(
    library: Library, shown: Sequence[Section], ranking: Sequence[Section], model: str | None
) -> tuple[list[Piece], Inputs]:
    """Read the sections of a report, and say of each in a record what it was made of.

    Parameters
    ----------
    library
        Whose sections they are.
    shown
        Sections that the report is of, in this order.
    ranking
        Sections by whose cells codes are ranked, some of which may be shown.
    model
        Hash of the model whose tokens are taken.

    Returns
    -------
    The sections, those shown first; and the tables of their types, where labelings are in use.

    Raises
    ------
    InputError
        If a section is gone or damaged, or has no tokens by the model.
    """
    by_id = {one.id: one for one in [*shown, *ranking]}
    names = name_sections(list(by_id.values()))
    first, ranks = {one.id for one in shown}, {one.id for one in ranking}
    inputs: Inputs = {}
    pieces = []
    for section in by_id.values():
        piece = _read(library, section, model)
        types = _types(library, section, piece, inputs)
        piece.record = _record(
            library,
            section,
            names[section.id],
            labels=piece.record.labels_sha256,
            shown=section.id in first,
            ranks=section.id in ranks,
            types=types,
        )
        pieces.append(piece)
    return pieces, inputs


def find_piece(library: Library, record: SectionRecord, model: str | None) -> Piece | None:
    """Read a section of a recipe from a library; ``None`` if it is not there.

    Its types are those of its file, until the recipe's are given to it.
    """
    section = next((one for one in library.sections() if one.sha256 == record.sha256), None)
    if section is None:
        return None
    piece = _read(library, section, model if _has_tokens(library, section, model) else None)
    if piece.record.labels_sha256 != record.labels_sha256:
        raise InputError(
            f"Section {record.name} of the library has other names, types or regions of cells in its file "
            "than the recipe's. Give the original that the recipe was made of."
        )
    piece.record = record
    piece.adata.obs[keys.SECTION] = record.section
    piece.adata.obs[keys.PATIENT] = record.patient
    return piece


def _has_tokens(library: Library, section: Section, model: str | None) -> bool:
    return model is not None and bool(library.tokenised([section], model))


def _read(library: Library, section: Section, model: str | None) -> Piece:
    adata: Any = squint.io.read(library.path(section.id, DATA))
    facts: Mapping[str, Any] = {}
    if model is not None:
        tokens, noted = library.tokens(section.id, model), library.token_facts(section.id, model)
        if tokens is None or noted is None:
            raise InputError(f"Section {section.title} has no tokens by this model. Tokenise it first.")
        adata.obs[keys.TOKEN] = token_names(tokens[keys.TOKEN].to_numpy())
        adata.obs[keys.DISTANCE] = tokens[keys.DISTANCE].to_numpy()
        facts = {name: noted[name] for name in NOTED if name in noted}
    adata.uns[keys.PROVENANCE] |= {"unit": section.unit, "values": section.values}
    record = SectionRecord(
        section.title,
        section.section,
        section.patient,
        section.sha256,
        labels_sha256(adata),
        "",
        unit=section.unit,
    )
    return Piece(record, adata, section.left_out, facts)


def _types(library: Library, section: Section, piece: Piece, inputs: Inputs) -> Types:
    """Give a piece the types that are in use, and say where they are from."""
    if section.named is None:
        there = of_file(library, section.id) is not None
        return Types("file", "as in the section's file") if there else Types()
    types = library.types(section)
    with_types(piece, types)
    if types is None:
        return Types(words="names of cells that are damaged in the library")
    content = write_types(piece.adata.obs_names, types)
    sha256 = keep_input(inputs, content)
    return Types("labeling", section.named.words, sha256)


def keep_input(inputs: Inputs, content: bytes) -> str:
    """Put a table among those that go with a recipe; return its hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    inputs[sha256] = content
    return sha256


def _record(
    library: Library, section: Section, name: str, *, labels: str, shown: bool, ranks: bool, types: Types
) -> SectionRecord:
    with library.database.reading() as session:
        row = session.get(SectionRow, section.id)
        made = dict(row.recipe) if row is not None and row.recipe else {}
        original = str(row.original or "") if row is not None else ""
    return SectionRecord(
        name=name,
        section=section.section,
        patient=section.patient,
        sha256=section.sha256,
        labels_sha256=labels,
        original=original,
        part=int(made.get("part", 0)),
        answers=dict(made.get("answers", {})),
        quality=dict(made.get("quality", asdict(section.quality))),
        unit=section.unit,
        organ=section.organ,
        assay=section.assay,
        simulated=section.simulated,
        shown=shown,
        ranks=ranks,
        types=types,
    )
