"""Who uses a server."""

from dataclasses import dataclass

VIEWER, ANALYST, ADMIN = "viewer", "analyst", "admin"


@dataclass(frozen=True)
class Person:
    """Somebody who uses a server."""

    id: int  # 0 where nobody has to sign in
    name: str  # to be shown to colleagues, and written to no log
    role: str  # VIEWER, ANALYST or ADMIN


LOCAL = Person(0, "whoever uses this machine", ADMIN)
