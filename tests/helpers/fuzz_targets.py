"""What takes files and names of strangers: a valid one of each kind, and how the dashboard reads it."""

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import anndata
import numpy as np
import pyarrow.parquet as pq
import tifffile
import zarr
from PIL import Image

import squint.io
from app.tasks.budgets import READING
from app.uploads.arrivals import Ticket
from app.uploads.dropped_folders import list_folder
from app.uploads.parts import NOTE
from squint.errors import InputError
from squint.formats import gene_sets, patient_table, profiles, qupath, xenium_explorer
from squint.geometry import regions
from squint.images import open_image
from squint.images._picture import Box
from squint.io import Answers, archives, read_settled, transcripts
from squint.io.findings import AskedError
from squint.io.limits import memory_limit, reading_limit
from squint.io.tiff_header import read_header
from squint.library import adding, naming
from squint.library.store import Library
from squint.model import archive
from squint.model.about import read_about
from squint.model.bundle import Bundle
from squint.report.packed import read_given
from squint.report.reading import write_recipe
from squint.report.recipe import SCHEMA, GeneSet, Recipe, SectionRecord
from tests.helpers import (
    bundles,
    cosmx_folder,
    merscope_folder,
    spatialdata_store,
    visium_folder,
    xenium_folder,
)
from tests.helpers.picture_files import planted, write_pyramid
from tests.helpers.sections import small_section

MICROMETRES = Answers(unit="um")


class Target(NamedTuple):
    """Files in a folder, one of which is changed, and what is done with it."""

    write: Callable[[Path], object]  # makes the folder
    use: Callable[[Path, Path], object]  # is given the folder and the file that was changed


def _section(path: Path, answers: Answers = MICROMETRES) -> None:
    """Look at a section as the worker does, and write what was read."""
    with memory_limit(reading_limit(path)):
        adding.kind_of(path)
        squint.io.obs_columns(path)
        settled = read_settled(path, answers)
        json.dumps(asdict(squint.io.report_on(settled, path.name)))
        out = path.parent / ".out.h5ad"
        try:
            squint.io.write(settled.adata, out)
        finally:
            out.unlink(missing_ok=True)


def _whole(folder: Path, _file: Path) -> None:
    _section(folder)


def _alone(_folder: Path, file: Path) -> None:
    _section(file)


# --- sections -------------------------------------------------------------------------------------------


def _h5ad(folder: Path) -> None:
    folder.mkdir()
    small_section().write_h5ad(folder / "packed.h5ad", compression="gzip")
    dense = small_section()
    dense.X = dense.X.toarray().astype(int)
    dense.obs["cell_type"] = dense.obs["section"].astype("category")
    dense.uns["note"] = "of somebody"
    dense.write_h5ad(folder / "dense.h5ad")


def _zarr(folder: Path) -> None:
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    anndata.io.write_elem(group, "/", small_section())


def _visium(folder: Path) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (20, 6))
    visium_folder.write_visium(folder, counts, visium_folder.spots())


def _tenx(folder: Path) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (20, 6))
    visium_folder.write_visium(folder, counts, visium_folder.spots(), as_h5=False)


def _xenium(folder: Path) -> None:
    xenium_folder.write_run(folder, xenium_folder.Run(), matrix="h5")


def _xenium_zarr(folder: Path) -> None:
    xenium_folder.write_run(folder, xenium_folder.Run(), matrix="zarr", tables="csv.gz")


def _counts_table(folder: Path) -> None:
    folder.mkdir()
    counts = np.random.default_rng(0).poisson(2.0, (30, 6)).tolist()
    lines = ["cell,GENE1,GENE2,GENE3,GENE4,GENE5,GENE6"]
    lines += [f"c{i},{','.join(map(str, row))}" for i, row in enumerate(counts)]
    (folder / "counts.csv").write_text("\n".join([*lines, ""]))
    places = [
        "cell,x_um,y_um,cluster",
        *(f"c{i},{10.5 * (i % 6)},{9.5 * (i // 6)},k{i % 3}" for i in range(30)),
    ]
    (folder / "positions.csv").write_text("\n".join([*places, ""]))


def _zips(folder: Path) -> None:
    folder.mkdir()
    _counts_table(folder / "in")
    for name, how in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", how) as packing:
            for path in sorted((folder / "in").iterdir()):
                packing.write(path, f"run/{path.name}")
    for path in (folder / "in").iterdir():
        path.unlink()
    (folder / "in").rmdir()


def _unpack(folder: Path, file: Path) -> None:
    with suppress(InputError):
        archives.left_alone(file)
    with suppress(InputError):
        archives.contents(file)
    before = set(folder.parent.rglob("*"))
    try:
        path = archives.unpack(file, folder / "out", max_bytes=10_000_000)
    except InputError:
        if set(folder.parent.rglob("*")) != before:
            raise AssertionError("something stayed of an archive that was refused") from None
        raise
    if not set(folder.parent.rglob("*")) - before <= {folder / "out", *(folder / "out").rglob("*")}:
        raise AssertionError("something was written elsewhere")
    _section(path)


# --- what lies beside sections --------------------------------------------------------------------------


def _pictures(folder: Path) -> None:
    folder.mkdir()
    write_pyramid(folder / "pyramid.ome.tif", np.moveaxis(planted(2)[:200, :200], -1, 0))
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    tifffile.imwrite(folder / "packed.tif", pixels, compression="lzw", photometric="rgb")
    Image.fromarray(pixels).save(folder / "plain.png")
    Image.fromarray(pixels).save(folder / "plain.jpg")


def _look_at_picture(_folder: Path, file: Path) -> None:
    with suppress(InputError):
        read_header(file)
    with memory_limit(READING), open_image(file) as picture:
        level = picture.levels[-1]
        level.read(Box(0, 0, min(64, level.width), min(64, level.height)), range(picture.n_channels))


def _transcripts(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    genes = rng.choice(["ACTB", "CD3E", "MS4A1"], 400).tolist()
    places, quality = rng.uniform(0, 90, (400, 2)), rng.uniform(10, 40, 400)
    xenium_folder.write_transcripts(folder, "transcripts.parquet", genes, places, quality)
    table = pq.read_table(folder / "transcripts.parquet").to_pandas()
    table.to_csv(folder / "transcripts.csv", index=False)
    (folder / "transcripts.csv.gz").write_bytes(gzip.compress((folder / "transcripts.csv").read_bytes()))


def _read_transcripts(_folder: Path, file: Path) -> None:
    with memory_limit(READING):
        transcripts.read(file, ["CD3E"], ["ACTB", "CD3E", "MS4A1"], lambda *_: None)


# --- tables and texts -----------------------------------------------------------------------------------

_RING = [[0, 0], [30.5, 0], [30.5, 20], [0, 20], [0, 0]]
_GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "1",
            "geometry": {"type": kind, "coordinates": corners},
            "properties": {
                "objectType": "annotation",
                "name": "rim",
                "classification": {"name": "Tumour", "color": [200, 0, 0]},
            },
        }
        for kind, corners in (
            ("Polygon", [_RING]),
            ("MultiPolygon", [[_RING], [[[40, 40], [50, 40], [45, 50], [40, 40]]]]),
        )
    ],
}
_REGIONS = {
    "regions": [
        {"section": "left", "x0": 0, "x1": 30, "y0": 0, "y1": 10},
        {"section": "left", "polygon": [[0, 0], [30, 0], [15, 20]]},
        {"section": "left", "fraction": 0.1},
    ]
}
_RECIPE = Recipe(
    schema=SCHEMA,
    squint="0.1.0",
    made="2026-01-01 00:00:00 UTC",
    title="Two sections",
    parts=("types",),
    sections=(
        SectionRecord("P-1 S-1", "S-1", "P-1", *("a" * 64, "b" * 64, "c" * 64), 0, {"unit": "um"}, {}, "um"),
    ),
    gene_sets=(GeneSet("marked", ("LDHA",)),),
)
_TEXTS = {
    "sets.gmt": "HYPOXIA\tof somebody\tCA9\tLDHA\tVEGFA\nIMMUNE\t\tCD3E\tMS4A1\n",
    "sets.csv": "set,gene\nHypoxia,CA9\nHypoxia,LDHA\nImmune,CD3E\n",
    "sets.txt": "CA9\nLDHA\nVEGFA\n",
    "annotations.geojson": json.dumps(_GEOJSON),
    "groups.csv": "cell_id,group,color\naaaacgpa-1,B,#CB81DA\naaaagjhh-1,T,#009E73\n",
    "selection.csv": "#Selection name: Core\n#Area (µm^2): 100\nX,Y\n0.5,0\n10.5,0\n10.5,10\n0.5,10\n",
    "regions.json": json.dumps(_REGIONS),
    "patients.csv": "code,grade,stage,age,date\nA-1,3,pT3a,61,2020-01-01\nA-2,2,pT1b,55,\nB-1,NA,pT2,70,x\n",
    "profile.csv": "gene,log2fc\nCA9,1.5\nLDHA,0.25\n",
    "recipe.json": write_recipe(_RECIPE).decode(),
}


def _texts(folder: Path) -> None:
    folder.mkdir()
    for name, text in _TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")


def _read_text(_folder: Path, file: Path) -> None:
    """Read a file as every kind of file that it may be given as."""
    content = file.read_bytes()
    readings: tuple[Callable[[], object], ...] = (
        lambda: gene_sets.parse(content, file.name if file.stem == "sets" else f"{file.stem}.txt"),
        lambda: qupath.read(content, file.name, pixel_size_um=0.5),
        lambda: qupath.read(content, file.name),
        lambda: qupath.origin(content),
        lambda: xenium_explorer.read(content, file.name),
        lambda: xenium_explorer.read_groups(content, file.name),
        lambda: xenium_explorer.read_selections(content, file.name),
        lambda: regions.load(file),
        lambda: patient_table.parse(content, file.name, ("A-1", "A-2", "B-1")),
        lambda: profiles.parse(content, file.name),
        lambda: read_given(file),
    )
    with memory_limit(READING):
        with suppress(InputError):
            read_about(file)  # of a command, which calls the file as its user does
        refusals = _attempt(readings, file)
    if len(refusals) == len(readings):
        raise refusals[0]


# --- models ---------------------------------------------------------------------------------------------


def _load_model(folder: Path, _file: Path) -> None:
    try:
        Bundle.load(folder)
    except InputError as error:  # which calls the folder as whoever named it did
        raise InputError(str(error).replace(str(folder), folder.name)) from error


def _packed_models(folder: Path) -> None:
    folder.mkdir()
    bundles.save_bundle(folder / "bundle")
    archive.export(folder / "bundle", folder / "model.zip")
    for path in (folder / "bundle").iterdir():
        path.unlink()
    (folder / "bundle").rmdir()


def _unpack_model(folder: Path, file: Path) -> None:
    archive.unpack(file, folder / "out")


# --- uploads on their way -------------------------------------------------------------------------------


def _on_its_way(folder: Path) -> None:
    folder.mkdir()
    (folder / "listing").write_text("120 cells.parquet\n3000 cell_feature_matrix.h5\n12 analysis/a%20b.csv\n")
    (folder / "name").write_text("Gewebe_1.h5ad")
    note = {"name": "a.h5ad", "boot": "0" * 36, "n_bytes": 9, "sha256": ""}
    (folder / "note").write_text(json.dumps(note))
    (folder / "told").write_text("a sample of the content")


def _guard(folder: Path, file: Path) -> None:
    """Let the guard of uploads have what a browser says, or find what somebody left on its disk."""
    library = Library(folder.parent / "home")
    ticket = Ticket(library, naming.file_name, 10_000_000, naming.folder_name)
    content = file.read_bytes()
    text = content.decode("utf-8", "replace")
    expected, attempts = ticket.expect("a.h5ad", 9), list[Callable[[], object]]()
    if file.name == "listing":
        attempts = [lambda: list_folder(ticket, "run", content)]
    elif file.name == "name":
        attempts = [lambda: ticket.expect(text, 9), lambda: list_folder(ticket, text, b"12 cells.csv\n")]
        attempts += [
            lambda: _check_name(naming.file_name(text)),
            lambda: _check_name(naming.folder_name(text)),
        ]
    else:
        told = content if file.name == "told" else b"told"
        note = library.uploads / expected.key(told) / NOTE
        attempts = [lambda: ticket.begin(expected, told), ticket.forget]
        if file.name == "note":
            note.parent.mkdir(exist_ok=True)
            note.write_bytes(content)
    if refusals := _attempt(attempts, folder):
        raise refusals[0]


def _attempt(attempts: Sequence[Callable[[], object]], path: Path) -> list[InputError]:
    """Do things, each in its turn; give the refusals."""
    refusals = []
    for act in attempts:
        try:
            act()
        except InputError as error:
            _check_words(str(error), path)
            refusals.append(error)
    return refusals


def _check_name(name: str) -> None:
    if Path(name).name != name or name.startswith("."):
        raise AssertionError(f"{name!r} is no harmless name")


def _check_words(words: str, path: Path) -> None:
    """See that a refusal is one line, and says no path of this machine."""
    if "\n" in words or not words:
        raise AssertionError(f"not one line: {words!r}")
    if str(path.parent) in words:
        raise AssertionError(f"says a path of the server: {words!r}")


def outcome(target: Target, folder: Path, file: Path) -> str:
    """Use what was changed; say whether it was read, asked about or refused."""
    try:
        target.use(folder, file)
    except AskedError as error:
        _check_words(str(error), folder)
        return "asked"
    except InputError as error:
        _check_words(str(error), folder)
        return "refused"
    return "read"


TARGETS: dict[str, Target] = {
    "h5ad": Target(_h5ad, _alone),
    "AnnData zarr": Target(_zarr, _whole),
    "SpatialData": Target(spatialdata_store.store, _whole),
    "Visium": Target(_visium, _whole),
    "10x folder": Target(_tenx, _whole),
    "Xenium": Target(_xenium, _whole),
    "Xenium zarr": Target(_xenium_zarr, _whole),
    "CosMx": Target(lambda folder: cosmx_folder.write_run(cosmx_folder.Run(), folder), _whole),
    "MERSCOPE": Target(lambda folder: merscope_folder.Run().whole(folder), _whole),
    "table of counts": Target(_counts_table, _whole),
    "zip": Target(_zips, _unpack),
    "pictures": Target(_pictures, _look_at_picture),
    "transcripts": Target(_transcripts, _read_transcripts),
    "texts": Target(_texts, _read_text),
    "model": Target(bundles.save_bundle, _load_model),
    "packed model": Target(_packed_models, _unpack_model),
    "guard of uploads": Target(_on_its_way, _guard),
}
