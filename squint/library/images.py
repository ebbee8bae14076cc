"""Pictures under the cells of a section, kept as rows and tiles: pixels and nothing else.

Tiles are ``sections/<id>/images/<image id>/<level>/<column>_<row>.webp``, each a stored file that is hashed
before a process first serves it. They are 512 pixels to a side, those at the right and lower edge cropped. A
pixel of level l covers exactly 2**l x 2**l pixels of level 0, from the upper left corner on. What is damaged
of a picture is said of it alone.
"""

import io
import math
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import sqlalchemy as sa
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import Moves, why_refused
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
from squint.library import keeping, pictures
from squint.library.access import Access, changing
from squint.library.import_folder import import_folder, importable
from squint.library.pictures import BY_LANDMARKS, BY_PIXEL_SIZE, FROM_FILE, DamagedImage, SectionImage
from squint.library.records import Picture as Row
from squint.library.store import Library, harmless_name
from squint.library.stored import IMAGES, DamagedError, hashed
from squint.pl import View

__all__ = [
    "BY_LANDMARKS",
    "BY_PIXEL_SIZE",
    "FROM_FILE",
    "Addition",
    "DamagedImage",
    "Images",
    "SectionImage",
    "file_name",
    "image_name",
]

GONE = "This picture is no longer in the library."
ENDINGS = (".tif", ".tiff", ".svs", ".scn", ".png", ".jpg", ".jpeg", ".h5ad", ".zip", ".zarr")
COMPANIONS = (".csv", ".json")
_HEX = re.compile(r"[0-9a-f]{1,64}")


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
    def access(self) -> Access:
        """What whoever holds this may do."""
        return self._library.access

    @property
    def import_folder(self) -> Path:
        """Folder whose files can be added without an upload."""
        return import_folder(self._library)

    def of(self, section_id: str) -> list[SectionImage]:
        """List the pictures of a section, the first one added first, but for damaged ones."""
        return [pictures.of_row(row) for row, why in self._rows(section_id) if not why]

    def damaged(self, section_id: str) -> list[DamagedImage]:
        """List the pictures of a section that are damaged, with what is."""
        return [
            DamagedImage(row.id, row.name if row.intact else row.id, why)
            for row, why in self._rows(section_id)
            if why
        ]

    def get(self, section_id: str, image_id: str) -> SectionImage:
        """Give one picture.

        Raises
        ------
        InputError
            If it is gone, or damaged.
        """
        self.folder(section_id, image_id)  # refuses what is no id
        with self._library.database.reading() as session:
            return self._whole(session.get(Row, (section_id, image_id)))

    def folder(self, section_id: str, image_id: str) -> Path:
        """Return the folder of a picture; ids are hexadecimal, so it cannot lead elsewhere."""
        if not _HEX.fullmatch(image_id):
            raise InputError("There is no such picture.")
        return self._library.folder(section_id) / IMAGES / image_id

    def tile(self, section_id: str, image_id: str, level: int, column: int, row: int) -> bytes | None:
        """Give the file of a tile; ``None`` if there is none, or damaged: then its picture is marked."""
        for ending in ("webp", "jpeg"):
            name = f"{int(level)}/{int(column)}_{int(row)}.{ending}"
            with suppress(InputError, OSError):
                path = self.folder(section_id, image_id) / name
                return self._library.files.checked(path).read_bytes()
        return None

    @changing
    def keep(self, section_id: str, image: SectionImage, tiles: Path, damage: str = "") -> SectionImage:
        """Keep a picture; one of that id stays, unless it is damaged: then it gets these tiles.

        Parameters
        ----------
        section_id
            Of the section that it lies under.
        image
            What is known of it. A damaged one keeps the place that it was given.
        tiles
            Staged folder of its tiles, which is gone afterwards.
        damage
            What of it is damaged, in words, if something is.

        Returns
        -------
        The picture that is there now.

        Raises
        ------
        InputError
            If the section is gone, the library is full, or the disk refuses.
        """
        files, place = hashed(tiles), self.folder(section_id, image.id)

        def change(session: Session, moves: Moves) -> SectionImage:
            keeping.hold(session, [section_id])
            row = session.get(Row, (section_id, image.id), with_for_update=True)
            if row is not None and not self._why_damaged(row):
                return pictures.of_row(row)
            kept = image
            if row is None:
                row = Row(section_id=section_id)
                session.add(row)
            elif row.intact and row.affine is not None:
                old = pictures.of_row(row)
                kept = replace(
                    image, affine=old.affine, placed=old.placed, landmarks=old.landmarks, rmse=old.rmse
                )
            pictures.fill(row, kept)
            row.damage = damage
            session.flush()
            self._library.files.forget(session, place)
            self._library.files.record(session, place, files, section_id=section_id)
            moves.move(tiles, place)
            return kept

        try:
            return keeping.once(self._library, change)
        finally:
            shutil.rmtree(tiles, ignore_errors=True)

    @changing
    def delete(self, section_id: str, image_id: str) -> None:
        """Remove a picture for good, damaged or not."""
        place = self.folder(section_id, image_id)

        def change(session: Session, moves: Moves) -> None:
            if session.get(Row, (section_id, image_id), with_for_update=True) is None:
                raise InputError(GONE)
            session.execute(sa.delete(Row).where(Row.section_id == section_id, Row.id == image_id))
            self._library.files.forget(session, place)
            moves.discard(place)

        keeping.freeing(self._library, change)
        self._library.database.scrub()

    @changing
    def carry(self, section_id: str, to: str) -> None:
        """Copy the pictures of a section to another of the same positions; those that it has stay.

        What is damaged stays damaged, and is said there.
        """
        for row, damage in self._rows(section_id):
            image = pictures.of_row(row) if row.intact else pictures.unknown(row.id, keeping.now())
            place = self.folder(section_id, image.id)
            with self._library.staged() as staged:
                try:
                    for path in self._library.files.below(place):
                        target = staged / path.relative_to(place)
                        target.parent.mkdir(exist_ok=True)
                        shutil.copyfile(self._library.files.checked(path), target)
                    said = damage
                except DamagedError:
                    said = damage or "Some of its tiles are damaged."
                self.keep(to, image, staged, said)

    @changing
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

        Raises
        ------
        InputError
            If the picture is gone or damaged, or would be laid flat.
        """
        matrix = check_affine(affine)
        with self._library.database.writing() as session:
            row = session.get(Row, (section_id, image_id), with_for_update=True)
            placed = replace(
                self._whole(row),
                affine=tuple(matrix.ravel().tolist()),
                placed=source,
                landmarks=tuple(tuple(map(float, landmark)) for landmark in landmarks),
                rmse=rmse,
            )
            if row is not None:
                pictures.fill(row, placed)
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

    @changing
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

    def _rows(self, section_id: str) -> list[tuple[Row, str]]:
        """Give the rows of a section's pictures, each with what is damaged."""
        asked = sa.select(Row).where(Row.section_id == section_id).order_by(Row.added, Row.id)
        with self._library.database.reading() as session:
            rows = session.scalars(asked).all()
        return [(row, self._why_damaged(row)) for row in rows]

    def _why_damaged(self, row: Row) -> str:
        return pictures.why_damaged(row, self._library.sections_folder / row.section_id / IMAGES / row.id)

    def _whole(self, row: Row | None) -> SectionImage:
        """Give the picture that a row is of, or say why there is none."""
        if row is None:
            raise InputError(GONE)
        if why := self._why_damaged(row):
            name = row.name if row.intact else row.id
            raise InputError(f"The picture {name} is damaged. {why} Delete it and add it again.")
        return pictures.of_row(row)


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
