"""What a model was trained on, in words that whoever trained it wrote: for its card, and for who uses it.

It comes from a small JSON file, such as those of ``data_samples/starters``::

    {
        "label": "starter",
        "data": "Xenium FFPE Human Breast Cancer, Rep1",
        "source": "https://example.org/dataset",
        "authors": "A. Author et al.",
        "licence": "CC BY 4.0",
        "trained_on": "One slide of one patient.",
        "not_trained_on": "Any other patient.",
        "limits": ["Every fifth cell only."],
    }

``label`` and ``limits`` may be left out.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from squint.errors import InputError
from squint.parsing import parse_json

MOST_BYTES = 20_000
MOST_LETTERS = 1_000  # of a text
MOST_LETTERS_IN_A_LABEL = 20
MOST_LIMITS = 10
_TEXTS = ("data", "source", "authors", "licence", "trained_on", "not_trained_on")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # nor what turns a line round
_PAGE = re.compile(r"https?://[^\s<>()\[\]\"'`]+")


@dataclass(frozen=True)
class About:
    """Whose data a model was trained on, and what it does not know."""

    data: str  # name of the data set
    source: str  # address of the page that it was published on
    authors: str
    licence: str  # of the data, not of the model
    trained_on: str
    not_trained_on: str
    label: str = ""  # one word that the model is listed with, such as ``starter``
    limits: tuple[str, ...] = ()  # sentences that its user should read first

    @property
    def json(self) -> dict[str, Any]:
        """What stands in a card, and in the file it was read from."""
        return {**asdict(self), "limits": list(self.limits)}

    @property
    def attribution(self) -> str:
        """Name the data, their authors, licence and page in one line, as CC BY asks for."""
        return f"{self.data}; {self.authors}; {self.licence}; {self.source}"


def read_about(path: Path) -> About:
    """Read what a file says of a model's training.

    Raises
    ------
    InputError
        If it cannot be read, is no JSON, or does not say all that is needed; it says what.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if size > MOST_BYTES:
        raise InputError(f"{path} has {size:,} bytes: what is said of a model takes {MOST_BYTES:,} at most.")
    try:
        return parse_about(parse_json(content, str(path)))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} does not say what a model was trained on: {error}.") from None


def parse_about(given: Any) -> About:
    """Take every text by its name.

    Raises
    ------
    TypeError, ValueError
        If one is missing, of another kind or too long, or if there is something else; it names it.
    """
    if not isinstance(given, dict):
        raise TypeError(f"about: a table, not {given!r:.40}")
    if unknown := set(given) - {*_TEXTS, "label", "limits"}:
        raise ValueError(f"about: {min(unknown)!r:.40} is not known")
    if missing := [name for name in _TEXTS if name not in given]:
        raise ValueError(f"about: {missing[0]} is missing")
    texts = {name: _text(given[name], f"about.{name}") for name in _TEXTS}
    if not _PAGE.fullmatch(texts["source"]):
        raise ValueError(f"about.source: the address of a page, https://..., not {texts['source']!r:.60}")
    limits = given.get("limits", [])
    if not isinstance(limits, list) or len(limits) > MOST_LIMITS:
        raise ValueError(f"about.limits: a list of at most {MOST_LIMITS} sentences, not {limits!r:.40}")
    label = given.get("label", "")
    return About(
        **texts,
        label=_text(label, "about.label", MOST_LETTERS_IN_A_LABEL) if label != "" else "",
        limits=tuple(_text(limit, f"about.limits[{i}]") for i, limit in enumerate(limits)),
    )


def _text(given: Any, name: str, most: int = MOST_LETTERS) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name}: a text, not {given!r:.40}")
    text = given.strip()
    if not text or len(text) > most or _NO_TEXT.search(text):
        raise ValueError(f"{name}: one line of 1 to {most:,} letters, not {given!r:.40}")
    return text
