"""What a source hashes to, be it a file or a folder."""

import hashlib
from pathlib import Path

from squint.io.folders import is_left_alone

PICTURES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".btf", ".svs"}  # large, and no part of the cells


def source_sha256(path: Path) -> str:
    """Hash a file, or the names, sizes and contents of the files of a folder.

    Of pictures and of what no reader opens names and sizes alone count: they are large, and no part of the
    cells.
    """
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    digest = hashlib.sha256()
    for part in sorted(part for part in path.rglob("*") if part.is_file() and not part.is_symlink()):
        name = part.relative_to(path).as_posix()
        digest.update(f"{name} {part.stat().st_size}\n".encode(errors="surrogateescape"))
        if part.suffix.lower() not in PICTURES and not is_left_alone(name):
            with part.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
