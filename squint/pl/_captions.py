"""What is written at a panel, on screen and in print."""

from squint.pl._panel import Panel
from squint.pl._text import plain
from squint.pl._view import View


def count(*panels: Panel) -> str:
    """Say how many cells panels have, how many lack a value, and how many values are predictions."""
    n_cells = sum(len(panel.coordinates) for panel in panels)
    n_missing = sum(int(panel.missing.sum()) for panel in panels)
    n_predicted = sum(int(panel.predicted.sum()) for panel in panels)
    name = panels[0].missing_name
    without = "without a value" if name == "no value" else plain(name)
    return (
        f"{n_cells:,} {'cell' if n_cells == 1 else 'cells'}"
        + (f", {n_missing:,} {without}" if n_missing else "")
        + (f", {n_predicted:,} in-painted" if n_predicted else "")
    )


def length(panel: Panel, span: float) -> str:
    """Name the length of a scale bar, or say that there is none."""
    if panel.unit == "unknown":
        return "units unknown"
    return f"{span:g} µm"


def orientation(view: View) -> str:
    """Say how a section is mirrored and turned.

    Parameters
    ----------
    view
        What is seen of it.

    Returns
    -------
    Words for a caption, none if it lies as it was read.
    """
    degrees = round(view.rotation % 360, 1) % 360
    turned = f"turned {degrees:g}° clockwise" if degrees else ""
    return ", ".join(filter(None, ["mirrored" if view.flipped else "", turned]))
