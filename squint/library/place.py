"""Where the library lies, and the models that are of none, by the environment."""

import os
import re
import secrets
from pathlib import Path

from squint.errors import InputError
from squint.model.card import CARD

_PROJECTS = "projects"  # folder of the libraries of all projects but the first
MARK = "library.id"  # file that every library has
FILE = "library.sqlite"  # that holds its records, unless SQUINT_DATABASE_URL names a database
_ID = re.compile("[0-9a-f]{16}")  # of a project: names a folder, and a schema of PostgreSQL
_FIRST_WORD = "first"  # what the server's first project is called where its id, which is empty, would not do
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


def projects_folder(root: Path) -> Path:
    """Give the folder of the libraries of all projects but the first; it need not exist."""
    return root / _PROJECTS


def is_project(project: str) -> bool:
    """Say whether a word can be the id of a project: 16 hexadecimal digits, so that it leads nowhere else."""
    return _ID.fullmatch(project) is not None


def new_project() -> str:
    """Give the id of a project that is about to be made; none of any server was the same."""
    return secrets.token_hex(8)


def word_of(project: str) -> str:
    """Name a project in an address, a command or a log: by its id, or, of the first, by a word."""
    return project or _FIRST_WORD


def of_word(word: str) -> str | None:
    """Give the id of a project that :func:`word_of` named; it need not exist. ``None`` if it names none."""
    if word == _FIRST_WORD:
        return ""
    return word if is_project(word) else None


def project_home(root: Path, project: str) -> Path:
    """Give the folder of a project's library: each is a library of its own; ``""`` is the server's first.

    Raises
    ------
    InputError
        If it is no id of a project.
    """
    if not project:
        return root
    if not is_project(project):
        raise InputError("There is no such project.")
    return projects_folder(root) / project


def project_of(home: Path) -> str:
    """Give the id of the project whose library lies in a folder; ``""`` for the server's first."""
    return home.name if home.parent.name == _PROJECTS and is_project(home.name) else ""


def root_of(home: Path) -> Path:
    """Give the folder of the server's first library, from that of any project."""
    return home.parents[1] if project_of(home) else home


def all_homes(root: Path) -> list[Path]:
    """List the libraries of a server: its first, and those of its projects."""
    marked = (mark.parent for mark in projects_folder(root).glob(f"*/{MARK}"))
    return [root, *sorted(folder for folder in marked if is_project(folder.name))]
