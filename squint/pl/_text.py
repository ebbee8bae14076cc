"""Labels from files, made safe to show."""

import html
import unicodedata
from collections.abc import Iterable

_LONGEST = 40


def plain(label: object) -> str:
    """Make a label one short line without control or direction characters.

    Parameters
    ----------
    label
        From a file or a user.

    Returns
    -------
    At most 40 characters.
    """
    kept = "".join(c for c in str(label)[:1_000] if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    kept = " ".join(kept.split())
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"


def escape(label: object) -> str:
    """Make a label text for plotly, which would read it as HTML.

    Parameters
    ----------
    label
        From a file or a user.

    Returns
    -------
    What :func:`plain` makes of it, with ``<``, ``>`` and ``&`` as entities.
    """
    return html.escape(plain(label), quote=False)


def escape_all(labels: Iterable[object]) -> list[str]:
    """Escape many labels, each different one once."""
    listed = list(labels)
    escaped = {label: escape(label) for label in set(listed)}
    return [escaped[label] for label in listed]
