"""Pictures by what is known of them. Nobody wrote a row before, so their table is simply made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of pictures again."""
    op.drop_table("pictures")
    op.create_table(
        "pictures",
        sa.Column("section_id", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("levels", sa.Integer(), nullable=False),
        sa.Column("grey", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("affine", sa.JSON(), nullable=True),
        sa.Column("placed", sa.String(length=60), nullable=False),
        sa.Column("um_per_pixel", sa.JSON(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("added", sa.String(length=40), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("landmarks", sa.JSON(), nullable=False),
        sa.Column("rmse", sa.Float(), nullable=True),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["section_id"], ["sections.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("section_id", "id"),
    )
