"""People, their projects and who is in which: rows of the server's first library alone."""

from sqlalchemy import Float, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from squint.library.records.base import Record, Sha


class User(Record):
    """Somebody who signed in; :mod:`squint.library.people` says what the values mean."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="uq_users_issuer_subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(String(255))  # URL of the identity provider
    subject: Mapped[str] = mapped_column(String(255))  # as the identity provider calls them
    name: Mapped[str] = mapped_column(String(120))  # to be shown
    email: Mapped[str] = mapped_column(String(255))  # empty where the provider does not vouch for one
    role: Mapped[str] = mapped_column(String(20), default="viewer")
    removed: Mapped[bool]  # by an admin: signing in again changes nothing
    project: Mapped[str] = mapped_column(String(16))  # that was open last, by its folder
    seen: Mapped[float] = mapped_column(Float)  # seconds since 1970
    added: Mapped[str] = mapped_column(String(40))


class EndedSignIn(Record):
    """A sign-in that was ended by signing out, until it would have ended by itself."""

    __tablename__ = "ended_sign_ins"
    id: Mapped[str] = mapped_column(Sha, primary_key=True)  # hash of what tells it from others
    until: Mapped[float] = mapped_column(Float)  # seconds since 1970


class Project(Record):
    """Sections that the same people see, in a library of their own."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("folder", name="uq_projects_folder"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(String(16))  # of its library, random; empty of the server's first
    name: Mapped[str] = mapped_column(String(120), unique=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))  # who made it
    added: Mapped[str] = mapped_column(String(40))


class Share(Record):
    """Somebody's right to a project: they are a member of it, or its owner."""

    __tablename__ = "shares"
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
