"""Labels from files, as text in Markdown."""

import re

from squint.pl import plain


def sentence(text: str) -> str:
    """Return a sentence of any length so that Markdown shows it letter by letter."""
    return " ".join(as_text(word) for word in text.split())


def as_text(label: object) -> str:
    """Return a label so that Markdown shows it letter by letter."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$:<>~&])", r"\\\1", plain(label))
