"""Output folders of Space Ranger: Visium's spots, and the bins and segmented cells of Visium HD."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError
from squint.io import packed, tenx
from squint.io.boundaries import Boundaries, from_rings
from squint.io.content import Asked, Content, Placed, Reader
from squint.io.findings import Findings, choose
from squint.io.forms import existing, first_sound
from squint.io.hdf5 import memory_budget

BINS, CELLS = "binned_outputs", "segmented_outputs"
SQUARE = re.compile(r"square_(\d{3}um)")
SPATIAL = "spatial"
POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv")
COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
SCALES = "scalefactors_json.json"
MATRICES = ("filtered_feature_bc_matrix", "filtered_feature_cell_matrix", "raw_feature_bc_matrix")
OUTLINES = "cell_segmentations.geojson"
PICTURES = {
    "tissue_hires_image.png": "tissue_hires_scalef",
    "tissue_lowres_image.png": "tissue_lowres_scalef",
}
PITCH_UM = 100  # between the centres of Visium's spots, by the design of its slide
FEW = 0.05  # share of barcodes that may lack a position
JSON_BYTES = 30  # that a byte of JSON takes at most while it is parsed


def reads(path: Path) -> bool:
    """Say whether a folder is of Space Ranger: it has its ``spatial`` folder, bins, or segmented cells."""
    if not path.is_dir():
        return False
    if (path / BINS).is_dir() or (path / CELLS).is_dir():
        return True
    spatial = path / SPATIAL
    return spatial.is_dir() and bool(existing(spatial, *POSITIONS, SCALES, *PICTURES))


def read(path: Path, asked: Asked) -> Content:
    """Read counts, positions and pictures of spots, or of the bins or cells that the user chooses.

    Parameters
    ----------
    path
        ``outs`` of Space Ranger 1 to 4, or one of its ``square_...um`` folders.
    asked
        With ``bin``, where a folder of Visium HD holds several sizes: ``"008um"`` or ``"cells"``.

    Returns
    -------
    The content. Positions are pixels of the full-resolution picture.

    Raises
    ------
    InputError
        If counts or positions are missing, damaged, or contradict each other.
    AskedError
        If it is not said which bins are meant.
    """
    found = _choices(path)
    if not found:
        return _read_folder(path, Findings(), "Visium HD" if SQUARE.fullmatch(path.name) else "Visium")
    choice = choose("bin", asked.answers.bin, "Which size of bins?", list(found), path.name)
    findings = Findings()
    for other in found:
        if other != choice:
            findings.leave_out(f"bins {other}", None, f"{choice} was chosen", found[other].name)
    if choice == "cells":
        return _read_cells(found[choice], findings)
    return _read_folder(found[choice], findings, "Visium HD")


def _choices(path: Path) -> dict[str, Path]:
    """Find what a folder of Visium HD offers, by name."""
    bins = path / BINS
    squares = sorted(bins.iterdir()) if bins.is_dir() else []
    found = {match[1]: folder for folder in squares if (match := SQUARE.fullmatch(folder.name))}
    if (path / CELLS).is_dir():
        found["cells"] = path / CELLS
    return found


def _read_folder(folder: Path, findings: Findings, assay: str) -> Content:
    matrix, source = _read_matrix(folder, findings)
    tables = existing(folder / SPATIAL, *POSITIONS)
    if not tables:
        others = ", ".join(POSITIONS[1:])
        raise InputError(f"{POSITIONS[0]} is missing, the positions of spots (or {others}).")
    table, file = first_sound(tables, _read_positions, findings)
    rows = pd.Index(table["barcode"]).get_indexer(pd.Index(matrix.barcodes))
    placed = _placed(rows, len(table), source.name, file.name, findings)
    counts, spots = matrix.counts[placed], pd.Index(matrix.barcodes[placed])
    if len(table) > len(placed):
        findings.leave_out("positions", len(table) - len(placed), "they have no counts", file.name)
    table = table.iloc[rows[placed]].reset_index(drop=True)
    positions = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(np.float64)
    obs = table[["in_tissue", "array_row", "array_col"]].set_axis(spots)
    scales = _read_scales(folder / SPATIAL / SCALES, findings)
    um = _number(scales, "microns_per_pixel")
    if um is not None:
        findings.find("micrometres per pixel", None, SCALES, f"{um:.6g}")
    return Content(
        counts,
        obs,
        matrix.var,
        {keys.SPATIAL: positions},
        um_per_unit=um,
        unit_hint=_hint(obs, positions) if assay == "Visium" else "",
        assay=assay,
        findings=findings,
        pictures=_pictures(folder / SPATIAL, scales, findings),
    )


def _read_cells(folder: Path, findings: Findings) -> Content:
    """Read the cells that Space Ranger 4 outlines in the picture of Visium HD."""
    matrix, source = _read_matrix(folder, findings)
    outlines = _read_outlines(folder / OUTLINES, findings)
    barcodes = pd.Index(matrix.barcodes)
    numbers = barcodes.to_series().str.extract(r"(\d+)(?:-\d+)?$")[0]
    if numbers.isna().any():
        raise InputError(f"{source.name}: cells are not named as Space Ranger names them ({barcodes[0]!r}).")
    known = pd.Index([number for number, _ in outlines])
    rows = known.get_indexer(pd.Index(numbers.astype(np.int64)))
    placed = _placed(rows, len(known), source.name, OUTLINES, findings)
    rings = [outlines[row][1] for row in rows[placed]]
    sizes = np.array([len(ring) for ring in rings])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    corners = np.concatenate(rings)
    scales = _read_scales(folder / SPATIAL / SCALES, findings)
    return Content(
        matrix.counts[placed],
        pd.DataFrame(index=barcodes[placed]),
        matrix.var,
        {keys.SPATIAL: np.stack([_centre(ring) for ring in rings])},
        um_per_unit=_number(scales, "microns_per_pixel"),
        assay="Visium HD",
        findings=findings,
        boundaries=_outlined(offsets, corners),
        pictures=_pictures(folder / SPATIAL, scales, findings),
    )


def _outlined(offsets: NDArray[np.int64], corners: NDArray[np.float64]) -> Boundaries:
    return from_rings(np.arange(len(offsets) - 1), offsets, corners)


def _centre(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the centre of area (2,) of a ring; of a line or point the mean of its corners."""
    x, y = (ring - ring[0]).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    if not area:
        return np.asarray(ring.mean(axis=0))
    middle = [((c + np.roll(c, -1)) * cross).sum() / (6 * area) for c in (x, y)]
    return np.asarray(middle + ring[0])


def _read_matrix(folder: Path, findings: Findings) -> tuple[tenx.Matrix, Path]:
    for stem in MATRICES:
        found = tenx.sources(folder, stem) or sorted(folder.glob(f"*_{stem}.h5"))
        if len(found) > 1 and all(path.name.endswith(f"_{stem}.h5") for path in found):
            names = ", ".join(path.name for path in found)
            raise InputError(
                f"{folder.name} holds the matrices of several runs ({names}). "
                "Give each a folder of its own, with its `spatial`."
            )
        if found:
            matrix, source = tenx.read_first(found, findings)
            findings.find("spots", matrix.counts.shape[0], source.name)
            findings.find("features", matrix.counts.shape[1], source.name)
            return matrix, source
    raise InputError(
        f"{folder.name}: filtered_feature_bc_matrix.h5 (or its folder) is missing: there are positions but "
        "no counts. Copy it from the output of Space Ranger."
    )


def _read_positions(path: Path) -> pd.DataFrame:
    """Read the table of positions, whose columns have no names in Space Ranger 1."""
    import pyarrow as pa  # noqa: PLC0415 - only where a source is read
    import pyarrow.csv  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    packed.check_file(path)
    try:
        if path.suffix.lower() == ".parquet":
            picked = _picked(pq.read_schema(path).names, path.name)
            table = pq.read_table(path, columns=picked)
        else:
            with packed.opened(path) as stream:
                text = stream.read()
            has_names = b"barcode" in text.partition(b"\n")[0].lower()
            table = pyarrow.csv.read_csv(
                pa.BufferReader(text),
                pyarrow.csv.ReadOptions(column_names=None if has_names else list(COLUMNS)),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={"barcode": pa.string(), "Barcode": pa.string()}
                ),
            )
            picked = _picked(table.column_names, path.name)
        named = table.select(picked).rename_columns(list(COLUMNS))
        frame: pd.DataFrame = named.to_pandas(ignore_metadata=True)  # pandas' index is a column like others
        for name in COLUMNS[1:]:
            frame[name] = pd.to_numeric(frame[name])
    except InputError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise packed.damaged(path.name) from error
    frame["barcode"] = frame["barcode"].astype(str)
    if frame["barcode"].duplicated().any():
        raise InputError(f"{path.name} has two positions for one barcode. Copy it again.")
    if not np.isfinite(frame[list(COLUMNS[4:])].to_numpy(np.float64)).all():
        raise InputError(f"{path.name} lacks positions of some barcodes. Copy it again.")
    return frame


def _picked(names: Sequence[str], file: str) -> list[str]:
    """Find the columns, whose names R or a spreadsheet may have written in letters of another case."""
    by_name = {name.strip().lower(): name for name in names}
    if missing := [name for name in COLUMNS if name not in by_name]:
        raise InputError(
            f"{file} has no column {', '.join(missing)}; it has {', '.join(names[:20])}. Write it as Space "
            "Ranger does, with commas."
        )
    return [by_name[name] for name in COLUMNS]


def _placed(
    rows: NDArray[np.integer], n_known: int, matrix: str, positions: str, findings: Findings
) -> NDArray[np.int64]:
    """Give the barcodes that have a position; a few without are left out, many are of another run."""
    placed = np.flatnonzero(rows >= 0)
    n_missing = len(rows) - len(placed)
    if n_missing > FEW * len(rows):
        raise InputError(
            f"{matrix} has {len(rows):,} barcodes, of which {n_missing:,} are not among the {n_known:,} of "
            f"{positions}: they are of different runs."
        )
    if n_missing:
        findings.leave_out("barcodes", n_missing, f"they have no position in {positions}", matrix)
    return placed


def _read_json(path: Path) -> Any:
    packed.check_file(path)
    if path.stat().st_size * JSON_BYTES > memory_budget():
        raise InputError(f"{path.name} is too large to be read in the memory here.")
    with packed.opened(path, memory_budget() // JSON_BYTES) as stream:
        content = stream.read()
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise packed.damaged(path.name) from error


def _read_scales(path: Path, findings: Findings) -> dict[str, Any]:
    """Read the scales, or say that there are none."""
    if not path.exists():
        findings.note(f"{path.name} is missing: the scale of the positions and pictures is not stated.")
        return {}
    try:
        found = _read_json(path)
        if not isinstance(found, dict):
            raise packed.damaged(path.name)
    except InputError as error:
        findings.leave_out("scales", None, str(error), path.name)
        return {}
    return found


def _number(scales: dict[str, Any], key: str) -> float | None:
    value = scales.get(key)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if usable and value is not None else None


def _hint(obs: pd.DataFrame, positions: NDArray[np.float64]) -> str:
    """Say what a pixel has if spots lie as on Visium's slide: a row's two columns and 100 um apart."""
    if len(obs) < 4:  # a plane through fewer fits anything
        return ""
    grid = np.column_stack([obs[["array_row", "array_col"]].to_numpy(np.float64), np.ones(len(obs))])
    fit, *_ = np.linalg.lstsq(grid, positions, rcond=None)
    pitch = 2 * float(np.linalg.norm(fit[1]))
    if not pitch or np.abs(grid @ fit - positions).max() > pitch / 2:
        return ""
    return (
        f"Spots of Visium lie {PITCH_UM} um apart on its slide, and here {pitch:.4g} pixels: one pixel then "
        f"has {PITCH_UM / pitch:.4g} um."
    )


def _read_outlines(path: Path, findings: Findings) -> list[tuple[int, NDArray[np.float64]]]:
    """Read the number and outer ring of each cell; of several parts the one with the most corners."""
    found = _read_json(path)
    features = found.get("features") if isinstance(found, dict) else None
    if not isinstance(features, list) or not features:
        raise InputError(f"{path.name} holds no outlines of cells. Copy it again.")
    try:
        outlines = [
            (int(feature["properties"]["cell_id"]), _ring(feature["geometry"])) for feature in features
        ]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise packed.damaged(path.name) from error
    findings.find("outlines of cells", len(outlines), path.name)
    return outlines


def _ring(geometry: dict[str, Any]) -> NDArray[np.float64]:
    corners = geometry["coordinates"]
    parts = {"Polygon": [corners], "MultiPolygon": corners}[geometry["type"]]
    ring = np.array(max((part[0] for part in parts), key=len), np.float64)
    if ring.ndim != 2 or ring.shape[1] < 2 or not np.isfinite(ring).all():
        raise ValueError
    return ring[:, :2]


def _pictures(spatial: Path, scales: dict[str, Any], findings: Findings) -> list[Placed]:
    """Place the finer picture that is there: its pixels are those of full resolution, made larger."""
    for name, key in PICTURES.items():
        path = spatial / name
        if not path.is_file() or path.is_symlink():
            continue
        if not path.stat().st_size:
            findings.leave_out("picture", None, "the file is empty", name)
            continue
        scale = _number(scales, key)
        if scale is None:
            findings.note(f"{name}: its scale is not stated, so it is not placed.")
            return [Placed(path, "tissue", None)]
        step, shift = (
            1 / scale,
            0.5 / scale - 0.5,
        )  # the corners of both pictures meet, not the pixels' centres
        return [Placed(path, "tissue", ((step, 0.0, shift), (0.0, step, shift)))]
    return []


READER = Reader("Visium or Visium HD", reads, read)
