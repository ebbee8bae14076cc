"""Tokens: where they are, and what they are."""

import streamlit as st

from app import session, who
from app.components import risk
from app.components.map.colouring import DISTANCE, GENE, GENE_SET, SCORE, SET, TOKEN, TYPE, coloured
from app.components.map.tissue_map import show_map
from app.components.tokens import describe_tokens, tokenised
from app.maps import views

st.title("Tokens")
library, model = session.library(), session.model()
st.caption(
    "A token is the number of a tissue pattern. For each cell, the model looks at the genes of that cell and "
    f"of its nearest neighbours and names the one of its {model.n_codes} patterns that fits best. Cells "
    "with the same token live in similar surroundings, in whatever section or patient they are. The numbers "
    "have no order, and no cell type was given to the model: types only describe a token afterwards."
)
sections = session.choose_sections(tokenised(library, model))


@who.fragment()
def map_of_cells() -> None:
    """Show where the tokens are; what is chosen here changes nothing else on the page."""
    cells = views.cells_of(library, sections, model.sha256)
    colour = st.segmented_control(
        "Colour cells by",
        [TOKEN, GENE, GENE_SET, TYPE, SCORE, DISTANCE, SET],
        default=TOKEN,
        required=True,
        key=session.COLOUR,
        bind="query-params",
        help="Distance: how far a cell is from its token, and so how new to the model.",
    )
    show_map(coloured(library, sections, cells, str(colour), model), model, "tokens", on=risk.DRAGGED)


map_of_cells()
st.header("What a token is")
describe_tokens(library, sections, views.cells_of(library, sections, model.sha256), model)
