"""What every page carries: which model on which device, and what it is not for."""

import streamlit as st

from app import session
from app.components.job import run
from app.components.map.cell_map.component import fetch_scripts
from app.engine.facts import WorkerFacts, worker_facts, worker_problem
from app.requests import ImportSamples
from app.settings import NOTICE, app_version, settings
from app.text import as_text, sentence

_STYLE = """
<style>
.st-key-foot {{
  position: fixed; bottom: 0; left: 0; right: 0; width: 100vw; z-index: 1000; padding: 6px 24px;
  background: {background}; border-top: 1px solid rgba(128, 128, 128, 0.35);
}}
.st-key-scripts {{ position: absolute; }}
.st-key-foot p {{ font-size: 13px; margin: 0; }}
.st-key-foot [data-testid="stMarkdownContainer"] {{ margin-bottom: 0; }}
.stMainBlockContainer {{ padding: 3.75rem 3rem 5rem 3rem; max-width: 1880px; }}
[data-testid="stMetricValue"] {{ font-size: 1.3rem; }}
</style>
"""


def show_frame() -> None:
    """Write the foot of every page, always visible: what it is not for, and which model runs where."""
    st.html(_STYLE.format(background="#11161B" if st.context.theme.type == "dark" else "#FFFFFF"))
    with st.container(key="foot", horizontal=True, horizontal_alignment="distribute"):
        st.markdown(f"**{NOTICE}**", width="content")
        _model_line()
    with st.container(key="scripts"):  # takes no room
        fetch_scripts()


def _model_line() -> None:
    """Say which model runs where; while it loads, look again every second."""
    waiting = worker_facts() is None and not worker_problem()

    @st.fragment(run_every=1 if waiting else None)
    def line() -> None:
        facts = worker_facts()
        if facts is None and not worker_problem():
            st.markdown("Model: loading …", width="content")
        elif waiting:
            st.rerun()
        elif facts is None:
            st.markdown(f"No model: {sentence(worker_problem())}", width="content")
        else:
            st.markdown(f"{_describe(facts)} · squint {as_text(app_version())}", width="content")

    line()


def _describe(facts: WorkerFacts) -> str:
    model = facts.model
    if model is None:
        return f"No model: {sentence(facts.problem)}"
    simulated = ", trained on simulated data" if model.simulated else ""
    return (
        f"Model: **{as_text(model.name)}** ({model.sha256[:12]}), {model.n_codes} codes{simulated}, "
        f"on {as_text(facts.device)}"
    )


def import_samples() -> None:
    """Fill a new library with the simulated cohort, while the page says how far it is."""
    library, samples = session.library(), settings().samples
    if library.samples_imported() or not any(samples.glob("*.h5ad")):
        return
    asked = ImportSamples(str(samples))
    if run(asked, library, "First start: importing the simulated sample cohort") is not None:
        st.rerun()
    st.button("Do without the samples", on_click=library.note_samples)
