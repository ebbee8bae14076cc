"""JSON from files that strangers made."""

import json
from typing import Any

from squint.errors import InputError

MAX_DIGITS = 30  # of a whole number; one of 309 is no float any more, and one of 4,301 is no int to Python
_BROKEN = "Write or export it again."


def parse_json(content: bytes, name: str, advice: str = _BROKEN) -> Any:
    """Read JSON in UTF-8, with a byte-order mark at its start or without.

    Parameters
    ----------
    content
        Of the file.
    name
        Its name, for the message.
    advice
        What to do where it is broken.

    Returns
    -------
    What it holds. Numbers may be NaN or infinite: whoever takes them has to look.

    Raises
    ------
    InputError
        If it is no JSON, or holds a whole number of more than ``MAX_DIGITS`` digits.
    """

    def whole(digits: str) -> int:
        if len(digits.lstrip("-")) > MAX_DIGITS:
            raise InputError(f"{name} holds a whole number of {len(digits.lstrip('-')):,} digits. {advice}")
        return int(digits)

    try:
        return json.loads(content.decode("utf-8-sig"), parse_int=whole)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no JSON: it is not text in UTF-8. {advice}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is no JSON: {error.msg} in line {error.lineno}. {advice}") from error
    except RecursionError as error:
        raise InputError(f"{name} is no JSON that is read here: it is nested too deeply. {advice}") from error
