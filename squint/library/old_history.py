"""The history of cell sets as earlier versions of squint kept it: ``head.json``, and a file per version."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from squint.library.taking_over import left_lying

_DIGITS = 8  # of a version's number, in the name of its file


class Old(NamedTuple):
    """A history in files."""

    versions: dict[int, tuple[str, Any]]  # number -> what was changed, in words, and everything after it
    at: int  # number of the version that counts
    saved: float  # seconds since 1970
    files: list[Path]  # all that were read


def read_old(folder: Path) -> Old:
    """Read what can be read; where the head says nothing, the last version counts."""
    head, files = folder / "head.json", [folder / "lock"]
    versions: dict[int, tuple[str, Any]] = {}
    for path in sorted(folder.glob(f"{'[0-9]' * _DIGITS}.json")):
        try:
            found = json.loads(path.read_bytes())
            what = "".join(c if c.isprintable() else " " for c in str(found["what"]))
            versions[int(path.stem)] = what, found["content"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            left_lying(path, error)
        else:
            files.append(path)
    at, saved = max(versions, default=0), 0.0
    try:
        found = json.loads(head.read_bytes())
        numbers = [int(number) for number in found["versions"]]
        chosen = numbers[int(found["at"])]
        if not 0 < chosen < 10**_DIGITS:
            raise ValueError("no version has this number")  # noqa: TRY301
        at, saved = chosen, head.stat().st_mtime
    except FileNotFoundError:
        pass
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        left_lying(head, error)
    else:
        versions = {number: versions[number] for number in numbers if number in versions}
        files.append(head)
    return Old(versions, at, saved, files)
