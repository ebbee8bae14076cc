"""Tokens: where they are, and what they are."""

import streamlit as st

from app import session, views
from app.components.tissue_map import show_map
from app.components.tokens import choose_gene, choose_tokens, describe_tokens, tokenised
from squint import keys

st.title("Tokens")
library, model = session.library(), session.model()
st.caption(
    "A token is the number of a tissue pattern. For each cell, the model looks at the genes of that cell and "
    f"of its nearest neighbours and names the one of its {model['n_codes']} patterns that fits best. Cells "
    "with the same token live in similar surroundings, in whatever section or patient they are. The numbers "
    "have no order, and no cell type was given to the model: types only describe a token afterwards."
)
sections = session.choose_sections(tokenised(library, model))
cells = views.cells_of(library, sections, model["sha256"])

colour = st.segmented_control(
    "Colour cells by",
    ["Token", "Gene", "Cell type"],
    default="Token",
    required=True,
    key=session.COLOUR,
    bind="query-params",
)
if colour == "Token":
    view = views.by_token(sections, cells, choose_tokens(cells), model)
elif colour == "Gene":
    view = views.by_gene(library, sections, cells, choose_gene(library, sections))
else:
    view = views.by_type(sections, cells)
    if keys.CELL_TYPE not in cells or not cells[keys.CELL_TYPE].notna().any():
        st.info("These sections have no cell types; map the column when adding a section that has some.")
show_map(view, model, "tokens")

st.header("What a token is")
describe_tokens(library, sections, model)
