"""Scripts and styles of our components, served under the hash of their content, to be kept for ever."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_TYPES = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True)
class Assets:
    """The files of a folder."""

    folder: Path
    route: str

    @cached_property
    def files(self) -> dict[str, tuple[bytes, str]]:
        """Content and type by name."""
        paths = sorted(path for path in self.folder.iterdir() if path.suffix in _TYPES)
        return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in paths}

    @cached_property
    def version(self) -> str:
        """Hash of all files."""
        content = b"".join(name.encode() + body for name, (body, _) in self.files.items())
        return hashlib.sha256(content).hexdigest()[:16]

    @property
    def address(self) -> str:
        """Address of the folder."""
        return f"{self.route}/{self.version}"


_COMPONENTS = Path(__file__).parents[1] / "components"
MAP_ASSETS = Assets(_COMPONENTS / "map" / "cell_map" / "assets", "/map/assets")
DROP_ASSETS = Assets(_COMPONENTS / "file_drop" / "assets", "/upload/assets")
