"""Figures, drawn with plotly. Nothing here imports torch, scanpy or anndata."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from squint.pl._captions import orientation
from squint.pl._charts import activation_histogram, composition
from squint.pl._co_occurrence import co_occurrence
from squint.pl._expression import dot_plot
from squint.pl._frame import extent, frames_of, spacing
from squint.pl._look import Kind, Look, Outline, Page, Picture
from squint.pl._map import tissue_map
from squint.pl._neighbor_enrichment import neighbor_enrichment
from squint.pl._orbit import Orbit
from squint.pl._palette import palette
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._quality import imputation_quality
from squint.pl._spatial import most_frequent, spatial
from squint.pl._stack import alignment, stack
from squint.pl._style import DARK, LIGHT, MAX_HIGHLIGHTED, PRINT, Style
from squint.pl._tables import LEVELS, activation_table, composition_table, levels
from squint.pl._text import escape, plain
from squint.pl._token_usage import token_usage
from squint.pl._view import View
from squint.pl._violins import violins
from squint.pl._volcano import volcano

if TYPE_CHECKING:
    from squint.pl._print import print_map
    from squint.pl._print_space import print_stack

__all__ = [
    "DARK",
    "LEVELS",
    "LIGHT",
    "MAX_HIGHLIGHTED",
    "PRINT",
    "Categories",
    "Continuous",
    "Kind",
    "Look",
    "Orbit",
    "Outline",
    "Page",
    "Panel",
    "Picture",
    "Style",
    "View",
    "activation_histogram",
    "activation_table",
    "alignment",
    "co_occurrence",
    "composition",
    "composition_table",
    "dot_plot",
    "escape",
    "extent",
    "frames_of",
    "imputation_quality",
    "levels",
    "most_frequent",
    "neighbor_enrichment",
    "orientation",
    "palette",
    "plain",
    "print_map",
    "print_stack",
    "spacing",
    "spatial",
    "stack",
    "tissue_map",
    "token_usage",
    "violins",
    "volcano",
]


_PRINTED = {"print_map": "squint.pl._print", "print_stack": "squint.pl._print_space"}


def __getattr__(name: str) -> Any:
    if name not in _PRINTED:  # on first use: matplotlib takes a second
        raise AttributeError(f"module 'squint.pl' has no attribute {name!r}")
    return getattr(import_module(_PRINTED[name]), name)
