"""Putting the simulated sections away, for those who have sections of their own."""

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from app import session, who
from app.components.sections.gallery import forget_maps
from app.exports.stamp import many
from app.settings import settings
from squint.errors import InputError
from squint.library.store import Library, Section


def show_simulated(library: Library, sections: Sequence[Section]) -> None:
    """Offer to hide or remove the simulated sections, or to show them again.

    Parameters
    ----------
    library
        Where they are.
    sections
        Those that are not hidden.
    """
    shown, hidden = [one for one in sections if one.simulated], library.hidden()
    if not (shown or hidden) or not session.may_change():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if shown:
            words = f"{many(len(shown), 'simulated section')} to try the pages with."
            st.markdown(words, width="content")
            st.button(
                "Hide",
                key="hide-simulated",
                icon=":material/visibility_off:",
                on_click=library.hide,
                args=([one.id for one in shown],),
                help="They stay in the library, but no page lists, shows or counts them until you show them "
                "again.",
            )
        if hidden:
            have = "is" if len(hidden) == 1 else "are"
            st.markdown(
                f"{many(len(hidden), 'simulated section')} {have} hidden: no page lists, shows or counts "
                f"{'it' if len(hidden) == 1 else 'them'}.",
                width="content",
            )
            st.button(
                "Show again",
                key="show-simulated",
                icon=":material/visibility:",
                on_click=library.show,
                args=([one.id for one in hidden],),
            )
        if st.button("Remove", key="remove-simulated", icon=":material/delete:", type="tertiary"):
            _confirm_removal(library, [*shown, *hidden])


def step_aside(library: Library, kept: Sequence[str]) -> None:
    """Hide the simulated sections once: with the first that somebody keeps of their own.

    Parameters
    ----------
    library
        Where all of them are.
    kept
        Ids of those that were kept just now.
    """
    there = library.sections()
    own = {one.id for one in [*there, *library.hidden()] if not one.simulated}
    if own and own <= set(kept):
        library.hide([one.id for one in there if one.simulated])


def offer_samples(library: Library, sections: Sequence[Section]) -> None:
    """Offer to import the simulated cohort again where there is nothing simulated any more."""
    there = any(one.simulated for one in [*sections, *library.hidden()])
    gone = library.samples_imported() or session.without_samples()
    if gone and not there and any(settings().samples.glob("*.h5ad")):
        st.button(
            "Import the simulated sample cohort",
            key="import-samples",
            type="tertiary",
            icon=":material/science:",
            on_click=_ask_for_samples,
            args=(library,),
        )


def _ask_for_samples(library: Library) -> None:
    session.want_samples(wanted=True)
    library.forget_samples()


def _remove(library: Library, section_ids: Sequence[str]) -> None:
    """Delete sections, and what maps hold of them in memory."""
    with suppress(InputError):  # they are gone: somebody was faster
        library.delete(*section_ids)
    forget_maps()


@who.dialog("Remove the simulated sections?")
def _confirm_removal(library: Library, sections: Sequence[Section]) -> None:
    st.markdown(
        f"**{many(len(sections), 'simulated section')}**, with the tokens, scores and models that were made "
        "of them and the cells that they have in cell sets, are removed from the server. Results that were "
        "made of them and of your own sections together go too, and are made again when a page needs them. "
        "The sample cohort that comes with squint can be imported again under *Add a section*."
    )
    if st.button(
        "Remove for good",
        type="primary",
        key="remove-for-good",
        on_click=_remove,
        args=(library, [one.id for one in sections]),
    ):
        st.rerun()
