"""PNG and JPEG, which can only be read as a whole."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from squint.errors import InputError
from squint.images._picture import ArrayLevel, Picture, check_size, reading

_GREY = {"1": "L", "L": "L", "LA": "L", "I;16": "I;16", "I;16B": "I;16", "I": "I"}


def open_plain(path: Path) -> Picture:
    """Open a PNG or JPEG, turned as a camera noted; transparent pixels become white."""
    with reading(path.name), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its size, which is checked here
        try:
            file = Image.open(path, formats=("PNG", "JPEG"))
        except Image.DecompressionBombError as error:
            raise InputError(f"{path.name} declares too many pixels. Save it as a tiled TIFF.") from error
        with file:
            check_size(path.name, *file.size, 1, whole=True)
            grey = _GREY.get(file.mode)
            turned = ImageOps.exif_transpose(file)
            if turned.mode == "LA":
                turned = _on_white(turned)
            if grey:
                pixels = np.asarray(turned.convert(grey) if turned.mode != grey else turned)[:, :, None]
                if pixels.dtype.kind == "i":
                    pixels = np.clip(pixels, 0, 65_535).astype(np.uint16)
                return Picture((ArrayLevel(pixels),), ("channel 1",), is_rgb=False)
            if turned.has_transparency_data:
                turned = _on_white(turned)
            pixels = np.asarray(turned.convert("RGB"))
    return Picture((ArrayLevel(pixels),), ("red", "green", "blue"), is_rgb=True)


def _on_white(picture: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
