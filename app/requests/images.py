"""What tasks about pictures under the cells are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar

from squint.library.images import Addition
from squint.library.results import Task


@dataclass(frozen=True)
class LookAtImage(Task[dict[str, Any]]):
    """Say what a picture of tissue is; nothing is kept."""

    name: ClassVar[str] = "look_at_image"
    private: ClassVar[bool] = True  # a file may be called as a person is
    addition: Addition


@dataclass(frozen=True)
class AddImage(Task[dict[str, Any]]):
    """Keep a picture of tissue with its section."""

    name: ClassVar[str] = "add_image"
    private: ClassVar[bool] = True  # a file may be called as a person is
    addition: Addition
