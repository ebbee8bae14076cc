"""What Python and the browser tell each other of files and folders that are sent.

As :mod:`app.maps.contract` for the map: the scripts are checked against ``contract.d.ts``, which
:mod:`app.web.contract_js` writes from this file.
"""

from typing import TypedDict


class DropData(TypedDict):
    """What a field for one file, or one folder, is mounted with."""

    address: str  # where it goes: signed path and query
    endings: list[str]  # of files that are read, with the dot
    folders: bool  # whether folders are taken too
    hint: str  # what is read, in words
    max_files: int  # of a folder that is taken
    max_bytes: int  # size of the largest file or folder that is taken, bytes
    renewed: float | None  # when the browser asked for this address: it is told only of what changes


class Problem(TypedDict):
    """GET, or a PUT that was refused: why a file is not taken."""

    problem: str  # in words; empty if it is


class Listed(Problem):
    """POST of what a folder holds: which of it is wanted."""

    listing: str  # to be said with the files, which are sent one after the other
    unwanted: list[int]  # places of files in what was listed that are not to be sent


class Received(TypedDict):
    """PUT: what has come."""

    name: str  # harmless form of the file's, or the folder's
    bytes: int  # how many
    sha256: str  # of the content, hexadecimal


class Begun(Problem):
    """POST of what is about to be sent: how much of it came before."""

    offset: int  # bytes; what is sent begins with the next
    received: Received | None  # if all of it came before


class DropEvents(TypedDict):
    """What each event comes with."""

    done: str  # sha256 of what has come
    renew: float  # the address has expired; when that was noticed, ms since 1970
