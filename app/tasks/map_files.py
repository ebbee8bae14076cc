"""Maps printed to files. Runs in the worker."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.maps.packed import unpack
from app.requests import DrawMap
from app.tasks.budgets import DRAWING
from squint import pl
from squint.files import write_bytes
from squint.geometry.triangles import simple_rings
from squint.io.boundaries import read_boundaries
from squint.io.limits import memory_limit
from squint.library.images import Images
from squint.library.results import Report
from squint.library.store import BOUNDARIES, Library
from squint.library.transcripts import spots


def draw_map(library: Library, asked: DrawMap, report: Report) -> str:
    """Print the map that :func:`app.maps.export.write_map` left in a folder; return the path of the file."""
    report(0.2, f"drawing the {asked.format.upper()}")
    with memory_limit(DRAWING, "Show fewer cells."):
        return str(_print(library, asked))


def _print(library: Library, asked: DrawMap) -> Path:
    folder = Path(asked.folder)
    panels, scale, seen, heights, facts = unpack(folder)
    page = pl.Page(**{**facts["page"], "metadata": asked.stamp})
    scale, look = seen.scale(scale), seen.look()
    if heights:
        orbit = seen.orbit or pl.Orbit()
        drawn = pl.print_stack(panels, scale, heights, orbit, page, look, kind=asked.format, dpi=asked.dpi)
    else:
        look = replace(
            look,
            pictures=[
                _under(library, named, window, seen.opacity)
                for named, window in zip(facts["pictures"], seen.views, strict=False)
            ],
            boundaries=[
                _shapes(library, section_id, window) if is_bounded else None
                for section_id, is_bounded, window in zip(
                    facts["sections"], seen.bounded, seen.views, strict=False
                )
            ],
            dots=[_dots(library, section_id, facts["genes"]) for section_id in facts["sections"]],
            outlines=[
                [pl.Outline(name, colour, np.array(at)) for name, colour, at in o] for o in facts["outlines"]
            ],
        )
        drawn = pl.print_map(panels, scale, seen.views, page, look, kind=asked.format, dpi=asked.dpi)
    path = folder / f"figure.{asked.format}"
    write_bytes(path, drawn)
    return path


def _under(
    library: Library, named: tuple[str, str] | None, window: pl.View, opacity: float
) -> pl.Picture | None:
    """Draw what is seen of the picture under a panel."""
    if named is None:
        return None
    region = Images(library).region(*named, window)
    return pl.Picture(region.pixels, region.affine, opacity)


def _shapes(library: Library, section_id: str, window: pl.View) -> pl.Shapes:
    """Give the outlines of the cells that a window may show."""
    rings = read_boundaries(library.path(section_id, BOUNDARIES))
    place = rings.corners[rings.offsets[:-1]] + np.array(rings.origin)
    reach = np.hypot(window.width, window.height)  # half of it, and as much again for large cells
    kept = rings.cells[np.hypot(*(place - [window.x, window.y]).T) <= reach]
    near = rings.of(kept)
    offsets, corners = simple_rings(near.offsets, near.corners.astype(np.float64) + near.origin)
    return pl.Shapes(kept, offsets, corners)


def _dots(library: Library, section_id: str, genes: Mapping[str, str]) -> list[pl.Dots]:
    """Give the transcripts of some genes."""
    found = [(spots(library, section_id, gene), colour) for gene, colour in genes.items()]
    return [pl.Dots(one.gene, colour, one.places.astype(np.float64), one.n) for one, colour in found if one]
