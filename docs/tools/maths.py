"""Formulas of the pages as MathML, which browsers draw by themselves: no script, and nothing fetched."""

from typing import Any

from latex2mathml.converter import convert


def formula(source: str, *_: Any, **__: Any) -> str:
    """Turn the LaTeX of a ``math`` block into MathML, as pymdownx.superfences asks for."""
    return f'<div class="math">{convert(source, display="block")}</div>'
