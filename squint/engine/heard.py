"""Whether the engine of a library gives signs of life: ``python -m squint.engine.heard``, for who watches it.

Exit status 0 if one came while it looked, else 1. By the signs alone, as clocks jump.
"""

import sys
import time

import sqlalchemy as sa

from squint.errors import InputError
from squint.library import place
from squint.library.database import database
from squint.library.records import EngineRow

_PATIENCE_S = 10.0
_LOOK_S = 0.5


def main() -> int:
    """Wait for a sign of life; return the exit status."""
    end = time.monotonic() + _PATIENCE_S
    first: object = None
    while time.monotonic() < end:
        try:
            sign = _sign()
        except InputError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        if first is not None and sign not in {None, first}:
            return 0
        first = first or sign
        time.sleep(_LOOK_S)
    sys.stderr.write("The engine was not heard of.\n")
    return 1


def _sign() -> tuple[str, float] | None:
    with database(place.home()).reading() as session:
        row = session.scalars(sa.select(EngineRow).order_by(EngineRow.seen.desc())).first()
        return None if row is None else (row.id, row.seen)


if __name__ == "__main__":
    sys.exit(main())
