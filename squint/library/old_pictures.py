"""Pictures that an earlier squint described in files beside their tiles become rows, once."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.images.placing import check_affine
from squint.library import pictures
from squint.library.folders import Folders
from squint.library.keeping import now
from squint.library.pictures import SectionImage
from squint.library.records import Mark, Picture, SectionRow
from squint.library.stored import IMAGES, Hashed, hashed
from squint.library.taking_over import alone

META = "meta.json"  # in the folder of a picture
_MARK = "pictures"
_TEXTS = {"name": 255, "channel": 255, "format": 10, "placed": 60, "sha256": 64, "added": 40}  # most letters
_SIZES = ("width", "height", "levels")


@dataclass(frozen=True)
class _Old:
    """A picture as it lies there."""

    section_id: str
    folder: Path
    image: SectionImage
    damage: str
    tiles: list[Hashed]  # that the library does not know yet


def take_over(library: Folders) -> None:
    """Make rows of the pictures that lie there as files, where that was not done yet."""
    if _is_done(library):
        return
    try:
        found = [
            _look(library, folder)
            for folder in sorted(library.sections_folder.glob(f"*/{IMAGES}/*"))
            if folder.is_dir()
        ]
        with library.database.writing() as session:
            if not alone(session, _MARK):
                return
            _write(library, session, found)
    except (InputError, OSError):  # another process was faster, and cleared up
        if not _is_done(library):
            raise
        return
    for one in found:
        if not one.damage:
            (one.folder / META).unlink(missing_ok=True)


def _is_done(library: Folders) -> bool:
    with library.database.reading() as session:
        return session.get(Mark, _MARK) is not None


def _write(library: Folders, session: Session, found: Sequence[_Old]) -> None:
    sections = set(session.scalars(sa.select(SectionRow.id)))
    known = {tuple(key) for key in session.execute(sa.select(Picture.section_id, Picture.id))}
    for one in found:
        if one.section_id in sections and (one.section_id, one.image.id) not in known:
            row = Picture(section_id=one.section_id, damage=one.damage)
            pictures.fill(row, one.image)
            session.add(row)
            session.flush()
            library.files.record(session, one.folder, one.tiles, section_id=one.section_id)


def _look(library: Folders, folder: Path) -> _Old:
    """Read what is known of a picture, and hash the tiles that nobody hashed yet."""
    image, damage = _read(folder), ""
    if image is None:
        image, damage = pictures.unknown(folder.name, now()), f"{META} is damaged."
    known = {path.relative_to(folder).as_posix() for path in library.files.below(folder)}
    tiles = [] if known else [one for one in hashed(folder) if one.name != META]
    return _Old(folder.parent.parent.name, folder, image, damage, tiles)


def _read(folder: Path) -> SectionImage | None:
    """Read what is known of a picture; ``None`` where not all of it is sure."""
    try:
        facts: dict[str, Any] = json.loads((folder / META).read_text())
        right = (
            facts["id"] == folder.name
            and all(isinstance(facts[key], str) and len(facts[key]) <= most for key, most in _TEXTS.items())
            and all(type(facts[key]) is int and 0 < facts[key] < 2**31 for key in _SIZES)
            and isinstance(facts["grey"], bool)
            and facts["format"] in ("webp", "jpeg")
            and all(isinstance(note, str) for note in facts["notes"])
            and all(len(landmark) == 4 and _are_finite(landmark) for landmark in facts["landmarks"])
            and (facts["rmse"] is None or _are_finite([facts["rmse"]]))
        )
        if not right:
            return None
        if facts["affine"] is not None:
            facts["affine"] = tuple(check_affine([facts["affine"][:3], facts["affine"][3:]]).ravel().tolist())
        if facts["um_per_pixel"] is not None:
            across, down = facts["um_per_pixel"]
            facts["um_per_pixel"] = (float(across), float(down))
        facts["landmarks"] = tuple(tuple(map(float, landmark)) for landmark in facts["landmarks"])
        return SectionImage(**{**facts, "notes": tuple(facts["notes"])})
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None


def _are_finite(numbers: Sequence[Any]) -> bool:
    return all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
