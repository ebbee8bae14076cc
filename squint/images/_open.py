"""Open a picture by what its file is, whatever its name."""

from dataclasses import replace
from pathlib import Path

from squint.errors import InputError
from squint.images._companions import XENIUM_UM, find_companion, is_xenium, read_companion
from squint.images._picture import Picture
from squint.images.placing import scaling

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_image(
    path: str | Path,
    *,
    element: str = "",
    placement: str | Path | None = None,
    morphology_um: float = XENIUM_UM,
) -> Picture:
    """Open a picture of tissue; only what is asked for is read from it.

    Parameters
    ----------
    path
        OME-TIFF or TIFF, PNG, JPEG, an ``.h5ad`` of Visium with its picture, or a SpatialData or OME-Zarr
        folder or a zip of one.
    element
        Which picture, where the file holds several: the name of the element, or of Visium's library.
    placement
        The file that says where the picture lies: ``scalefactors_json.json`` of Visium, or the matrix that
        Xenium Explorer exports (``*_imagealignment.csv``). By default the one beside it with 10x's name.
    morphology_um
        Pixel size of the Xenium's morphology picture, where it is not the usual one.

    Returns
    -------
    The picture, to be closed after use. Its ``affine`` leads to um for Xenium, to "global" coordinates or
    those of the annotated cells for SpatialData, and to pixels of the slide scan for Visium, whose
    coordinates those are. It is ``None`` where the file does not say where the picture lies: a pixel size
    alone, in ``um_per_pixel``, does not.

    Raises
    ------
    InputError
        If the file is damaged, too large, of a kind that is not read, or holds anything harmful.
    """
    path = Path(path)
    picture = _open(path, element)
    try:
        companion = Path(placement) if placement is not None else find_companion(path)
        if companion is not None:
            return replace(picture, affine=read_companion(companion, path.name, morphology_um))
        if is_xenium(path.name):
            um = picture.um_per_pixel or (morphology_um, morphology_um)
            return replace(picture, affine=scaling(*um), um_per_pixel=um)
    except BaseException:
        picture.close()
        raise
    return picture


def _open(path: Path, element: str) -> Picture:
    if path.is_symlink() or not path.exists():
        raise InputError(f"{path.name} was not found, or is a link.")
    if path.is_dir():
        from squint.images._zarr import open_zarr  # noqa: PLC0415 - zarr takes half a second to import

        return open_zarr(path, element)
    if not path.is_file():
        raise InputError(f"{path.name} is not a file.")
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise InputError(f"{path.name}: the file is empty.")
    return _open_file(path, start, element)


def _open_file(path: Path, start: bytes, element: str) -> Picture:
    if start[:4] in _TIFF:
        from squint.images._tiff import open_tiff  # noqa: PLC0415 - imports on use, see above

        return open_tiff(path)
    if start == b"\x89PNG\r\n\x1a\n" or start[:3] == b"\xff\xd8\xff":
        from squint.images._plain import open_plain  # noqa: PLC0415

        return open_plain(path)
    if start == b"\x89HDF\r\n\x1a\n":
        from squint.images._visium import open_h5ad  # noqa: PLC0415

        return open_h5ad(path, element)
    if start[:4] == b"PK\3\4":
        from squint.images._zarr import open_zarr  # noqa: PLC0415

        return open_zarr(path, element)
    raise InputError(
        f"{path.name} is no picture that is read: by its first bytes it is neither TIFF, PNG, JPEG, .h5ad "
        "nor a zip of .zarr."
    )
