"""What every page carries: which model on which device, and what it is not for."""

import streamlit as st

from app import session, who
from app.components.account import show_account
from app.components.map.cell_map.component import fetch_scripts
from app.components.view_link import offer_link
from app.engine.client import AWAY
from app.engine.facts import is_away, worker_facts, worker_problem
from app.settings import NOTICE, app_version, settings
from app.text import as_text, sentence

_LOOK_S = 10  # between two looks whether the engine is still there

_STYLE = """
<style>
.st-key-foot {{
  position: fixed; bottom: 0; left: 0; right: 0; width: 100vw; z-index: 1000; padding: 6px 24px;
  background: {background}; border-top: 1px solid rgba(128, 128, 128, 0.35);
}}
.st-key-scripts {{ position: absolute; left: 0; width: 1px; height: 1px; overflow: hidden; }}
.st-key-foot p {{ font-size: 13px; margin: 0; }}
.st-key-foot [data-testid="stMarkdownContainer"] {{ margin-bottom: 0; }}
.stMainBlockContainer {{ padding: 3.75rem 3rem 5rem 3rem; max-width: 1880px; }}
[data-testid="stMetricValue"] {{ font-size: 1.3rem; }}
</style>
"""


def show_frame() -> None:
    """Write the foot of every page, always visible: what it is not for, and which model runs where."""
    st.html(_STYLE.format(background="#11161B" if st.context.theme.type == "dark" else "#FFFFFF"))
    with st.container(
        key="foot", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown(f"**{NOTICE}**", width="content")
        if not session.library_problem():  # else the page says so
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                offer_link()
                st.markdown("Model", width="content")
                session.choose_model()
                _model_line()
    show_account()
    with st.container(key="scripts"):  # takes no room
        fetch_scripts()


def _model_line() -> None:
    """Say what the model is and where it runs; while that may change by itself, look again every second."""
    said = _model_words()
    waiting = worker_facts() is None or is_away(settings().home)

    @who.fragment(run_every=1 if waiting else _LOOK_S)
    def line() -> None:
        now = _model_words()
        if now != said:
            st.rerun()
        st.markdown(now, width="content")

    line()


def _model_words() -> str:
    """Say what the model is and where it runs, or why it does not."""
    worker, problem = worker_facts(), session.why_no_model()
    if worker is not None and is_away(settings().home):
        return sentence(AWAY)
    if worker is None and worker_problem():
        return f"No model: {sentence(worker_problem())}"
    if problem:
        return f"No model: {sentence(problem)}"
    model = session.model()
    simulated = ", trained on simulated data" if model.simulated else ""
    where = "starting …" if worker is None else f"on {as_text(worker.device)}"
    what = f"**{model.sha256[:12]}**, {model.n_codes} codes{simulated}"
    return f"{what}, {where} · squint {as_text(app_version())}"
