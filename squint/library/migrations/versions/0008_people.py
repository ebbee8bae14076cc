"""People, and the projects that they are in. Nobody wrote a row of either before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Say of users and projects what sign-in needs, and keep which sign-ins were ended."""
    if op.get_context().dialect.name == "sqlite":  # which cannot drop that subjects are unique
        op.drop_table("users")
        op.create_table(
            "users",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("subject", sa.String(length=255), nullable=False),
            sa.Column("role", sa.String(length=20), nullable=False),
            sa.Column("added", sa.String(length=40), nullable=False),
            *_of_users(),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("issuer", "subject", name="uq_users_issuer_subject"),
        )
        with op.batch_alter_table("projects") as projects:
            projects.add_column(_folder())
            projects.create_unique_constraint("uq_projects_folder", ["folder"])
    else:
        op.drop_constraint("users_subject_key", "users")
        for column in _of_users():
            op.add_column("users", column)
        op.create_unique_constraint("uq_users_issuer_subject", "users", ["issuer", "subject"])
        op.add_column("projects", _folder())
        op.create_unique_constraint("uq_projects_folder", "projects", ["folder"])
    op.create_table(
        "ended_sign_ins",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _of_users() -> list[sa.Column[object]]:
    return [
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("project", sa.String(length=16), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
    ]


def _folder() -> sa.Column[object]:
    return sa.Column("folder", sa.String(length=16), nullable=False)
