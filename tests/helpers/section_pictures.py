"""A picture of tissue that survives WebP, and a listener to progress."""

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1_400, 1_100


def report(fraction: float, words: str) -> None:
    assert 0 <= fraction <= 1
    assert words


def smooth(n_channels: int = 3) -> np.ndarray:
    """Draw what survives WebP nearly as it is."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 215, (12, 15, n_channels), dtype=np.uint8)
    layers = [
        Image.fromarray(small[:, :, k]).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        for k in range(n_channels)
    ]
    return np.stack([np.asarray(layer) for layer in layers], axis=-1)
