"""The map in the browser: a Streamlit component that draws cells with WebGL2. The scripts are in assets/."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.maps.contract import Events, MapData
from app.web.assets import MAP_ASSETS

# The scripts come from a route of their own, so that they are cached and not sent with every rerun.
_START = f"""
export default async function (component) {{
  const scripts = new URL("{MAP_ASSETS.address}/map.js", window.location.origin);
  return (await import(scripts)).default(component);
}}
"""
_FETCH = f"""
export default function () {{
  import(new URL("{MAP_ASSETS.address}/map.js", window.location.origin));
}}
"""
EVENTS = tuple(Events.__annotations__)

_component = st.components.v2.component("squint_cell_map", js=_START)
_fetching = st.components.v2.component("squint_cell_map_scripts", js=_FETCH)


def fetch_scripts() -> None:
    """Have the browser fetch the scripts of the map while the page is still being written."""
    _fetching(key="cell_map_scripts", width=1, height=1)


def cell_map(data: MapData, key: str, on: Mapping[str, Callable[[], None]]) -> Any:
    """Mount a map.

    Parameters
    ----------
    data
        What :func:`app.maps.message.describe` gives, and what the page adds.
    key
        Key of the widget.
    on
        What to do on an event of :data:`EVENTS`, whose value is then in the session's state under the key.
    """
    callbacks: dict[str, Any] = {f"on_{event}_change": on.get(event, _nothing) for event in EVENTS}
    return _component(key=key, data=dict(data), **callbacks)


def _nothing() -> None:
    """Do nothing: a rerun is all that is wanted."""
