"""Differential expression: which genes differ between two groups of cells (paper, section 5.3)."""

import streamlit as st

from app import session
from app.components.comparison import genes, groups

st.title("Differential expression")
st.caption(
    "Choose two groups of cells. Every gene that all sections with such cells measure is compared; "
    "effects come before p-values."
)
library, model = session.library(), session.find_model()
sections = session.choose_sections(groups.countable(library))
found = groups.choose(library, sections, model)
groups.say_groups(found)

table = groups.differential(library, found, model)
marked = genes.choose_set(library, sections)
genes.show_genes(found, table, marked[1], model)
genes.show_gene(library, found, table, model)
genes.show_dots(library, found, table, marked, model)
genes.show_patients(library, found, model)
