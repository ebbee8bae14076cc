"""Settings that are secret: from the environment, or from a file that it names."""

import os
from pathlib import Path

from squint.errors import InputError


def secret(name: str) -> str:
    """Read the environment's ``NAME``, or else the file that ``NAME_FILE`` names; empty if neither is set.

    A file is what container engines hand secrets over by: it shows in no list of processes or settings.

    Raises
    ------
    InputError
        If both are set, or the file cannot be read.
    """
    given, path = os.environ.get(name) or "", os.environ.get(f"{name}_FILE") or ""
    if given and path:
        raise InputError(f"{name} and {name}_FILE are both set. Leave one of them out.")
    if not path:
        return given
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}_FILE names a file that cannot be read.") from error
