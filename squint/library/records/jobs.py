"""Work: jobs, who wants them, and the engines that do them."""

from typing import Any

from sqlalchemy import Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from squint.library.records.base import Record, Sha


class JobRow(Record):
    """A piece of work: this row is what is true of it."""

    __tablename__ = "jobs"
    __table_args__ = ({"sqlite_autoincrement": True},)  # no number is used twice
    id: Mapped[int] = mapped_column(primary_key=True)  # counts upwards: clocks may jump
    task: Mapped[str] = mapped_column(String(60))
    module: Mapped[str] = mapped_column(String(120))  # whose TASKS do it
    args: Mapped[str] = mapped_column(Text)  # JSON as Python writes it: PostgreSQL's own knows no NaN
    key: Mapped[str] = mapped_column(Sha, index=True)  # of task and arguments: the same work is found again
    lane: Mapped[str] = mapped_column(String(20))
    about: Mapped[str] = mapped_column(String(255), default="")  # what it does, in the user's words
    state: Mapped[str] = mapped_column(String(20), index=True)
    fraction: Mapped[float] = mapped_column(Float, default=0.0)
    words: Mapped[str] = mapped_column(Text, default="")  # what it is doing
    cancel: Mapped[bool] = mapped_column(default=False)  # somebody asked it to stop
    tries: Mapped[int] = mapped_column(default=0)
    limit_s: Mapped[float] = mapped_column(Float)
    private: Mapped[bool] = mapped_column(default=False)  # what it is asked is forgotten when it has ended
    person: Mapped[int | None] = mapped_column(Integer)  # id of whoever asked first, for the audit log
    place: Mapped[str] = mapped_column(String(40), default="", server_default="")  # page where they did
    engine: Mapped[str] = mapped_column(String(40), default="")  # that took it
    worker: Mapped[str] = mapped_column(String(120), default="")  # that does it
    answer: Mapped[str] = mapped_column(Text, default="null")  # JSON
    problem: Mapped[str] = mapped_column(Text, default="")  # why it failed, in words
    defect: Mapped[bool] = mapped_column(default=False)  # whether that was a fault of squint's
    added: Mapped[float] = mapped_column(Float)  # seconds since 1970, as those below
    started: Mapped[float | None] = mapped_column(Float)
    ended: Mapped[float | None] = mapped_column(Float)
    askers: Mapped[list["JobAsker"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class JobAsker(Record):
    """A session that wants a job: it is cancelled when none does any more."""

    __tablename__ = "job_askers"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    asker: Mapped[str] = mapped_column(String(64), primary_key=True)


class EngineRow(Record):
    """A running engine, and what it says of itself."""

    __tablename__ = "engines"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    address: Mapped[str] = mapped_column(String(255))  # of its scheduler
    seen: Mapped[float] = mapped_column(Float)  # seconds since 1970
    facts: Mapped[dict[str, Any]]  # of its workers: device, model, problem
