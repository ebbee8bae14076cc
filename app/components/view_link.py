"""A link to what somebody sees: page, sections, model, colours, windows of maps, thresholds and sets."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from app import audit, identity, session, who
from app.components.copy_button import copy_button
from app.exports.stamp import many
from app.maps.served import Served
from app.refusals import refused
from app.text import sentence
from squint.errors import InputError
from squint.library import views
from squint.library.chain import LINK
from squint.library.place import of_word, word_of
from squint.library.store import Library

PARAMETER, PROJECT = "view", "project"
_SAID, _TAKEN = "_view_said", "_view_taken"
_SCHEMA = 1
_KEYS = (  # of what pages remember; those that end in "-" are followed by what they are of
    *(
        session.DOUBTFUL,
        session.SHOWN,
        session.HIGHLIGHTED,
        session.COLOUR,
        session.PLAIN_COLOUR,
        session.GENE,
    ),
    *(session.REFERENCE, session.AGAINST, session.MODE, session.N_CODES, session.THRESHOLDS),
    *(session.COMPARE_BY, f"{session.GROUP}-", f"{session.REFERENCE_GROUP}-", session.WITHIN, session.TEST),
    *(session.GROUP_SET, session.REFERENCE_SET, session.CELL_SET, session.SETS, session.GENE_SET),
    *(session.STACK, session.STACK_COLOUR, session.STACK_GENE, session.LEVEL, session.ALIGNED),
    *(session.OVER, session.N_TOKENS, session.LOG_RATIOS, session.N_COMMUNITIES, session.COMMUNITY),
    *(session.DARK_GROUND, session.REPORT_TITLE, session.REPORT_PARTS),
    *(session.TRANSCRIPTS, session.SMOOTHED, f"{session.IMAGE}-section", session.TYPED, f"{session.SHOWN}-"),
    *(session.CODEBOOK, session.TOKEN_SHOWN, session.OTHER_MODEL),
    *(session.BORDER_OF, f"{session.INSIDE}-", f"{session.AROUND}-"),
    *(session.COMPARED, session.COMPARED_PATIENTS, session.COMPARED_BY, session.NEW_PATIENT),
    *(f"{session.AMONG}-", session.FACT, session.FACT_GROUP, session.FACT_REFERENCE, session.MEASURE),
    *(session.PERTURBED, f"{session.PERTURBED}-", session.REPLACED_BY, f"{session.REPLACED_BY}-"),
    *(f"{session.RESPONDERS}-", session.PROGRAMME),
    *(f"{session.LEVEL}-", f"{session.TARGET}-", f"{session.BETWEEN_Z}-", f"{session.BETWEEN_STEP}-"),
    *(session.BETWEEN_GENE, session.BETWEEN_COLOUR, session.BETWEEN_POSITIONS),
    *(session.MARKED_SECTION, session.MARK_COLOUR, session.N_DRAWS, session.FILL, session.FILL_HOW),
    *(session.WHOLE, session.RELATIVE),
)
_PAIRS = {session.THRESHOLDS}  # of sliders with two ends


def offer_link() -> None:
    """Offer a link to what is seen now."""
    if st.button(
        "Link to this view",
        key="view_link",
        icon=":material/link:",
        type="tertiary",
        help="A link that opens this page as you see it: sections, model, colours, windows of maps, "
        "thresholds and sets.",
    ):
        _show_link()


@who.dialog("Link to this view")
def _show_link() -> None:
    try:
        library = session.library()
        key = views.keep(library, _seen())
        audit.exported(library.home, LINK, key, st.session_state.get(session.SHOWN, []))
    except InputError as error:
        st.error(sentence(str(error)))
        return
    here = urlsplit(st.context.url or "")
    link = urlunsplit((here.scheme, here.netloc, here.path, f"{_of_project()}{PARAMETER}={key}", ""))
    st.code(link, language=None, wrap_lines=True)
    copy_button("Copy the link", link, "view_link_copy")
    st.caption(
        "The view lies on this server, so that the address names neither patients nor sections; it opens for "
        + ("members of this project." if identity.is_needed() else "whoever can open this dashboard.")
    )


def restore() -> None:
    """Restore the view that the address of the page names, and say what of it is gone."""
    key, project = st.query_params.get(PARAMETER), st.query_params.get(PROJECT)
    if project is not None:
        del st.query_params[PROJECT]
        key = _go_to(project, key)
    if key is not None:
        st.query_params.pop(PARAMETER, None)
        if st.session_state.get(_TAKEN) != key:
            st.session_state[_TAKEN] = key
            st.session_state[_SAID] = _take(session.library(), key)
    for line in st.session_state.pop(_SAID, []):
        st.warning(line)


def _of_project() -> str:
    """Say in an address which project it is of, where there are several."""
    opened = who.project()
    return f"{PROJECT}={word_of(opened.id)}&" if identity.is_needed() and opened is not None else ""


def _go_to(project: str, key: str | None) -> str | None:
    """Open the project that a view is of; give the view's name, which names nothing to who is not in it."""
    opened, wanted = who.project(), of_word(project)
    if opened is None or wanted == opened.id:
        return key
    if wanted is not None and any(one.id == wanted for one in who.projects()):
        who.open_project(wanted)
        if key is not None:
            st.query_params[PARAMETER] = key
        st.rerun()
    refused(who.person().id, "open view", wanted)
    return "gone" if key is not None else None


def _seen() -> dict[str, Any]:
    """Say what is seen, as JSON."""
    state = st.session_state
    values = {
        str(key): list(value) if isinstance(value, tuple) else value
        for key, value in state.items()
        if _is_of_view(str(key)) and _is_plain(value)
    }
    maps = {
        str(key).removeprefix("_served-"): dict(value.state)
        for key, value in state.items()
        if str(key).startswith("_served-") and isinstance(value, Served) and value.state
    }
    model = session.find_model()
    return {
        "schema": _SCHEMA,
        "values": values,
        "maps": maps,
        "model": model.sha256 if model else "",
    }


def _is_of_view(key: str) -> bool:
    return any(key.startswith(one) if one.endswith("-") else key == one for one in _KEYS)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | int | float) for item in value)
    return value is None or isinstance(value, str | int | float)


def _take(library: Library, key: str) -> list[str]:
    """Take a view into this session; return what of it is gone, in words."""
    try:
        view = views.find(library, key)
    except InputError as error:
        return [sentence(str(error))]
    if view.get("schema") != _SCHEMA:
        return [sentence(views.GONE)]
    for name, value in view["values"].items():
        st.session_state[name] = tuple(value) if name in _PAIRS and value else value
        session.choose(name)  # it stays, where a page would follow what there is
    for place, state in view["maps"].items():
        session.put_map_state(place, state)
    return [*_take_sections(library, view["values"].get(session.SHOWN)), *_take_model(view["model"])]


def _take_sections(library: Library, shown: Sequence[str] | None) -> list[str]:
    if shown is None:
        return []
    here = {section.id for section in library.sections()}
    n_gone = sum(one not in here for one in shown)
    verb = "is" if n_gone == 1 else "are"
    return [f"{many(n_gone, 'section')} of this view {verb} not in the library any more."] if n_gone else []


def _take_model(sha256: str) -> list[str]:
    if not sha256:
        return []
    model = next((one for one in session.models() if one.sha256 == sha256 and not one.problem), None)
    if model is None:
        return ["The model of this view is not here any more: another one is shown."]
    st.session_state[session.MODEL] = str(model.folder)
    return []
