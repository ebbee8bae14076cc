"""What users say: their cell sets, notes, names of tokens, gene sets and answers."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from squint.library.records.base import Checked, Record, Sha


class HistoryHead(Checked, Record):
    """Which version of something counts; its others are to go back or forward to."""

    __tablename__ = "histories"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)  # of what has a history: "cell_sets"
    at: Mapped[int]  # number of the version
    saved: Mapped[float] = mapped_column(Float)  # seconds since 1970


class HistoryVersion(Checked, Record):
    """Everything after a change."""

    __tablename__ = "history_versions"
    name: Mapped[str] = mapped_column(ForeignKey("histories.name", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # none is used twice
    what: Mapped[str] = mapped_column(Text)  # the change, in words
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class TokenName(Checked, Record):
    """What a token is called after a change; :mod:`squint.library.token_naming` says more."""

    __tablename__ = "token_names"
    model: Mapped[str] = mapped_column(Sha, primary_key=True)  # of its weights; it may be gone, and come back
    token: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # the highest one counts
    back_to: Mapped[int | None]  # number that undoing goes back to, 0: no name; None: nothing to undo
    what: Mapped[str] = mapped_column(Text)  # what undoing would undo, in words
    undone: Mapped[str] = mapped_column(Text)  # what this row undid, in words; empty if nothing
    name: Mapped[str] = mapped_column(Text)  # empty: none
    note: Mapped[str] = mapped_column(Text)
    made: Mapped[str] = mapped_column(String(40))


class GeneSetFile(Checked, Record):
    """A file of gene sets that somebody added."""

    __tablename__ = "gene_sets"
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    sets: Mapped[dict[str, Any]]  # name of a set -> its genes
    added: Mapped[str] = mapped_column(String(40))


class RememberedAnswers(Checked, Record):
    """How questions about the last source of a kind were answered."""

    __tablename__ = "remembered_answers"
    kind: Mapped[str] = mapped_column(String(255), primary_key=True)
    given: Mapped[dict[str, Any]]


class Note(Checked, Record):
    """What somebody noted of a section, a token or a cell set."""

    __tablename__ = "notes"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    about: Mapped[str] = mapped_column(String(120), index=True)  # its kind and id
    text: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    added: Mapped[str] = mapped_column(String(40))


class Mark(Record):
    """Something that was done once, such as the import of the samples."""

    __tablename__ = "marks"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    added: Mapped[str] = mapped_column(String(40))
