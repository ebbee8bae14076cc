"""Pictures with a mark, and files of them to read back."""

from pathlib import Path

import numpy as np
import tifffile
import zarr

from squint.images import (
    Box,
    Picture,
)

HEIGHT, WIDTH = 700, 900
MARK = (613, 402)  # column and row of one bright pixel
OME_SIZE = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}


def planted(n_channels: int = 3, dtype: str = "uint8") -> np.ndarray:
    """Draw slopes that differ in every channel, and a mark."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    top = 255 if dtype == "uint8" else 4_000
    layers = [(columns * (k + 1) + rows * (3 - k)) % (top // 2) for k in range(n_channels)]
    picture = np.stack(layers, axis=-1).astype(dtype)
    picture[MARK[1], MARK[0]] = top
    return picture


def all_of(picture: Picture) -> np.ndarray:
    """Put a picture together from regions of odd sizes."""
    out = np.zeros(picture.shape, dtype=picture.levels[0].read(Box(0, 0, 1, 1), (0,)).dtype)
    for top in range(0, picture.height, 203):
        for left in range(0, picture.width, 311):
            box = Box(left, top, min(left + 311, picture.width), min(top + 203, picture.height))
            out[top : box.bottom, left : box.right] = picture.levels[0].read(box, range(picture.n_channels))
    return out


def write_pyramid(path: Path, pixels: np.ndarray, **options) -> None:
    """Write an OME-TIFF with two lower levels in SubIFDs."""
    with tifffile.TiffWriter(path, ome=True) as file:
        settings = {"tile": (128, 128), "photometric": "minisblack", **options}
        file.write(
            pixels,
            subifds=2,
            metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "CD45"]}, **OME_SIZE},
            **settings,
        )
        for step in (2, 4):
            file.write(pixels[:, ::step, ::step], subfiletype=1, **settings)


def axes(*names: str) -> dict:
    return {
        "name": "".join(names),
        "axes": [{"name": n, "type": "channel" if n == "c" else "space"} for n in names],
    }


def write_spatialdata(
    path: Path, version: int, transformation: dict, *, cells: dict | None = None, **options
) -> np.ndarray:
    """Write a store as SpatialData does, by its format 0.1 (zarr 2) or 0.2 (zarr 3)."""
    pixels = planted().transpose(2, 0, 1)
    root = zarr.open_group(path, mode="w", zarr_format=version)
    group = root.require_group("images").require_group("he")
    for level, step in enumerate((1, 2)):
        part = pixels[:, ::step, ::step]
        array = group.create_array(
            str(level), shape=part.shape, dtype=part.dtype, chunks=(3, 256, 256), **options
        )
        array[...] = part
    whole = {
        "input": axes("c", "y", "x"),
        "output": {**axes("c", "y", "x"), "name": "global"},
        **transformation,
    }
    about = {
        "multiscales": [
            {
                "axes": axes("c", "y", "x")["axes"],
                "datasets": [
                    {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [1, s, s]}]}
                    for i, s in enumerate((1.0, 2.0))
                ],
                "coordinateTransformations": [whole],
            }
        ],
        "omero": {"channels": [{"label": c} for c in "rgb"]},
    }
    group.attrs.update({"ome": about} if version == 3 else about)
    if cells:
        root.require_group("tables").require_group("table").attrs["region"] = ["cells"]
        shapes = root.require_group("shapes").require_group("cells")
        shapes.attrs["coordinateTransformations"] = [
            {"input": axes("x", "y"), "output": {**axes("x", "y"), "name": "global"}, **cells}
        ]
    return pixels
