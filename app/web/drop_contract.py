"""What Python and the browser tell each other of a large file that is sent.

As :mod:`app.maps.contract` for the map: the scripts are checked against ``contract.d.ts``, which
:mod:`app.web.contract_js` writes from this file.
"""

from typing import TypedDict


class DropData(TypedDict):
    """What a field for one file is mounted with."""

    address: str  # where the file goes: signed path and query
    endings: list[str]  # of files that are read, with the dot
    max_bytes: int  # size of the largest file that is taken, bytes
    renewed: float | None  # when the browser asked for this address: it is told only of what changes


class Problem(TypedDict):
    """GET, or a PUT that was refused: why a file is not taken."""

    problem: str  # in words; empty if it is


class Received(TypedDict):
    """PUT: what has come."""

    name: str  # harmless form of the file's
    bytes: int  # how many
    sha256: str  # of the content, hexadecimal


class DropEvents(TypedDict):
    """What each event comes with."""

    done: str  # sha256 of the file that has come
    renew: float  # the address has expired; when that was noticed, ms since 1970
