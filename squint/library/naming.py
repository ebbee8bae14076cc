"""What sources are called in the library: harmless names, with the ending that says what they are."""

from squint.errors import InputError
from squint.library.store import harmless_name

ENDINGS = (".h5ad", ".h5", ".zip")  # of files that can be sources by themselves
STORE = ".zarr"  # of a folder
_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".mtx", ".mtx.gz", ".parquet")


def file_name(name: str) -> str:
    """Give a file a harmless name.

    Raises
    ------
    InputError
        If a file of its ending is no source by itself.
    """
    stem, ending = split_name(name)
    if ending not in ENDINGS:
        raise InputError(_refusal(name))
    return f"{harmless_name(stem)}{ending}"


def folder_name(name: str) -> str:
    """Give a folder a harmless name."""
    stem, ending = split_name(name)
    return f"{harmless_name(stem)}{ending}"


def split_name(name: str) -> tuple[str, str]:
    """Split a name before the ending that says what it is; what follows another dot belongs to the name."""
    ending = next((e for e in (*ENDINGS, STORE) if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)], ending


def _refusal(name: str) -> str:
    if name.lower().endswith(_TABLES):
        return (
            "One table by itself is no section. Choose all files that belong together at once, or give their "
            "folder or a .zip of it."
        )
    if name.lower().endswith(_ARCHIVES):
        return "Of archives only .zip can be read: unpack it, and give the folder."
    return (
        "This file cannot be read by itself: give the whole folder that it belongs to, a .zip of that, or an "
        ".h5ad or .h5 file."
    )
