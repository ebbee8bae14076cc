"""Pictures on their way into the library: opened, cut into tiles, kept."""

import hashlib
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from squint.errors import InputError
from squint.images import Picture, Shown, n_levels, show, tiles
from squint.library.images import FROM_FILE, Addition, Images, SectionImage, image_name
from squint.library.results import Report
from squint.library.store import Library
from squint.sensitive import looks_like

QUALITY = 85
_EFFORT = 1  # of WebP: three times as fast as by default, and tiles a quarter larger
_BYTES_PER_PIXEL = 0.5  # of all tiles together, more than H&E was seen to take
_MEMORY = 4 * 2**30  # that reading a picture may add, so that a bomb ends its job and not the machine


def keep(library: Library, addition: Addition, report: Report) -> SectionImage:
    """Cut a picture into tiles and keep them with its section; one that is there already stays.

    Raises
    ------
    InputError
        If the picture is refused, the section is gone, or the disk is too small.
    """
    library.get(addition.section)
    report(0.0, "opening the picture")
    try:
        return _keep(library, addition, report)
    except MemoryError as error:
        raise InputError("The picture needs too much memory. Save it as a tiled TIFF.") from error
    except FileNotFoundError as error:
        raise InputError("The picture's file was deleted while it was read. Give it again.") from error


def _keep(library: Library, addition: Addition, report: Report) -> SectionImage:
    images = Images(library)
    with library.staged() as folder:
        with little_memory(), addition.open() as picture:
            _check_disk(folder, picture)
            sha256 = _sha256(Path(addition.path), report)
            key = hashlib.sha256(f"{sha256} {addition.element} {addition.channel}".encode()).hexdigest()[:16]
            for known in images.of(addition.section):
                if known.id == key:
                    return known
            shown = show(picture, addition.channel)
            kind = "webp" if features.check("webp") else "jpeg"
            _write_tiles(shown, folder, kind, report)
            image = _describe(key, addition, shown, sha256, kind)
        return images.keep(addition.section, image, folder)


def _describe(key: str, addition: Addition, shown: Shown, sha256: str, kind: str) -> SectionImage:
    picture = shown.picture
    several = not picture.is_rgb and picture.n_channels > 1
    return SectionImage(
        id=key,
        name=image_name(addition.path),
        width=picture.width,
        height=picture.height,
        levels=n_levels(picture.width, picture.height),
        grey=shown.grey,
        channel=channel_names(picture)[addition.channel] if several else "",
        format=kind,
        affine=None if picture.affine is None else tuple(picture.affine.ravel().tolist()),
        placed="" if picture.affine is None else FROM_FILE,
        um_per_pixel=picture.um_per_pixel,
        sha256=sha256,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=picture.notes,
    )


def channel_names(picture: Picture) -> tuple[str, ...]:
    """Name the channels, but for names that may be a person's."""
    return tuple(
        f"channel {i + 1}" if looks_like(name) or len(name) > 60 or not name.isprintable() else name
        for i, name in enumerate(picture.channels)
    )


def _write_tiles(shown: Shown, folder: Path, kind: str, report: Report) -> None:
    """Write tiles, in two threads: encoding takes as long as reading."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(2) as pool:
        try:
            for tile in tiles(shown):
                path = folder / str(tile.level) / f"{tile.column}_{tile.row}.{kind}"
                path.parent.mkdir(exist_ok=True)
                waiting.append(pool.submit(_write_tile, tile.pixels.copy(), path, kind))
                if len(waiting) > 32:
                    waiting.popleft().result()
                if tile.column == 0:
                    report(0.05 + 0.95 * tile.done, f"cutting the picture into tiles, {tile.done:.0%}")
            for written in waiting:
                written.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write_tile(pixels: NDArray[np.uint8], path: Path, kind: str) -> None:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(path, kind, quality=QUALITY, **({"method": _EFFORT} if kind == "webp" else {}))


def _check_disk(folder: Path, picture: Picture) -> None:
    needed = int(picture.width * picture.height * _BYTES_PER_PIXEL)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"The picture needs about {needed / 1e6:,.1f} MB; the disk has room for {free / 1e6:,.1f} MB. "
            "Delete what is no longer needed, or ask for a larger disk."
        )


def _sha256(path: Path, report: Report) -> str:
    """Hash a file, or the names and contents of the files of a folder that was found to hold no links."""
    digest = hashlib.sha256()
    whole = (
        sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()) if path.is_dir() else [path]
    )
    for i, part in enumerate(whole):
        if part != path:
            digest.update(f"{part.relative_to(path)} {part.stat().st_size}\n".encode())
        with part.open("rb") as file:
            while block := file.read(2**24):
                digest.update(block)
                report(0.05 * i / len(whole), "checking the file")
    return digest.hexdigest()


@contextmanager
def little_memory() -> Iterator[None]:
    """Let the process grow by a few GB only, where the system can see to that."""
    try:
        import resource  # noqa: PLC0415 - not on every system

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + _MEMORY
        if before[1] != resource.RLIM_INFINITY:
            most = min(most, before[1])
        resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    except (ImportError, OSError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
