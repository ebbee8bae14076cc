"""Text that strangers wrote, counted while it is read: a small file can unfold to many times its size."""

import json
import re
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from squint.errors import InputError

MAX_VALUES = 2_500_000  # of JSON: half a million corners, each a list of two or three numbers
MAX_LINE = 10_000  # characters
MAX_DIGITS = 30  # of a whole number; one of 309 is no float any more, and one of 4,301 is no int to Python
_BROKEN = "Write or export it again."
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f]")


def read_at_most(path: str | Path, most: int) -> bytes:
    """Read the first bytes of a file that is meant to be small.

    Parameters
    ----------
    path
        The file.
    most
        Bytes; whoever asks for one more than it takes sees whether there are more.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or 'it is no file'}.") from error


def parse_json(content: bytes, name: str, advice: str = _BROKEN, *, most: int = MAX_VALUES) -> Any:
    """Parse JSON that holds no more than some number of values.

    Parameters
    ----------
    content
        In UTF-8, with or without a byte-order mark.
    name
        Of the file, for messages.
    advice
        What to do where it cannot be parsed, as a sentence.
    most
        Values that it may hold. Empty objects take 30 times as much memory as text.

    Returns
    -------
    What it holds. Numbers may be NaN or infinite: whoever takes them has to look.

    Raises
    ------
    InputError
        If it is no JSON, holds more values, or a whole number of more than ``MAX_DIGITS`` digits.
    """

    def whole(digits: str) -> int:
        if len(digits.lstrip("-")) > MAX_DIGITS:
            raise InputError(f"{name} holds a whole number of {len(digits.lstrip('-')):,} digits. {advice}")
        return int(digits)

    check_values(content, name, most)
    try:
        return json.loads(content.decode("utf-8-sig"), parse_int=whole)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no JSON: it is not text in UTF-8. {advice}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is no JSON: {error.msg} in line {error.lineno}. {advice}") from error
    except RecursionError as error:
        raise InputError(f"{name} is no JSON that is read here: it is nested too deeply. {advice}") from error


def check_values(content: bytes, name: str, most: int) -> None:
    """Refuse JSON by its commas, colons and brackets, as :func:`parse_json` does before it parses."""
    if sum(map(content.count, (b",", b":", b"[", b"{"))) > most:
        raise InputError(f"{name} holds more than {most:,} values. Keep what you need, or simplify outlines.")


def read_lines(content: bytes, name: str, *, most: int, longest: int = MAX_LINE) -> Iterator[tuple[int, str]]:
    """Read the lines of a text one by one, so that a long one is refused before it is taken apart.

    Parameters
    ----------
    content
        In UTF-8, with or without a byte-order mark; lines end as on any system.
    name
        Of the file, for messages.
    most, longest
        Lines that it may have, and characters of one.

    Yields
    ------
    The number of each line that is not blank, from 1, and the line without its end.

    Raises
    ------
    InputError
        If it is no plain text, or has more or longer lines.
    """
    file = TextIOWrapper(BytesIO(content), encoding="utf-8-sig")
    number = 0
    while line := _next_line(file, name, longest):
        number += 1
        if len(line.rstrip("\n")) > longest:
            raise InputError(
                f"Line {number:,} of {name} is longer than {longest:,} characters. Keep what you need."
            )
        if number > most:
            raise InputError(f"{name} has more than {most:,} rows. Keep those that you need.")
        if line.strip():
            yield number, line.rstrip("\n")


def _next_line(file: TextIOWrapper, name: str, longest: int) -> str:
    try:
        line = file.readline(longest + 2)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8.") from error
    if _NO_TEXT.search(line):
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8.")
    return line
