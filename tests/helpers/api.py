"""What squint exports, and what its docstrings say: read from the source, as editors and the reference do."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

import griffe

from squint import formats
from tests.helpers.paths import ROOT

MODULES = ("squint", *(f"squint.{name}" for name in ("datasets", "images", "io", "pl", "pp", "tl")))
FORMATS = tuple(f"squint.formats.{module.name}" for module in pkgutil.iter_modules(formats.__path__))
_SLOT = re.compile(r'adata\.(\w+)((?:\["[^"]+"\])+)')


@lru_cache(maxsize=1)
def _source() -> griffe.Object | griffe.Alias:
    return griffe.load("squint", search_paths=[ROOT], docstring_parser="numpy")


class Exported(NamedTuple):
    """A function that users call, and where they find it."""

    module: str
    function: FunctionType

    def __str__(self) -> str:
        return f"{self.module}.{self.function.__name__}"

    @property
    def signature(self) -> inspect.Signature:
        """Its parameters."""
        return inspect.signature(self.function)

    def entries(self, section: str) -> list[Any]:
        """Give the entries of a section of its docstring, such as ``"parameters"`` or ``"raises"``."""
        return [entry for part in self._sections if part.kind.value == section for entry in part.value]

    def text(self, section: str) -> str:
        """Give the text of a section without entries, such as ``"References"``."""
        return "".join(part.value.contents for part in self._sections if part.title == section)

    @property
    def slots(self) -> set[tuple[str, ...]]:
        """What its docstring says that it writes: the slot of ``adata``, and the names within."""
        heads = " ".join(str(entry.annotation) for entry in self.entries("returns"))
        return {(slot, *re.findall(r'"([^"]+)"', names)) for slot, names in _SLOT.findall(heads)}

    @property
    def _sections(self) -> list[Any]:
        path = f"{self.function.__module__}.{self.function.__name__}".removeprefix("squint.")
        docstring = _source()[path].docstring
        return docstring.parsed if docstring else []


def _exported() -> Iterator[Exported]:
    for module in (*MODULES, *FORMATS):
        loaded = importlib.import_module(module)
        for name in dir(loaded):
            value = getattr(loaded, name)
            own = module not in FORMATS or getattr(value, "__module__", "") == module
            if isinstance(value, FunctionType) and own and not name.startswith("_"):
                yield Exported(module, value)


FUNCTIONS = list(_exported())
TOOLS = [exported for exported in FUNCTIONS if "copy" in exported.signature.parameters]  # write into `adata`
