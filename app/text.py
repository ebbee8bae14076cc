"""Labels from files, as text in Markdown."""

import re

from squint.pl import plain

# Markdown makes links of bare addresses after it has undone all backslashes. A word joiner, which nobody
# sees, parts what it looks for: `http://`, `www.` and `@`.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


def sentence(text: str) -> str:
    """Return a sentence of any length so that Markdown shows it letter by letter."""
    return " ".join(as_text(word) for word in text.split())


def as_text(label: object) -> str:
    """Return a label so that Markdown shows it letter by letter."""
    text = _ADDRESS.sub(_JOINER, plain(label))
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$:<>~&])", r"\\\1", text)
