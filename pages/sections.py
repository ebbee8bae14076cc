"""Sections: what is in the library, and how to add to it."""

from dataclasses import replace

import streamlit as st

from app import session, who
from app.components.behind import samples_are_coming
from app.components.map.colouring import (
    DEPTH,
    GENE,
    GENE_SET,
    SET,
    TOKEN,
    TYPE,
    choose_colour,
    coloured,
    first_colour,
)
from app.components.map.images import choose_one, show_images
from app.components.map.tissue_map import show_map
from app.components.map.transcripts import choose_transcripts
from app.components.sections.damaged import show_damaged
from app.components.sections.gallery import show_gallery
from app.components.sections.landmarks import show_landmarks
from app.components.sections.simulated import offer_samples, show_simulated
from app.components.sections.upload import show_next_step, show_upload
from app.maps import views

st.title("Sections")
library = session.library()
sections = library.sections()

if session.may_change():
    with st.expander("Add a section", expanded=session.begins_to_add(sections), icon=":material/add:"):
        show_upload(library)
        offer_samples(library, sections)
show_next_step()
show_damaged(library)
show_simulated(library, sections)
if not sections:
    why = "Nothing else is in the library." if library.hidden() else "The library is empty."
    st.info(
        "The simulated samples are on their way, and appear here one by one. Your own sections go above."
        if samples_are_coming()
        else f"{why} Add a section above: the output folder of an instrument, or a file with raw counts and "
        "positions of cells."
        if session.may_change()
        else f"{why} Whoever may change this project can add a section."
    )
    st.stop()
show_gallery(library, sections, tokens_follow=samples_are_coming())


@who.fragment()
def side_by_side() -> None:
    """Show some sections; what is chosen here changes nothing else on the page."""
    chosen = session.choose_sections(sections)
    model = session.find_model()
    with_tokens = library.tokenised(chosen, model.sha256) if model else []
    types = [TYPE] if any(section.n_cell_types for section in chosen) else []
    ways = [*types, *([TOKEN] if with_tokens else []), DEPTH, GENE, GENE_SET, SET]
    by = choose_colour(ways, session.PLAIN_COLOUR, first_colour(library, chosen, model, ways))
    cells = views.cells_of(library, chosen, model.sha256 if model and by == TOKEN else None)
    view = coloured(library, chosen, cells, by, model)
    spots = choose_transcripts(library, chosen)
    show_map(replace(view, transcripts=spots), model, "sections")
    section = choose_one(chosen)
    show_images(library, section)
    show_landmarks(library, section)


st.header("Side by side")
side_by_side()
