"""Labels from files, as text in Markdown."""

import os
import re

from app.settings import settings
from squint.pl import plain

# Markdown makes links of bare addresses after it has undone all backslashes. A word joiner, which nobody
# sees, parts what it looks for: `http://`, `www.` and `@`.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


def sentence(text: str) -> str:
    """Return a sentence of any length so that Markdown shows it letter by letter, without folders of ours."""
    return " ".join(as_text(word) for word in without_folders(text).split())


def without_folders(text: str) -> str:
    """Return what is said of files of the library or of models without where they lie on the server."""
    known = settings()
    for folder in (known.home, known.model, known.samples):
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
    return text


def as_text(label: object) -> str:
    """Return a label so that Markdown shows it letter by letter."""
    text = _ADDRESS.sub(_JOINER, plain(label))
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|$:<>~&])", r"\\\1", text)
