"""What was made of it: models, tokens, cell types and results, with the files of all of these."""

from sqlalchemy import BigInteger, Float, ForeignKey, ForeignKeyConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from squint.library.records.base import Checked, Record, Sha


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
