"""How the transcripts of a CosMx run come to lie at its cells."""

import pandas as pd

from squint.io import cosmx_places
from squint.io.cosmx_files import TRANSCRIPTS, Export
from squint.io.cosmx_ids import FOV
from squint.io.cosmx_places import NAMES, Places
from squint.io.transcript_files import Frame, Placing

GENE = "target"
NOT_SHOWN = (
    "its cells lie in millimetres of the slide, and nothing shows what these are in pixels of the fields: "
    "export the table of cells with CenterX_local_px and CenterY_local_px"
)


def placing(export: Export, cells: pd.DataFrame, places: Places) -> Placing:
    """Say how transcripts are placed, by how the cells were.

    Parameters
    ----------
    export
        The files. The one with transcripts need not be among them: it is not unpacked from a zip before it is
        asked for.
    cells
        The table of cells.
    places
        Their positions.

    Returns
    -------
    Pixels of the slide, where cells were read in these; pixels of fields, where it is known how fields lie.
    """
    there = export.files.get(TRANSCRIPTS)
    file = there[0].name if there else export.expected(TRANSCRIPTS)
    frames = []
    if places.in_pixels and cosmx_places.columns_of(cells, "px") is not None:
        frames.append(Frame(NAMES["px"], ((1.0, 0.0), (0.0, places.y_sign)), {"": (0.0, 0.0)}))
    if places.fields is not None:
        x, y = places.fields.slope
        offsets = {
            str(field): (float(right), float(down))
            for field, (right, down) in zip(places.fields.names, places.fields.offsets, strict=True)
        }
        frames.append(Frame(NAMES["local"], ((x, 0.0), (0.0, y)), offsets))
    return Placing(file, GENE, tuple(frames), FOV, why_not="" if frames else NOT_SHOWN)
