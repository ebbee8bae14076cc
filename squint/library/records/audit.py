"""The audit log, and its end: rows of the server's first library alone."""

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from squint.library.records.base import Number, Record, Sha


class Audit(Record):
    """What somebody did, as :mod:`squint.library.audit` says; the database refuses to change or delete it."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)  # one more than before
    time: Mapped[str] = mapped_column(String(32), index=True)  # UTC, to be shown, not to be sorted by
    person: Mapped[int | None] = mapped_column(Integer)  # stays when they go
    project: Mapped[str] = mapped_column(String(40))
    place: Mapped[str] = mapped_column(String(40))  # name of a page or a command
    action: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    object: Mapped[str] = mapped_column(String(120))  # its id
    section: Mapped[str] = mapped_column(String(16))  # id of the one that the object is of
    n: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))
    chain: Mapped[str] = mapped_column(Sha)  # hash of the row and of the one before
    __table_args__ = (
        Index("ix_audit_person", "person", "id"),
        Index("ix_audit_action", "action", "id"),
        Index("ix_audit_section", "section", "id"),
    )


class AuditHead(Record):
    """The end of the log, in one row, which whoever adds to the log holds meanwhile."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1
    n: Mapped[int] = mapped_column(Number)
    chain: Mapped[str] = mapped_column(Sha)
