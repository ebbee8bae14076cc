"""What was brought in: patients, originals, sections and the pictures under their cells."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from squint.library.records.base import Checked, Record, Sha


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
