"""Where the library lies, by the environment."""

import os
from pathlib import Path

from squint.errors import InputError


def home() -> Path:
    """Read ``SQUINT_HOME``: the folder of the library, by default ``library``, which need not exist."""
    return Path(os.environ.get("SQUINT_HOME") or "library").absolute()


def existing_home() -> Path:
    """Read ``SQUINT_HOME``, of a library that there is.

    Raises
    ------
    InputError
        If there is none: a command that only looks makes none either.
    """
    from squint.library.database import FILE  # noqa: PLC0415 - SQLAlchemy, where a command asks

    folder = home()
    known = (folder / "sections").is_dir() or (folder / FILE).exists()
    if not known:
        raise InputError(f"There is no library in {folder}. Set SQUINT_HOME to the folder of one.")
    return folder
