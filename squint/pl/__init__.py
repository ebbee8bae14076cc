"""Figures, drawn with plotly. Nothing here imports torch, scanpy or anndata."""

from squint.pl._charts import activation_histogram, composition
from squint.pl._frame import extent, spacing
from squint.pl._map import tissue_map
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._spatial import most_frequent, spatial
from squint.pl._style import DARK, LIGHT, MAX_HIGHLIGHTED, PRINT, Style
from squint.pl._tables import LEVELS, activation_table, composition_table, levels
from squint.pl._text import escape, plain

__all__ = [
    "DARK",
    "LEVELS",
    "LIGHT",
    "MAX_HIGHLIGHTED",
    "PRINT",
    "Categories",
    "Continuous",
    "Panel",
    "Style",
    "activation_histogram",
    "activation_table",
    "composition",
    "composition_table",
    "escape",
    "extent",
    "levels",
    "most_frequent",
    "plain",
    "spacing",
    "spatial",
    "tissue_map",
]
