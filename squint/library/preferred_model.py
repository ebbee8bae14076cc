"""Which model was chosen last, so that the next who opens the library begins with it."""

from squint.library.access import changing
from squint.library.records import RememberedAnswers
from squint.library.store import Library

_KIND = "model"  # no source is of this kind


def preferred(library: Library) -> str:
    """Give the hash of the weights of the model that was chosen last; empty if none was."""
    with library.database.reading() as session:
        row = session.get(RememberedAnswers, _KIND)
    return str(row.given.get("sha256", "")) if row is not None and row.intact else ""


@changing
def prefer(library: Library, sha256: str) -> None:
    """Keep which model was chosen."""
    if preferred(library) != sha256:
        with library.database.writing() as session:
            session.merge(RememberedAnswers(kind=_KIND, given={"sha256": sha256}))
