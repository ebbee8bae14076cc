"""What the second worker can do: files to download, without waiting for the model and without torch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.engine.client import Report
from app.exports import drawing
from app.maps import export


def start(model: Path) -> dict[str, Any]:
    """Start without the model."""
    del model
    return {}


def draw(args: Mapping[str, Any], report: Report) -> str:
    """Draw a figure to a file; return its path."""
    report(0.2, f"drawing the {args['format'].upper()}")
    return str(drawing.draw(Path(args["folder"]), args["format"], args["stamp"], dpi=args["dpi"]))


def write_csv(args: Mapping[str, Any], report: Report) -> str:
    """Write all rows of a table as CSV; return its path."""
    report(0.2, "writing all rows")
    return str(drawing.write_csv(Path(args["folder"]), args["stamp"]))


def draw_map(args: Mapping[str, Any], report: Report) -> str:
    """Draw a map to a file; return its path."""
    report(0.2, f"drawing the {args['format'].upper()}")
    return str(export.draw_map(Path(args["folder"]), args["format"], args["stamp"], args["dpi"]))


TASKS: Mapping[str, Callable[[Mapping[str, Any], Report], Any]] = {
    "draw": draw,
    "draw_map": draw_map,
    "write_csv": write_csv,
}
