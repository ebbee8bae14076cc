"""Pictures of tissue, looked at and added. Runs in the worker."""

from dataclasses import asdict
from typing import Any

from app.requests import AddImage, LookAtImage
from squint.library import tiling
from squint.library.results import Report
from squint.library.store import Library


def look(library: Library, asked: LookAtImage, report: Report) -> dict[str, Any]:
    """Say what a picture is, before it is added; nothing is kept."""
    del library
    addition = asked.addition
    report(0.1, "opening the picture")
    with tiling.little_memory(), addition.open() as picture:
        return {
            "width": picture.width,
            "height": picture.height,
            "rgb": picture.is_rgb,
            "channels": list(tiling.channel_names(picture)),
            "um_per_pixel": picture.um_per_pixel,
            "affine": None if picture.affine is None else picture.affine.ravel().tolist(),
            "notes": list(picture.notes),
        }


def add(library: Library, asked: AddImage, report: Report) -> dict[str, Any]:
    """Keep a picture of tissue, as tiles, with its section; return what is known of it."""
    return asdict(tiling.keep(library, asked.addition, report))
