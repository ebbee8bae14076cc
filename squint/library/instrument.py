"""What the instrument itself found in a section, and its file keeps."""

from squint.errors import DAMAGED, InputError
from squint.library.store import DATA, Library

CLUSTER = "cluster"  # column of cells: its own clusters, which are no cell types


def has_clusters(library: Library, section_id: str) -> bool:
    """Say whether the instrument gave clusters with a section; its counts are not read.

    Raises
    ------
    InputError
        If the section is gone or damaged.
    """
    import h5py  # noqa: PLC0415 - only where cells are named

    path = library.path(section_id, DATA)
    try:
        with h5py.File(path) as file:
            return CLUSTER in file["obs"]
    except DAMAGED as error:
        raise InputError(
            f"{path.name} in the library is damaged. Delete the section and add it again."
        ) from error
