"""The import folder of a library, whose files and folders can be added without an upload."""

from collections.abc import Sequence
from pathlib import Path

from squint.library.store import Library

IMPORT = "import"


def import_folder(library: Library) -> Path:
    """Return the folder whose files can be added without an upload; it need not exist."""
    return library.home / IMPORT


def importable(library: Library, endings: Sequence[str], *, folders: bool = False) -> list[str]:
    """Name what the import folder holds with one of some endings, and its folders; links are left out."""
    folder = import_folder(library)
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if not path.is_symlink()
        and not path.name.startswith(".")
        and (path.suffix.lower() in endings or (folders and path.is_dir()))
    )
