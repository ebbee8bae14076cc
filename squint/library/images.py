"""Pictures under the cells of a section, kept as tiles in the section's folder: pixels and nothing else.

``sections/<id>/images/<image id>/meta.json`` and ``<level>/<column>_<row>.webp``. Tiles are 512 pixels to a
side, those at the right and lower edge cropped. A pixel of level l covers exactly 2**l x 2**l pixels of
level 0, from the upper left corner on.
"""

import io
import json
import math
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from squint.errors import InputError
from squint.files import move_folder, why_refused, write_json
from squint.images import (
    TILE,
    Box,
    Picture,
    Rendered,
    describe,
    open_image,
    render,
)
from squint.images.placing import check_affine
from squint.library.import_folder import import_folder, importable
from squint.library.store import Library, harmless_name
from squint.pl import View

FROM_FILE, BY_LANDMARKS, BY_PIXEL_SIZE = "from the file", "landmarks", "pixel size"
ENDINGS = (".tif", ".tiff", ".svs", ".scn", ".png", ".jpg", ".jpeg", ".h5ad", ".zip", ".zarr")
COMPANIONS = (".csv", ".json")
META = "meta.json"
_HEX = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True)
class SectionImage:
    """What the library knows of a picture."""

    id: str
    name: str
    width: int
    height: int
    levels: int
    grey: bool
    channel: str  # which one, of a picture that has several
    format: str  # of the tiles: "webp" or "jpeg"
    affine: tuple[float, ...] | None  # x = a column + b row + c, y = d column + e row + f
    placed: str  # where the affine comes from
    um_per_pixel: tuple[float, float] | None  # as the file says
    sha256: str  # of the file it came from
    added: str  # UTC
    notes: tuple[str, ...] = ()
    landmarks: tuple[tuple[float, ...], ...] = ()  # column, row, x, y
    rmse: float | None = None  # of the landmarks

    @property
    def matrix(self) -> NDArray[np.float64] | None:
        """Its affine (2, 3)."""
        return None if self.affine is None else np.array(self.affine).reshape(2, 3)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Width and height of each level."""
        return [(-(-self.width // 2**i), -(-self.height // 2**i)) for i in range(self.levels)]


@dataclass(frozen=True)
class Addition:
    """A picture to be added."""

    section: str  # id
    path: str
    placement: str = ""  # the file that says where it lies
    element: str = ""  # which picture, of a file with several
    channel: int = 0

    def open(self) -> Picture:
        """Open the picture."""
        return open_image(self.path, element=self.element, placement=self.placement or None)


class Images:
    """The pictures of the sections of a library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    @property
    def import_folder(self) -> Path:
        """Folder whose files can be added without an upload."""
        return import_folder(self._library)

    def of(self, section_id: str) -> list[SectionImage]:
        """List the pictures of a section, the first one added first."""
        folder = self._library.folder(section_id) / "images"
        found = [self._read(path.parent) for path in folder.glob(f"*/{META}")]
        return sorted(found, key=lambda image: (image.added, image.id))

    def get(self, section_id: str, image_id: str) -> SectionImage:
        """Give one picture."""
        folder = self.folder(section_id, image_id)
        if not (folder / META).exists():
            raise InputError("This picture is no longer in the library.")
        return self._read(folder)

    def folder(self, section_id: str, image_id: str) -> Path:
        """Return the folder of a picture; ids are hexadecimal, so it cannot lead elsewhere."""
        if not _HEX.fullmatch(image_id):
            raise InputError("There is no such picture.")
        return self._library.folder(section_id) / "images" / image_id

    def tile(self, section_id: str, image_id: str, level: int, column: int, row: int) -> bytes | None:
        """Give the file of a tile; ``None`` if there is none."""
        with suppress(InputError, OSError):
            folder = self.folder(section_id, image_id) / str(int(level))
            name = f"{int(column)}_{int(row)}"
            for ending in ("webp", "jpeg"):
                if (folder / f"{name}.{ending}").exists():
                    return (folder / f"{name}.{ending}").read_bytes()
        return None

    def delete(self, section_id: str, image_id: str) -> None:
        """Remove a picture for good."""
        self.get(section_id, image_id)
        away = self._library.workspace()
        self.folder(section_id, image_id).rename(away)  # at once, so that nobody sees half a picture
        shutil.rmtree(away)

    def carry(self, section_id: str, to: str) -> None:
        """Copy the pictures of a section to another of the same positions; those that it has stay."""
        for image in self.of(section_id):
            target = self.folder(to, image.id)
            if not (target / META).exists():
                target.parent.mkdir(exist_ok=True)
                with self._library.staged() as staged:
                    shutil.copytree(self.folder(section_id, image.id), staged / image.id)
                    move_folder(staged / image.id, target, holds=META)

    def place(
        self,
        section_id: str,
        image_id: str,
        affine: ArrayLike,
        source: str,
        *,
        landmarks: Sequence[Sequence[float]] = (),
        rmse: float | None = None,
    ) -> SectionImage:
        """Say where a picture lies.

        Parameters
        ----------
        section_id, image_id
            The picture.
        affine
            From pixels to the coordinates of the section, (2, 3).
        source
            Where that comes from: ``FROM_FILE``, ``BY_LANDMARKS`` or ``BY_PIXEL_SIZE``.
        landmarks
            Column, row, x and y of each landmark, if any.
        rmse
            How far the landmarks are missed by.
        """
        placed = replace(
            self.get(section_id, image_id),
            affine=tuple(check_affine(affine).ravel().tolist()),
            placed=source,
            landmarks=tuple(tuple(map(float, landmark)) for landmark in landmarks),
            rmse=rmse,
        )
        write_meta(self.folder(section_id, image_id), placed)
        return placed

    def region(self, section_id: str, image_id: str, view: View, max_pixels: int = 4_000_000) -> Rendered:
        """Draw what is seen of a picture in a window of the section.

        No more pixels are drawn than the picture has there.

        Raises
        ------
        InputError
            If nobody has said where the picture lies.
        """
        image = self.get(section_id, image_id)
        matrix = image.matrix
        if matrix is None:
            raise InputError(f"Nobody has said yet where {image.name} lies. Place it first.")
        finest = view.width / min(describe(matrix).scale)
        width = max(1, math.ceil(min(finest, math.sqrt(max_pixels / view.aspect))))
        size = (width, max(1, round(width * view.aspect)))
        return render(
            lambda level, box: self._read_region(section_id, image, level, box),
            image.sizes,
            matrix,
            view,
            size,
        )

    def _read_region(self, section_id: str, image: SectionImage, level: int, box: Box) -> NDArray[np.uint8]:
        out = np.zeros((box.bottom - box.top, box.right - box.left, 1 if image.grey else 3), dtype=np.uint8)
        for row in range(box.top // TILE, -(-box.bottom // TILE)):
            for column in range(box.left // TILE, -(-box.right // TILE)):
                content = self.tile(section_id, image.id, level, column, row)
                if content is None:
                    raise InputError(f"{image.name} is damaged in the library. Delete it and add it again.")
                with Image.open(io.BytesIO(content)) as file:
                    pixels = np.asarray(file.convert("L" if image.grey else "RGB"))
                pixels = pixels.reshape(*pixels.shape[:2], -1)
                x, y = column * TILE, row * TILE
                left, top = max(box.left, x), max(box.top, y)
                part = pixels[top - y : box.bottom - y, left - x : box.right - x]
                out[top - box.top :, left - box.left :][: part.shape[0], : part.shape[1]] = part
        return out

    def importable(self) -> list[str]:
        """Name the pictures in the import folder; links are left out."""
        return importable(self._library, ENDINGS)

    def stage(self, upload: BinaryIO, name: str, beside: Path | None = None) -> Path:
        """Copy an upload to the folder of uploads, under a harmless form of its name.

        Parameters
        ----------
        upload
            Its content.
        name
            What the user calls it.
        beside
            Another staged file, if it belongs to that.

        Raises
        ------
        InputError
            If it is no picture, or the disk refuses; then nothing of it stays.
        """
        harmless = file_name(name)
        folder = None if beside is None else beside.parent
        try:
            folder = folder or self._library.upload_folder()
            with (folder / harmless).open("wb") as file:
                shutil.copyfileobj(upload, file)
        except OSError as error:
            if folder and beside is None:
                self._library.unstage(folder / harmless)
            raise InputError(
                f"The server's disk could not take the file: {why_refused(error)}. Try again."
            ) from error
        return folder / harmless

    @staticmethod
    def _read(folder: Path) -> SectionImage:
        facts: dict[str, Any] = json.loads((folder / META).read_text())
        for key in ("affine", "um_per_pixel"):
            facts[key] = None if facts[key] is None else tuple(facts[key])
        landmarks = tuple(tuple(landmark) for landmark in facts["landmarks"])
        return SectionImage(**{**facts, "landmarks": landmarks, "notes": tuple(facts["notes"])})


def image_name(name: str) -> str:
    """Return a file's name without its endings, or anything that names a person."""
    stem = re.sub(r"(\.ome|\.spatialdata)?\.\w{2,5}$", "", Path(name.replace("\\", "/")).name)
    harmless = harmless_name(stem)
    return "image" if harmless == "section" else harmless


def file_name(name: str) -> str:
    """Return a file's name in the staging folder, with the endings that say what it is."""
    ending = next((e for e in (*ENDINGS, *COMPANIONS) if name.lower().endswith(e)), "")
    if not ending:
        raise InputError(f"Pictures are read as {', '.join(ENDINGS)}.")
    inner = ".ome" if re.search(r"\.ome\.tiff?$", name, re.IGNORECASE) else ""
    return f"{image_name(name)}{inner}{ending}"


def write_meta(folder: Path, image: SectionImage) -> None:
    """Write what is known of a picture, whole or not at all."""
    write_json(folder / META, asdict(image), indent=1)
