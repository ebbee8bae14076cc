"""The audit log: only ever added to, chained by hashes, with who asked for a job. Nobody wrote one before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSAL = "the audit log is only ever added to"


def upgrade() -> None:
    """Make the table of the log, and let the database refuse whatever changes it."""
    op.drop_table("audit")
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("person", sa.Integer(), nullable=True),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("place", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("object", sa.String(length=120), nullable=False),
        sa.Column("section", sa.String(length=16), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_time", "audit", ["time"])
    op.create_index("ix_audit_person", "audit", ["person", "id"])
    op.create_index("ix_audit_action", "audit", ["action", "id"])
    op.create_index("ix_audit_section", "audit", ["section", "id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", _NUMBER, nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()
    op.add_column("jobs", sa.Column("person", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("place", sa.String(length=40), nullable=False, server_default=""))


def _guard_sqlite() -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    op.execute(f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit {refuse}")
    op.execute(f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit {refuse}")
    there = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"  # INSERT OR REPLACE asks no other trigger
    op.execute(f"CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN {there} {refuse}")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
