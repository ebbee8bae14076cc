"""The files of a zarr folder or of a zip of one, listed and checked before anything is opened."""

import os
import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from squint.errors import InputError
from squint.images._picture import reading
from squint.parsing import parse_json

MAX_FILES = 500_000
MAX_DEPTH = 24
MAX_JSON = 16 * 2**20
_ODD = re.compile(r"[\x00-\x1f\\:]|(^|/)\.\.?(/|$)|^/|//")


@dataclass(frozen=True)
class Files:
    """Names and sizes of the files below a root."""

    path: Path
    zipped: bool
    root: str  # folder within the zip that holds the store, with a trailing "/" if there is one
    sizes: dict[str, int]  # by name relative to the root

    def stored(self, prefix: str) -> int:
        """Give the bytes on disk of the files below a folder, such as ``"images/he/"``."""
        declared = sum(size for name, size in self.sizes.items() if name.startswith(prefix))
        return min(declared, self.path.stat().st_size) if self.zipped else declared

    def json(self, name: str) -> dict[str, Any]:
        """Read a small JSON file; empty if there is none."""
        if name not in self.sizes:
            return {}
        if self.sizes[name] > MAX_JSON:
            raise InputError(f"{self.path.name}: {name} is too long for a description.")
        with reading(self.path.name):
            if self.zipped:
                with zipfile.ZipFile(self.path) as archive:
                    content = archive.read(self.root + name)
            else:
                content = (self.path / name).read_bytes()
            found = parse_json(content, f"{self.path.name}: {name}", "Copy the picture again.")
        if not isinstance(found, dict):
            raise InputError(f"{self.path.name}: {name} is no description.")
        return found

    def attributes(self, group: str) -> dict[str, Any]:
        """Read the attributes of a group or array, of either version of zarr."""
        prefix = f"{group}/" if group else ""
        third = self.json(f"{prefix}zarr.json").get("attributes")
        found = third if third is not None else self.json(f"{prefix}.zattrs")
        return found if isinstance(found, dict) else {}


def list_files(path: Path) -> Files:
    """List a folder or zip, and refuse what leads out of it or could be anything else than data.

    Raises
    ------
    InputError
        If there are links, devices, odd names, encrypted entries, or more entries than a picture needs.
    """
    if path.is_dir():
        return Files(path, zipped=False, root="", sizes=_list_folder(path))
    with reading(path.name):
        return _list_zip(path)


def _list_folder(path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    folders = [("", path, 0)]
    while folders:
        prefix, folder, depth = folders.pop()
        if depth > MAX_DEPTH:
            raise InputError(f"{path.name} has folders deeper than {MAX_DEPTH}, which no picture needs.")
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    folders.append((f"{name}/", Path(entry.path), depth + 1))
                elif stat.S_ISREG(status.st_mode):
                    sizes[name] = status.st_size
                else:
                    raise InputError(f"{path.name} is refused: {name!r} is a link, or no file at all.")
                if len(sizes) + len(folders) > MAX_FILES:
                    raise InputError(f"{path.name} holds more than {MAX_FILES:,} files.")
    return sizes


def _list_zip(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise InputError(f"{path.name} holds more than {MAX_FILES:,} entries.")
    for entry in entries:
        _check_entry(entry, path.name)
    sizes = {entry.filename: entry.file_size for entry in entries if not entry.is_dir()}
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise InputError(f"{path.name} is refused: two entries have one name.")
    roots = {name.split("/")[0] for name in sizes}
    inside = f"{min(roots)}/" if len(roots) == 1 and min(roots) not in sizes else ""
    if inside and not any(inside + name in sizes for name in (".zgroup", ".zattrs", "zarr.json")):
        inside = ""
    return Files(path, zipped=True, root=inside, sizes={n.removeprefix(inside): s for n, s in sizes.items()})


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if _ODD.search(entry.orig_filename) or kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise InputError(f"{name} is refused: an entry has a harmful name, or is a link.")
    if entry.flag_bits & 1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise InputError(f"{name} is refused: it is encrypted, or compressed in an unusual way.")
