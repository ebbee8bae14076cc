"""Colour scales as tables of 256 colours: the same ones on screen and in print."""

from functools import lru_cache

import numpy as np
import plotly.colors
from numpy.typing import NDArray

N_COLOURS = 256


@lru_cache(maxsize=8)
def palette(name: str) -> NDArray[np.uint8]:
    """Give the colours (256, 3) of a colour scale that plotly knows, from its low to its high end."""
    sampled = plotly.colors.sample_colorscale(name, np.linspace(0, 1, N_COLOURS), colortype="tuple")
    table: NDArray[np.uint8] = np.round(255 * np.array(sampled)).astype(np.uint8)
    return table
