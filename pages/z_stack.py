"""Z-stack: levels of one piece of tissue, in three dimensions and in-painted (paper, section 5.2)."""

import streamlit as st

from app import session
from app.components.z_stack import imputation, stack, virtual_section

st.title("Z-stack")
library, model = session.library(), session.find_model()
chosen = stack.choose(library)
stack.say_depth(chosen)

if chosen.block:
    stack.show_in_3d(library, chosen, {}, None, model)
    st.stop()
positions = stack.aligned_positions(library, chosen)
imputed = imputation.impute(library, chosen)
stack.show_in_3d(library, chosen, positions, imputed, model)

virtual_section.show(library, chosen, positions, model)

imputation.introduce(library, chosen, imputed)
if imputed:
    imputation.show_quality(imputed, chosen, model)
    imputation.show_level(imputed, chosen, positions, library, model)
stack.show_alignment(library, chosen, model)
