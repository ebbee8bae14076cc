"""What cells of some sections are coloured by, with the widgets that each way needs."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.store import CellSet, CellSets
from app.components import risk
from app.components.gene_sets import choose_scored_set, scored
from app.components.links import to_cell_types
from app.components.tokens import choose_gene, choose_tokens
from app.components.tokens import names as token_names
from app.exports.stamp import many
from app.maps import views
from app.models import ModelFacts
from app.text import sentence
from squint import keys
from squint.errors import InputError
from squint.library.store import Library, Section

TOKEN, SCORE, DISTANCE = "Token", "Activation score", "Distance"
GENE, TYPE, DEPTH, SET = "Gene", "Cell type", "Counts per cell", "Cell set"
GENE_SET = "Gene set"
OF_MODEL = (TOKEN, SCORE, DISTANCE)  # what only tokenised sections have


def first_colour(
    library: Library, sections: Sequence[Section], model: ModelFacts | None, ways: Sequence[str]
) -> str:
    """Name what cells of some sections are coloured by at first: the first of these that all of them have.

    Cell types, tokens by the model, counts; of these only ``ways``. A map of grey cells would show nothing.
    """
    if TYPE in ways and all(section.n_cell_types for section in sections):
        return TYPE
    if TOKEN in ways and model and len(library.tokenised(sections, model.sha256)) == len(sections):
        return TOKEN
    return DEPTH


def choose_colour(ways: Sequence[str], key: str, first: str) -> str:
    """Let the user choose what cells are coloured by; the choice outlives a change of page.

    Until somebody has chosen, it is ``first``, which may change with what is shown.
    """
    session.keep_valid(key, ways, first)
    if not session.has_chosen(key):
        st.session_state[key] = first
    by = st.segmented_control(
        "Colour cells by",
        ways,
        required=True,
        key=key,
        persist_state="session",
        on_change=session.note_chosen,
        args=(key,),
    )
    return str(by)


def coloured(
    library: Library,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    by: str,
    model: ModelFacts | None,
) -> views.MapView:
    """Colour the cells of some sections, asking for what that needs."""
    if model is not None and by in OF_MODEL:
        return _by_model(library, sections, cells, by, model)
    if by == GENE:
        return views.by_gene(library, sections, cells, choose_gene(library, sections))
    if by == GENE_SET:
        return _by_gene_set(library, sections, cells)
    if by == DEPTH:
        return views.by_depth(sections, cells)
    if by == SET:
        return views.by_cell_set(library, sections, cells, _choose_sets(library, sections))
    if keys.CELL_TYPE not in cells or not cells[keys.CELL_TYPE].notna().any():
        st.info("These sections have no cell types yet. Name the cells on the page Cell types.")
        to_cell_types()
    return views.by_type(library, sections, cells)


def _by_model(
    library: Library, sections: Sequence[Section], cells: pd.DataFrame, by: str, model: ModelFacts
) -> views.MapView:
    if by == TOKEN:
        names = token_names(library, model)
        return views.by_token(sections, cells, choose_tokens(cells, names), names, model)
    if by == DISTANCE:
        return views.by_distance(sections, cells)
    tokenised = library.tokenised(library.sections(), model.sha256)
    request, thresholds = risk.choose(library, tokenised, model.sha256)
    how = risk.score(library, request)
    risk.say_cover(library, how, model.sha256)
    scored = views.cells_of(library, sections, model.sha256, request.result)
    return views.by_activation(sections, scored, thresholds, how)


def _by_gene_set(library: Library, sections: Sequence[Section], cells: pd.DataFrame) -> views.MapView:
    chosen = choose_scored_set(library, sections)
    if chosen is None:
        return views.by_depth(sections, cells)
    scores, how = scored(library, sections, chosen)
    return views.by_gene_set(sections, cells, scores, chosen.name, how, smoothed=chosen.smoothed)


def _choose_sets(library: Library, sections: Sequence[Section]) -> list[CellSet]:
    """Let the user choose cell sets with cells in some sections; the newest at first."""
    try:
        here = {one.id: (one, n) for one, n in CellSets(library).within(sections)}
    except InputError as error:
        st.error(sentence(str(error)))
        return []
    if not here:
        st.info("No cell set has cells in these sections. Draw around some on the map of sections.")
        return []
    start = list(here)[-session.MAX_SETS_SHOWN :]
    session.keep_valid(session.SETS, list(here), start)
    chosen = st.multiselect(
        f"Cell sets (at most {session.MAX_SETS_SHOWN})",
        list(here),
        default=start if session.SETS not in st.session_state else None,
        format_func=lambda set_id: f"{here[set_id][0].name} ({many(here[set_id][1], 'cell')})",
        max_selections=session.MAX_SETS_SHOWN,
        key=session.SETS,
        persist_state="session",
    )
    return [here[set_id][0] for set_id in chosen]
