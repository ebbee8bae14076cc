"""A library as an earlier squint left it."""

from pathlib import Path

import sqlalchemy as sa

from squint.library.database import FILE, database
from squint.library.migrations.upgrade import upgrade

_NOT_THEN = {"alembic_version", "audit"}  # tables that nobody wrote, or that tell what they are of


def put_back(home: Path, revision: str) -> None:
    """Let the tables of a library, which nobody has open, be those of an earlier revision."""
    found = database(home)
    new = sa.MetaData()
    with found.engine.connect() as connection:
        new.reflect(connection)
        rows = {
            name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for name, table in new.tables.items()
        }
    found.close()
    for path in home.glob(f"{FILE}*"):
        path.unlink()
    engine, old = sa.create_engine(f"sqlite:///{home / FILE}"), sa.MetaData()
    with engine.begin() as connection:
        upgrade(connection, revision)
        old.reflect(connection)
        for table in old.sorted_tables:
            if table.name not in _NOT_THEN and rows.get(table.name):
                known = [column.name for column in table.columns]
                kept = [{name: row[name] for name in known if name in row} for row in rows[table.name]]
                connection.execute(table.insert(), kept)
    engine.dispose()
