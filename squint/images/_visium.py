"""The picture that an h5ad file of Visium carries in ``uns["spatial"]``."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.images._companions import of_scale_factor
from squint.images._picture import ArrayLevel, Picture, check_size
from squint.images._turned import on_white
from squint.io.hdf5 import open_checked

_KINDS = ("hires", "lowres")


def open_h5ad(path: Path, element: str = "") -> Picture:
    """Open the picture of an h5ad file, by the name of its library if there are several."""
    with open_checked(path, streamed=True) as (file, names):
        found = [
            (library, kind)
            for library in sorted(
                {n.split("/")[2] for n in names if n.startswith("uns/spatial/") and n.count("/") > 1}
            )
            for kind in _KINDS
            if f"uns/spatial/{library}/images/{kind}" in names
        ]
        libraries = list(dict.fromkeys(library for library, _ in found))
        if not found:
            raise InputError(
                f'{path.name} carries no picture in uns["spatial"]. Give the picture\'s own file.'
            )
        if element not in libraries and len(libraries) > 1:
            raise InputError(
                f"{path.name} carries several pictures: name one of {', '.join(libraries[:10])}."
            )
        library, kind = next(pair for pair in found if pair[0] == (element or libraries[0]))
        group = file[f"uns/spatial/{library}"]
        pixels = _pixels(group["images"][kind], path.name)
        key = f"scalefactors/tissue_{kind}_scalef"
        affine = of_scale_factor(group[key][()], path.name) if key in group else None
    return Picture((ArrayLevel(pixels),), ("red", "green", "blue"), is_rgb=True, affine=affine)


def _pixels(stored: Any, name: str) -> Any:
    if not isinstance(stored, h5py.Dataset) or stored.ndim not in {2, 3} or stored.dtype.kind not in "uf":
        raise InputError(f"{name}: its picture is no table of numbers. Give the picture's own file.")
    check_size(name, stored.shape[1], stored.shape[0], 1, whole=True)
    if stored.ndim == 3 and stored.shape[2] not in {1, 3, 4}:
        raise InputError(f"{name}: its picture has {stored.shape[2]} channels; 1, 3 or 4 are read.")
    if stored.dtype.itemsize > 4:
        raise InputError(f"{name}: its picture is stored as {stored.dtype}. Write it as uint8 or float32.")
    pixels = stored[...] if stored.ndim == 3 else stored[...][:, :, None]
    pixels = _in_8_bit(pixels)
    if pixels.shape[2] == 4:
        return on_white(pixels[:, :, :3], pixels[:, :, 3:])
    return np.broadcast_to(pixels[:, :, :1], (*pixels.shape[:2], 3)) if pixels.shape[2] == 1 else pixels


def _in_8_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype.kind == "f":
        top = 1.0 if np.nanmax(pixels, initial=0) <= 1.0 else 255.0
        return (np.nan_to_num(np.clip(pixels / top, 0, 1)) * 255).round().astype(np.uint8)
    return (pixels >> (8 * (pixels.dtype.itemsize - 1))).astype(np.uint8)
