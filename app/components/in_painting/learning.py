"""A model that was trained here without the part that in-paints learns it when somebody first asks."""

import streamlit as st

from app import session
from app.components.job import run
from app.models import trained_on
from app.requests import LearnToInpaint
from app.text import as_text
from squint.library.models import MOST_LETTERS, KnownModel
from squint.library.store import Library, Section
from squint.model.card import REFUSE_BELOW

_ASKED = "_learning_to_inpaint"
_WORD = ", in-paints"
_LIMIT_S = 24 * 3600.0


def offer_to_learn(library: Library, section: Section) -> None:
    """Offer to teach the model in use to in-paint, where it suits a section and its own ones are here."""
    if not session.may_change():
        return
    asked: LearnToInpaint | None = st.session_state.get(_ASKED)
    if asked is not None:
        folder = run(
            asked,
            library,
            "Learning to in-paint",
            limit_s=_LIMIT_S,
            closed=lambda: st.session_state.pop(_ASKED, None),
        )
        if folder is not None:
            del st.session_state[_ASKED]
            st.session_state[session.TRAINED] = folder
            st.rerun()
        return
    models = session.models()
    model = next(one for one in models if str(one.folder) == st.session_state[session.MODEL])
    ids = _sections(library, model, models, section)
    if not ids:
        return
    name = f"{model.name[: MOST_LETTERS - len(_WORD)]}{_WORD}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"The model in use, **{as_text(model.name)}**, has not learned to in-paint. It can, from the "
            "sections that it was trained on; its tokens stay the same.",
            width="content",
        )
        st.button(
            "Teach it",
            key="learn-to-inpaint",
            on_click=st.session_state.update,
            args=({_ASKED: LearnToInpaint(model.sha256, ids, name)},),
        )


def _sections(
    library: Library, model: KnownModel, models: list[KnownModel], section: Section
) -> tuple[str, ...]:
    """Give the ids of the sections that a model could learn from; none if it cannot, need not, or did."""
    card = model.card
    if card is None or card.in_paints:
        return ()
    for other in (one.card for one in models if one.card is not None and one.card.in_paints):
        if (other.sections, other.genes, other.model) == (card.sections, card.genes, card.model):
            return ()
    if card.n_shared(library.genes(section.id)) < REFUSE_BELOW * len(card.genes):
        return ()
    return trained_on(library, card)
