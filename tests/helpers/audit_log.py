"""The audit log in tests: rows written to it, and what somebody does to its table by force."""

import sqlalchemy as sa

from squint.library import chain
from squint.library.acting import Actor
from squint.library.chain import CELLS, SEEN, Entry
from squint.library.database import Database

ANNA = Actor(7, "tokens", "s")


def write(database: Database, n: int, who: Actor = ANNA) -> None:
    """Add rows to the log, one by one."""
    for i in range(n):
        with database.writing() as session:
            chain.append(session, [Entry(SEEN, CELLS, f"{i:x}", f"{i:x}")], who)


def by_force(database: Database, *statements: str) -> None:
    """Change the tables as somebody does who first takes away what refuses it."""
    with database.engine.connect() as connection, connection.begin():
        if database.is_sqlite:
            for name in ("update", "delete", "replace"):
                connection.execute(sa.text(f"DROP TRIGGER audit_no_{name}"))
        else:
            connection.execute(sa.text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        for statement in statements:
            connection.execute(sa.text(statement))
