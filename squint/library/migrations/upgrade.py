"""Brings the tables of a database to what this version needs, whole or not at all."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from squint.errors import InputError


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Upgrade to a revision, by default the last, within the transaction of a connection.

    Raises
    ------
    InputError
        If a newer squint wrote the database.
    """
    config = Config()
    config.set_main_option("script_location", "squint.library:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise InputError(
            f"A newer squint wrote this library ({error}). Install that version, or restore a backup."
        ) from error
