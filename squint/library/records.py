"""What the library knows, as rows: one class a table, the same on SQLite and PostgreSQL.

Files lie below the library's folder; every one of them has a row with its hash, so that what was damaged is
noticed. A row that says what a section is has a hash of its own (:class:`Checked`): a bit that flips in the
database's file is noticed as well. Users, projects and shares are rows of the server's first library alone.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column, relationship

Sha = String(64)
Number = BigInteger().with_variant(Integer, "sqlite")  # of rows that may be many


class Record(DeclarativeBase):
    """A row of some table."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - read by SQLAlchemy


class Checked:
    """A row that is noticed to be damaged: it holds the hash of all its other values."""

    check: Mapped[str] = mapped_column(String(16), default="")

    def digest(self) -> str:
        """Hash the values of the row."""
        names = sorted(column.key for column in self.__mapper__.column_attrs if column.key != "check")  # type: ignore[attr-defined]
        values = json.dumps([[name, getattr(self, name)] for name in names], sort_keys=True, default=repr)
        return hashlib.blake2b(values.encode(), digest_size=8).hexdigest()

    @property
    def intact(self) -> bool:
        """Whether the row is as it was written."""
        return self.check == self.digest()


@event.listens_for(Checked, "before_insert", propagate=True)
@event.listens_for(Checked, "before_update", propagate=True)
def _sign(mapper: Mapper[Any], connection: Any, row: Checked) -> None:
    del connection
    for column in mapper.columns:  # defaults are given later, and count
        key = mapper.get_property_by_column(column).key
        if getattr(row, key) is None and column.default is not None and column.default.is_scalar:
            setattr(row, key, column.default.arg)  # type: ignore[attr-defined]
    row.check = row.digest()


def signed(row: Checked) -> dict[str, Any]:
    """Give the values of a row whose every value is set, with their hash, to be inserted with many others."""
    row.check = row.digest()
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}  # type: ignore[attr-defined]


# --- people and projects ----------------------------------------------------------------------------------


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


# --- what was brought in ----------------------------------------------------------------------------------


class Patient(Record):
    """A patient, by study code."""

    __tablename__ = "patients"
    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    added: Mapped[str] = mapped_column(String(40))


class Original(Checked, Record):
    """A file or folder as it was uploaded, stored unmodified."""

    __tablename__ = "originals"
    sha256: Mapped[str] = mapped_column(Sha, primary_key=True)  # of a folder: of its files' names and hashes
    name: Mapped[str] = mapped_column(String(120))  # harmless
    n_bytes: Mapped[int] = mapped_column(BigInteger)
    n_files: Mapped[int]
    added: Mapped[str] = mapped_column(String(40))


class SectionRow(Checked, Record):
    """A section; :class:`squint.library.store.Section` says what the values mean."""

    __tablename__ = "sections"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    sha256: Mapped[str] = mapped_column(Sha)  # empty where only its files say what it is
    section: Mapped[str] = mapped_column(Text)
    patient: Mapped[str] = mapped_column(ForeignKey("patients.code"))
    organ: Mapped[str] = mapped_column(String(60))
    assay: Mapped[str] = mapped_column(String(60))
    added: Mapped[str] = mapped_column(String(40))
    n_cells: Mapped[int]
    n_genes: Mapped[int]
    n_cell_types: Mapped[int]
    unit: Mapped[str] = mapped_column(String(20))
    values: Mapped[str] = mapped_column(String(20))
    median_depth: Mapped[float] = mapped_column(Float)
    simulated: Mapped[bool]
    notes: Mapped[list[Any]]
    z_um: Mapped[float | None] = mapped_column(Float)
    stack: Mapped[str] = mapped_column(Text)
    n_regions: Mapped[int]
    n_left_out: Mapped[int]
    quality: Mapped[dict[str, Any]]
    original: Mapped[str | None] = mapped_column(ForeignKey("originals.sha256"))
    recipe: Mapped[dict[str, Any]]  # how the section was made of its original
    damage: Mapped[str] = mapped_column(Text, default="")  # what of it is damaged, in words; empty if nothing
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))


class Picture(Checked, Record):
    """A picture under the cells of a section; :mod:`squint.library.pictures` says what the values mean."""

    __tablename__ = "pictures"
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(Sha, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    width: Mapped[int]
    height: Mapped[int]
    levels: Mapped[int]
    grey: Mapped[bool]
    channel: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(10))
    affine: Mapped[list[Any] | None] = mapped_column(JSON)
    placed: Mapped[str] = mapped_column(String(60))
    um_per_pixel: Mapped[list[Any] | None] = mapped_column(JSON)
    sha256: Mapped[str] = mapped_column(Sha)  # empty where only its files say what it is
    added: Mapped[str] = mapped_column(String(40))
    notes: Mapped[list[Any]]
    landmarks: Mapped[list[Any]]
    rmse: Mapped[float | None] = mapped_column(Float)
    damage: Mapped[str] = mapped_column(Text, default="")  # what of it is damaged, in words; empty if nothing


class Cohort(Record):
    """Sections under a name."""

    __tablename__ = "cohorts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))
    added: Mapped[str] = mapped_column(String(40))


class CohortSection(Record):
    """A section in a cohort."""

    __tablename__ = "cohort_sections"
    cohort_id: Mapped[int] = mapped_column(ForeignKey("cohorts.id", ondelete="CASCADE"), primary_key=True)
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)


# --- what was made of it ----------------------------------------------------------------------------------


class Model(Checked, Record):
    """A model that was trained here or brought in; its bundle lies in ``models/<folder>``."""

    __tablename__ = "models"
    folder: Mapped[str] = mapped_column(String(120), primary_key=True)
    sha256: Mapped[str] = mapped_column(Sha)  # of its weights
    genes_sha256: Mapped[str] = mapped_column(Sha)  # of its list of genes
    name: Mapped[str] = mapped_column(String(120))
    added: Mapped[str] = mapped_column(String(40))


class ModelSection(Record):
    """A section that a model of the library was trained on, and goes with."""

    __tablename__ = "model_sections"
    folder: Mapped[str] = mapped_column(ForeignKey("models.folder", ondelete="CASCADE"), primary_key=True)
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)


class TokenRun(Checked, Record):
    """The tokens of a section by a model, or why there are none."""

    __tablename__ = "token_runs"
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(Sha, primary_key=True)  # sha256 of its weights
    genes_sha256: Mapped[str] = mapped_column(Sha)  # of the model's list of genes
    data_sha256: Mapped[str] = mapped_column(Sha)  # of the section, as it was tokenised
    problem: Mapped[str] = mapped_column(Text, default="")
    damage: Mapped[str] = mapped_column(Text, default="")  # what of it is damaged, in words
    facts: Mapped[str] = mapped_column(Text)  # JSON, in which numbers may be no finite ones
    added: Mapped[str] = mapped_column(String(40))


class Labeling(Checked, Record):
    """Names for the cells of a section, by one method; :mod:`squint.library.labelings` says more."""

    __tablename__ = "labelings"
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    method: Mapped[str] = mapped_column(String(40))
    how: Mapped[str] = mapped_column(Text)  # the names were found, in words
    facts: Mapped[str] = mapped_column(Text)  # JSON, in which numbers may be no finite ones
    added: Mapped[str] = mapped_column(String(40))
    in_use: Mapped[bool]  # at most one of a section's is
    at: Mapped[int]  # number of the version that counts
    damage: Mapped[str] = mapped_column(Text, default="")  # what of it is damaged, in words; empty if nothing


class LabelingVersion(Checked, Record):
    """The names of a labeling after a change; its file is ``labelings/<labeling>/<number>.parquet``."""

    __tablename__ = "labeling_versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["section_id", "labeling_id"], ["labelings.section_id", "labelings.id"], ondelete="CASCADE"
        ),
    )
    section_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    labeling_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # none is used twice
    what: Mapped[str] = mapped_column(Text)  # the change, in words; empty of the first
    sha256: Mapped[str] = mapped_column(Sha)  # of its file
    n_types: Mapped[int]
    n_named: Mapped[int]  # cells with a name
    n_changes: Mapped[int]  # that led to it
    made: Mapped[str] = mapped_column(String(40))


class ResultRow(Checked, Record):
    """Something computed over sections; its tables lie in ``results/<name>``."""

    __tablename__ = "results"
    name: Mapped[str] = mapped_column(String(120), primary_key=True)  # of what was asked
    facts: Mapped[str] = mapped_column(Text)  # JSON, in which numbers may be no finite ones
    added: Mapped[str] = mapped_column(String(40))


class ResultSection(Record):
    """A section that a result was computed from, and goes with."""

    __tablename__ = "result_sections"
    name: Mapped[str] = mapped_column(ForeignKey("results.name", ondelete="CASCADE"), primary_key=True)
    section_id: Mapped[str] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"), primary_key=True)


class ResultUse(Record):
    """When a result was last used: not signed, as nothing that is shown depends on it."""

    __tablename__ = "result_uses"
    name: Mapped[str] = mapped_column(ForeignKey("results.name", ondelete="CASCADE"), primary_key=True)
    used: Mapped[float] = mapped_column(Float)  # seconds since 1970
    day: Mapped[int]  # as DayCount counts


class DayCount(Record):
    """How many days the library was swept on, in one row: time that no clock can jump over."""

    __tablename__ = "days"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1
    day: Mapped[int]
    date: Mapped[str] = mapped_column(String(10))  # of the last one


class StoredFile(Checked, Record):
    """A file below the library's folder; it goes with what it belongs to."""

    __tablename__ = "stored_files"
    path: Mapped[str] = mapped_column(String(1024), primary_key=True)  # below the folder, with "/"
    sha256: Mapped[str] = mapped_column(Sha)
    n_bytes: Mapped[int] = mapped_column(BigInteger)
    original: Mapped[str | None] = mapped_column(ForeignKey("originals.sha256", ondelete="CASCADE"))
    section_id: Mapped[str | None] = mapped_column(ForeignKey("sections.id", ondelete="CASCADE"))
    model: Mapped[str | None] = mapped_column(ForeignKey("models.folder", ondelete="CASCADE"))
    result: Mapped[str | None] = mapped_column(ForeignKey("results.name", ondelete="CASCADE"))
    __table_args__ = (
        Index("ix_stored_files_original", "original"),
        Index("ix_stored_files_section_id", "section_id"),
        Index("ix_stored_files_result", "result"),
    )


# --- what users say ---------------------------------------------------------------------------------------


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


# --- work -------------------------------------------------------------------------------------------------


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
