"""Points of a SpatialData store, which are transcripts where they name a gene; and where they lie."""

from typing import Any

from squint.errors import InputError
from squint.io import ngff
from squint.io.findings import Findings
from squint.io.ngff import Matrix
from squint.io.slots import listed
from squint.io.transcript_files import POINTS, Frame, Placing
from squint.io.zarr_store import Store

QUALITY, LEAST = "qv", 20.0  # a column that 10x writes, and what its counts are of


def placing(store: Store, system: str, frame: Matrix | None, findings: Findings) -> Placing | None:
    """Say how transcripts of a store are placed.

    Parameters
    ----------
    store
        The store.
    system
        The coordinate system of the positions, or one that ``frame`` leads from.
    frame
        From that system to the positions; None: not known.
    findings
        Added to: points that nothing is read of.

    Returns
    -------
    By the description of the points alone, which are not opened; None if no points name genes.
    """
    named: dict[str, dict[str, Any]] = {}
    for name in store.children("points"):
        element = f"points/{name}"
        try:
            about = store.attributes(element)
        except InputError as error:
            findings.leave_out(f"points {name!r}", None, str(error), element)
            continue
        if _gene_of(about):
            named[name] = about
        else:
            findings.leave_out(f"points {name!r}", None, "nothing says which column names genes", element)
    if not named:
        return None
    name, about = next(iter(named.items()))
    found = _placing(f"points/{name}/{POINTS}", about, system, frame)
    if len(named) > 1:
        which = listed([repr(name) for name in named])
        found = Placing(
            found.file, why_not=f"it holds several, {which}, and does not say which are its cells'"
        )
    for name in named:
        why = "counts of cells are read; the map can draw those of chosen genes"
        if found.why_not:
            why = f"counts of cells are read, and the map does not draw them: {found.why_not}"
        findings.leave_out(f"points {name!r}", None, why, f"points/{name}")
    return found


def _gene_of(about: dict[str, Any]) -> str:
    own = about.get("spatialdata_attrs")
    gene = own.get("feature_key") if isinstance(own, dict) else None
    return gene if isinstance(gene, str) else ""


def _placing(file: str, about: dict[str, Any], system: str, frame: Matrix | None) -> Placing:
    axes = about.get("axes")
    names = [str(axis) for axis in axes] if isinstance(axes, list) else ["x", "y"]
    try:
        matrix = ngff.to_system(about.get("coordinateTransformations"), system, names)
    except InputError as error:
        return Placing(file, why_not=f"{str(error)[0].lower()}{str(error)[1:].rstrip('.')}")
    if matrix is None or frame is None:
        where = (
            f"in {system!r}, the coordinate system of the cells"
            if matrix is None and system
            else "among its cells"
        )
        return Placing(file, why_not=f"it does not state where they lie {where}")
    (a, b, x), (c, d, y) = ((float(one) for one in row) for row in (frame @ matrix)[:2])
    placed = Frame((("x", "y"),), ((a, b), (c, d)), {"": (x, y)})
    return Placing(file, _gene_of(about), (placed,), quality=QUALITY, least=LEAST)
