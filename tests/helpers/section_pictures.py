"""A picture of tissue that survives WebP, and a listener to progress."""

import numpy as np
from PIL import Image

from squint.images import TILE
from squint.library.images import FROM_FILE, Images, SectionImage
from squint.library.store import Library

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


def keep_picture(
    library: Library, section_id: str, image_id: str = "ab", size: int = TILE + 88
) -> SectionImage:
    """Keep a square picture of noise in a library, in tiles of two levels, without reading a file."""
    images, tiles = Images(library), library.workspace()
    pixels = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    for level, shown in enumerate((pixels, pixels[::2, ::2])):
        (tiles / str(level)).mkdir()
        for row in range(-(-len(shown) // TILE)):
            for column in range(-(-len(shown) // TILE)):
                part = shown[row * TILE :, column * TILE :][:TILE, :TILE]
                Image.fromarray(part).save(tiles / str(level) / f"{column}_{row}.webp", "webp", quality=1)
    image = SectionImage(
        id=image_id,
        name=f"he_{image_id}",
        width=size,
        height=size,
        levels=2,
        grey=False,
        channel="",
        format="webp",
        affine=(0.5, 0.0, 1.0, 0.0, 0.5, 2.0),
        placed=FROM_FILE,
        um_per_pixel=(0.5, 0.5),
        sha256="0" * 64,
        added="2026-11-27T00:00:00+00:00",
        notes=("a note",),
        landmarks=((1.0, 2.0, 3.0, 4.0),),
        rmse=0.1,
    )
    return images.keep(section_id, image, tiles)


def tiles_of(library: Library, section_id: str, image: SectionImage) -> list[bytes | None]:
    """Give all tiles of a picture."""
    return [
        Images(library).tile(section_id, image.id, level, column, row)
        for level, (width, height) in enumerate(image.sizes)
        for row in range(-(-height // TILE))
        for column in range(-(-width // TILE))
    ]
