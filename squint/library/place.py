"""Where the library lies, and the models that are of none, by the environment."""

import os
from pathlib import Path

from squint.errors import InputError
from squint.model.card import CARD

_PROJECTS = "projects"  # folder of the libraries of all projects but the first
MARK = "library.id"  # file that every library has
FILE = "library.sqlite"  # that holds its records, unless SQUINT_DATABASE_URL names a database
SAMPLES = Path(__file__).resolve().parents[2] / "data_samples"  # sections, and folders of models


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
    folder = find_home()
    if folder is None:
        raise InputError(f"There is no library in {home()}. Set SQUINT_HOME to the folder of one.")
    return folder


def find_home() -> Path | None:
    """Read ``SQUINT_HOME``; ``None`` if there is no library."""
    folder = home()
    return folder if (folder / "sections").is_dir() or (folder / FILE).exists() else None


def shipped_models() -> list[Path]:
    """List the models that ship with squint's repository; a package that was installed has none."""
    return sorted(card.parent for card in SAMPLES.glob(f"*/{CARD}"))


def server_model() -> Path:
    """Read ``SQUINT_MODEL``: the folder of the server's model, by default one that ships with squint."""
    return Path(os.environ.get("SQUINT_MODEL") or SAMPLES / "pretrained").absolute()


def project_home(root: Path, project: str) -> Path:
    """Give the folder of a project's library: each is a library of its own; ``""`` is the server's first."""
    return root / _PROJECTS / project if project else root


def root_of(home: Path) -> Path:
    """Give the folder of the server's first library, from that of any project."""
    return home.parents[1] if home.parent.name == _PROJECTS else home


def project_of(home: Path) -> str:
    """Give the id of the project whose library lies in a folder; ``""`` of the server's first."""
    return home.name if root_of(home) != home else ""


def all_homes(root: Path) -> list[Path]:
    """List the libraries of a server: its first, and those of its projects."""
    return [root, *sorted(folder.parent for folder in (root / _PROJECTS).glob(f"*/{MARK}"))]
