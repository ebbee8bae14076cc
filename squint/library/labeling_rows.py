"""Rows of labelings: read while they are held, refused where they are damaged or were changed meanwhile."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library.keeping import now
from squint.library.records import Labeling as Row
from squint.library.records import LabelingVersion
from squint.sensitive import flag_text
from squint.stats.labelings import Labeling, is_no_type

GONE = "This labeling is no longer in the library. Load the page again."
CHANGED = "Somebody changed these names meanwhile. Load the page again."


def row_of(session: Session, section_id: str, labeling: str) -> Row | None:
    """Read the row of a labeling, and hold it until the end of the session."""
    return session.get(Row, (section_id, labeling), with_for_update=True)


def sound(row: Row | None) -> Row:
    """Give a row that is there and not damaged.

    Raises
    ------
    InputError
        If it is not.
    """
    if row is None:
        raise InputError(GONE)
    if not row.intact or row.damage:
        raise InputError("This labeling is damaged. Delete it, and name the cells again.")
    return row


def versions_of(session: Session, row: Row) -> Sequence[LabelingVersion]:
    """Read the versions of a labeling, in the order in which they were made."""
    of_it = sa.select(LabelingVersion).where(
        LabelingVersion.section_id == row.section_id, LabelingVersion.labeling_id == row.id
    )
    return session.scalars(of_it.order_by(LabelingVersion.number)).all()


def new_version(
    key: str, section_id: str, number: int, what: str, sha256: str, names: Labeling, n_changes: int
) -> LabelingVersion:
    """Note a version of a labeling; what is unknown is no type, and gives no cell a name."""
    sizes = {name: n for name, n in names.sizes().items() if not is_no_type(name)}
    return LabelingVersion(
        labeling_id=key,
        number=number,
        section_id=section_id,
        what=what,
        sha256=sha256,
        n_types=len(sizes),
        n_named=sum(sizes.values()),
        n_changes=n_changes,
        made=now(),
    )


def check_words(names: Labeling) -> None:
    """Refuse names that tell of a person.

    Raises
    ------
    InputError
        If one holds a date, or a long number.
    """
    if why := flag_text(names.names):
        raise InputError(f"One of the names {why}. Choose another column, or another name.")
