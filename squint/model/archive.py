"""A bundle as one file that travels, and a bundle made of such a file, once all of it was looked at.

The archive is a ``.zip`` of the three files of a bundle and ``SHA256SUMS``, which ``sha256sum -c`` reads. A
folder that somebody packed by hand has no such list, and is taken as well: what it holds is checked the same.
"""

import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from squint import files
from squint.errors import InputError
from squint.io import archives, folders
from squint.model.card import CARD, CONFIG, WEIGHTS, read_card

SUMS = "SHA256SUMS"
MOST_BYTES = {  # of each file, far beyond any model of one panel
    WEIGHTS: 4_000_000_000,
    CONFIG: 20_000_000,
    CARD: 100_000_000,  # names each hidden cell
    SUMS: 10_000,
}
_FILES = (CONFIG, CARD, WEIGHTS)
_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_TIME = (1980, 1, 1, 0, 0, 0)  # of every entry: one bundle gives one archive, byte by byte


def export(folder: Path, path: Path) -> None:
    """Write a bundle to a file, whole or not at all.

    Parameters
    ----------
    folder
        The bundle.
    path
        The ``.zip``, which must not exist yet. One bundle gives the same bytes wherever and whenever it is
        written.

    Raises
    ------
    InputError
        If the folder is no bundle, the file is there already, or the disk refuses.
    """
    read_card(folder)
    if path.exists():
        raise InputError(f"{path} is there already. Choose another name.")
    with files.whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        sums = []
        for name in _FILES:
            with (folder / name).open("rb") as source:
                sha256, _ = archives.copy_in(archive, _entry(name), source)
            sums.append(f"{sha256}  {name}\n")
        archive.writestr(_entry(SUMS), "".join(sums))


def unpack(path: Path, into: Path) -> Path:
    """Make a bundle of a file that came from somewhere, whole or not at all.

    Parameters
    ----------
    path
        An archive that :func:`export` wrote, or a packed bundle, or the folder of one. The files may lie in
        one folder within it.
    into
        The folder to make: a name that is free, or an empty folder. The folder above must exist.

    Returns
    -------
    The folder, with the three files of the bundle.

    Raises
    ------
    InputError
        If it is no such archive, holds anything else, or more than such files ever do; if a file is not what
        ``SHA256SUMS`` says; or if the bundle is not one that could be used. Nothing is left in ``into`` then.
    """
    from squint.model.bundle import Bundle  # noqa: PLC0415 - torch, which no other work on models needs

    _refuse_pickles([path.name], path.name)
    _refuse_a_pickle(path, path.name)
    staging = into.with_name(f".{uuid4().hex}.tmp")
    files.make_folder(staging)
    try:
        found = (_copied if path.is_dir() else _unpacked)(
            path, staging / path.name
        )  # what is wrong is said of it
        _refuse_a_pickle(found / WEIGHTS, path.name)
        _check_sums(found, path.name)
        Bundle.load(found)
        try:
            found.rename(into)
        except OSError as error:
            raise InputError(f"{into} cannot be made: {files.why_refused(error)}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return into


def _entry(name: str) -> zipfile.ZipInfo:
    """Describe a file by its name alone; it is stored as it is: what deflate gives depends on its version."""
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = 3  # Unix, whatever wrote it
    entry.external_attr = 0o100644 << 16
    return entry


def _unpacked(path: Path, staged: Path) -> Path:
    inside = archives.contents(path)
    _refuse_pickles(inside, path.name)
    top = {name.rpartition("/")[0] for name in inside}
    if len(top) > 1 or "/" in max(top, default=""):
        raise InputError(f"{path.name} is no packed model: its files do not lie in one folder.")
    _check({Path(name).name: n_bytes for name, n_bytes in inside.items()}, path.name)
    return archives.unpack(path, staged, max_bytes=sum(MOST_BYTES.values()))


def _copied(folder: Path, staged: Path) -> Path:
    folders.check(folder)
    try:
        inside = {one.name: one.stat().st_size for one in folder.iterdir() if not folders.is_junk(one.name)}
        _refuse_pickles(inside, folder.name)
        _check(inside, folder.name)
        staged.mkdir()
        for name in inside:
            shutil.copyfile(folder / name, staged / name)
    except OSError as error:
        raise InputError(f"{folder.name} could not be copied: {files.why_refused(error)}.") from error
    return staged


def _check(inside: dict[str, int], source: str) -> None:
    """Refuse all but the files of a bundle, each of a size that it may have."""
    if missing := [name for name in _FILES if name not in inside]:
        raise InputError(
            f"{source} is no packed model: {missing[0]} is missing. Pack the folder of the model, or write "
            "it by `squint models export`."
        )
    if others := sorted(inside.keys() - MOST_BYTES.keys()):
        raise InputError(
            f"{source} is refused: {folders.quoted(others[0])} is no file of a model. Pack only "
            f"{', '.join(_FILES)}."
        )
    for name, n_bytes in inside.items():
        if n_bytes > MOST_BYTES[name]:
            raise InputError(
                f"{source} is refused: {name} has {n_bytes:,} bytes, and at most {MOST_BYTES[name]:,} can be "
                "of a model."
            )


def _check_sums(folder: Path, source: str) -> None:
    """Hold the files to the hashes that came with them, if any did; the list of them goes."""
    path = folder / SUMS
    if not path.exists():
        return
    said = [_SUM.fullmatch(line) for line in path.read_bytes().decode(errors="replace").splitlines()]
    known = {line[2]: line[1] for line in said if line is not None}
    if len(known) != len(said) or known.keys() != set(_FILES):
        raise InputError(f"{source} is damaged: {SUMS} does not name each file of the model. Send it again.")
    for name in _FILES:
        if files.sha256(folder / name) != known[name]:
            raise InputError(
                f"{source} is refused: {name} is not what {SUMS} says. It was damaged or changed on its way: "
                "ask for another copy."
            )
    path.unlink()


def _refuse_pickles(names: Iterable[str], source: str) -> None:
    for name in names:
        if Path(name).suffix.lower() in _PICKLES:
            raise _pickle(source, f"{folders.quoted(name)} is")


def _refuse_a_pickle(path: Path, source: str) -> None:
    """Refuse a file that begins as pickle does, or weights that `torch.save` wrote, whatever its name."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:  # said by whoever needs it
        return
    is_packed = path.name == WEIGHTS and start.startswith(b"PK\3\4")
    if is_packed or (start[:1] == b"\x80" and start[1:2] <= b"\5" and start[8:] != b"{"):
        raise _pickle(source, "it holds")


def _pickle(source: str, what: str) -> InputError:
    return InputError(
        f"{source} is refused: {what} pickled Python, which can run any program when it is opened. Models "
        "travel as squint saves them: `squint models export` writes such a file."
    )
