"""Maps that browsers show just now: what each holds, by the id that its routes are asked with."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from app.maps.contract import Described
from app.maps.message import Stack
from app.maps.state import fitting
from app.maps.views import MapView
from squint.library.points import Order
from squint.library.profiles import token_names
from squint.library.store import Library
from squint.pl import LIGHT, Style


@dataclass
class Served:
    """A map as a browser has it."""

    library: Library
    view: MapView
    orders: tuple[Order, ...]  # per panel, which cell (n,) is drawn when
    coloured: str = ""  # by what, as the browser calls it
    points: tuple[str, ...] = ()  # per panel, the name of the positions of its cells
    state: dict[str, Any] = field(default_factory=dict)  # the reader's settings, as the browser told them
    style: Style = LIGHT  # of the page
    stack: Stack | None = None  # how the panels lie above each other
    model: str | None = None  # hash of the one whose tokens the cells have

    @classmethod
    def of(
        cls,
        library: Library,
        view: MapView,
        orders: tuple[Order, ...],
        described: Described,
        **more: Any,
    ) -> "Served":
        """Make one of what `app.maps.message.describe` gives."""
        scale, points = described["scale"], tuple(panel["points"]["name"] for panel in described["panels"])
        return cls(library, view, orders, f"{scale['kind']} {scale['title']}", points, **more)

    def remember(self, state: Mapping[str, Any]) -> None:
        """Take the reader's settings, as far as they are of this map."""
        self.state = fitting(state, self.coloured, self.points)

    @cached_property
    def tokens(self) -> Mapping[str, str]:
        """What each token is, in words."""
        return token_names(self.library, self.model)


class Maps:
    """Finds maps by id. Each is held by the session that shows it, and goes with that session."""

    def __init__(self) -> None:
        self._shown = WeakValueDictionary[str, Served]()
        self._lock = threading.Lock()

    def serve(self, map_id: str, served: Served) -> Served:
        """Put a map in the place of what its id stood for; the reader's settings stay, where they fit."""
        with self._lock:
            known = self._shown.pop(map_id, None)
            if known:
                served.remember(known.state)
                if known.view.scale != served.view.scale:
                    served.state.pop("thresholds", None)  # they are the page's now
            self._shown[map_id] = served
        return served

    def get(self, map_id: str) -> Served | None:
        """Return a map, if somebody still has it."""
        with self._lock:
            return self._shown.get(map_id)

    def forget(self) -> None:
        """Drop all maps, as when a section is deleted."""
        with self._lock:
            self._shown.clear()


MAPS = Maps()
