"""What cells of some sections are coloured by, with the widgets that each way needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session, views
from app.components import risk
from app.components.tokens import choose_gene, choose_tokens
from app.library import Library, Section
from squint import keys

TOKEN, SCORE, DISTANCE = "Token", "Activation score", "Distance"
GENE, TYPE, DEPTH = "Gene", "Cell type", "Counts per cell"
OF_MODEL = (TOKEN, SCORE, DISTANCE)  # what only tokenised sections have


def choose_colour(ways: Sequence[str], key: str) -> str:
    """Let the user choose what cells are coloured by; the choice outlives a change of page."""
    session.keep_valid(key, ways)
    by = st.segmented_control(
        "Colour cells by",
        ways,
        default=ways[0] if key not in st.session_state else None,
        required=True,
        key=key,
        persist_state="session",
    )
    return str(by)


def coloured(
    library: Library,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    by: str,
    model: Mapping[str, Any] | None,
) -> views.MapView:
    """Colour the cells of some sections, asking for what that needs."""
    if model is not None and by == SCORE:
        request, thresholds = risk.choose(
            library.tokenised(library.sections(), model["sha256"]), model["sha256"]
        )
        how = risk.score(library, request)
        risk.say_cover(how)
        scored = views.cells_of(library, sections, model["sha256"], request.run)
        return views.by_activation(sections, scored, thresholds, how)
    if model is not None and by == TOKEN:
        return views.by_token(sections, cells, choose_tokens(cells), model)
    if model is not None and by == DISTANCE:
        return views.by_distance(sections, cells)
    if by == GENE:
        return views.by_gene(library, sections, cells, choose_gene(library, sections))
    if by == DEPTH:
        return views.by_depth(sections, cells)
    if keys.CELL_TYPE not in cells or not cells[keys.CELL_TYPE].notna().any():
        st.info("These sections have no cell types; map the column when adding a section that has some.")
    return views.by_type(sections, cells)
