"""Views of pages that links restore: what a reader had set, kept under a key that nobody can guess.

A view is JSON in ``views/KEY.json``. The key is a keyed hash of what it holds, with the library's own mark as
its secret: the same view has the same key, an address says nothing of patients, and a file that was changed
is not taken.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squint.errors import DAMAGED, InputError
from squint.files import telling_if_full, write_bytes
from squint.library.folders import Folders
from squint.library.identity import FILE

FOLDER = "views"
MOST_BYTES = 1 << 18  # of a view: a map's settings have a few kB
_AT_MOST = 10_000  # views; then the oldest go
_DIGITS = 32
GONE = "This link leads to no view of this library any more. Ask whoever sent it for a new one."


def keep(library: Folders, view: Mapping[str, Any]) -> str:
    """Keep a view; return its key.

    Raises
    ------
    InputError
        If it is too large, or the disk refuses.
    """
    content = json.dumps(view, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    if len(content) > MOST_BYTES:
        raise InputError("This view has too many settings for a link. Leave out some.")
    key = _key(library, content)
    folder = library.home / FOLDER
    with telling_if_full():
        folder.mkdir(exist_ok=True)
        write_bytes(folder / f"{key}.json", content)  # anew too: one that is asked for is no old one
    _sweep(folder)
    return key


def find(library: Folders, key: str) -> dict[str, Any]:
    """Give a view by its key.

    Raises
    ------
    InputError
        If there is none, or it is not as it was kept.
    """
    if len(key) != _DIGITS or set(key) - set("0123456789abcdef"):
        raise InputError(GONE)
    try:
        content = (library.home / FOLDER / f"{key}.json").read_bytes()
        view = json.loads(content)
    except (*DAMAGED, RecursionError) as error:
        raise InputError(GONE) from error
    if not isinstance(view, dict) or not hmac.compare_digest(_key(library, content), key):
        raise InputError(GONE)
    return view


def _key(library: Folders, content: bytes) -> str:
    secret = (library.home / FILE).read_bytes()
    return hmac.new(secret, content, hashlib.sha256).hexdigest()[:_DIGITS]


def _sweep(folder: Path) -> None:
    kept = list(folder.glob("*.json"))
    if len(kept) > _AT_MOST:
        for path in sorted(kept, key=lambda one: one.stat().st_mtime)[: len(kept) - _AT_MOST]:
            path.unlink(missing_ok=True)
