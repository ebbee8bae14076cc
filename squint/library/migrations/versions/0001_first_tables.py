"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("about", sa.String(length=120), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "engines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "gene_sets",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sets", sa.JSON(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "histories",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("saved", sa.Float(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=60), nullable=False),
        sa.Column("module", sa.String(length=120), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("fraction", sa.Float(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("limit_s", sa.Float(), nullable=False),
        sa.Column("engine", sa.String(length=40), nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("defect", sa.Boolean(), nullable=False),
        sa.Column("added", sa.Float(), nullable=False),
        sa.Column("started", sa.Float(), nullable=True),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_jobs_key"), "jobs", ["key"], unique=False)
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state"], unique=False)
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "models",
        sa.Column("folder", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("genes_sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("folder"),
    )
    op.create_table(
        "originals",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("n_files", sa.Integer(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "patients",
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "remembered_answers",
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.create_table(
        "results",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "history_versions",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["histories.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "number"),
    )
    op.create_table(
        "job_askers",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("asker", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "asker"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("about", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_notes_about"), "notes", ["about"], unique=False)
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "cohorts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "sections",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("patient", sa.String(length=60), nullable=False),
        sa.Column("organ", sa.String(length=60), nullable=False),
        sa.Column("assay", sa.String(length=60), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("n_cells", sa.Integer(), nullable=False),
        sa.Column("n_genes", sa.Integer(), nullable=False),
        sa.Column("n_cell_types", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("values", sa.String(length=20), nullable=False),
        sa.Column("median_depth", sa.Float(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("z_um", sa.Float(), nullable=True),
        sa.Column("stack", sa.Text(), nullable=False),
        sa.Column("n_regions", sa.Integer(), nullable=False),
        sa.Column("n_left_out", sa.Integer(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("original", sa.String(length=64), nullable=True),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["original"],
            ["originals.sha256"],
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["patient"],
            ["patients.code"],
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "shares",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", "user_id"),
    )
    op.create_table(
        "cohort_sections",
        sa.Column("cohort_id", sa.Integer(), nullable=False),
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohorts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cohort_id", "section_id"),
    )
    op.create_table(
        "labelings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "model_sections",
        sa.Column("folder", sa.String(length=120), nullable=False),
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["folder"], ["models.folder"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("folder", "section_id"),
    )
    op.create_table(
        "pictures",
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("section_id", "id"),
    )
    op.create_table(
        "result_sections",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["results.name"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "section_id"),
    )
    op.create_table(
        "stored_files",
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("original", sa.String(length=64), nullable=True),
        sa.Column("section_id", sa.String(length=16), nullable=True),
        sa.Column("model", sa.String(length=120), nullable=True),
        sa.Column("result", sa.String(length=120), nullable=True),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.folder"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["original"], ["originals.sha256"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["result"], ["results.name"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index("ix_stored_files_original", "stored_files", ["original"], unique=False)
    op.create_index("ix_stored_files_result", "stored_files", ["result"], unique=False)
    op.create_index("ix_stored_files_section_id", "stored_files", ["section_id"], unique=False)
    op.create_table(
        "token_runs",
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("genes_sha256", sa.String(length=64), nullable=False),
        sa.Column("data_sha256", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("section_id", "model"),
    )
