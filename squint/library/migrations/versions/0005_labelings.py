"""Labelings with all that was made of them. Nobody wrote a row before, so their table is simply made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of labelings again, and that of their versions."""
    op.drop_table("labelings")
    op.create_table(
        "labelings",
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("section_id", "id"),
    )
    op.create_table(
        "labeling_versions",
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("labeling_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("n_types", sa.Integer(), nullable=False),
        sa.Column("n_named", sa.Integer(), nullable=False),
        sa.Column("n_changes", sa.Integer(), nullable=False),
        sa.Column("made", sa.String(length=40), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["section_id", "labeling_id"], ["labelings.section_id", "labelings.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("section_id", "labeling_id", "number"),
    )
