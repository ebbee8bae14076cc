"""The dashboard: navigation, and what every page carries. Start: python -m streamlit run app/main.py.

The server imports this file for its application; each visit to a page then runs it as a script.
"""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import listening, server_logs
from app.engine import supervisor

if get_script_run_ctx(suppress_warning=True) is None:
    listening.check()  # before anything is started

with suppress(RuntimeError):  # where no server runs, as in a test or a page
    asyncio.get_running_loop()
    server_logs.configure()
    supervisor.begin()  # beside the imports that follow

from app import identity, who
from app.components import door
from app.components.away import show_away
from app.components.behind import work_behind
from app.components.frame import show_frame
from app.components.view_link import restore
from app.leaving import note_session
from app.media import OwnMedia
from app.routes.health import HEALTH_ROUTES
from app.routes.maps import ROUTES
from app.routes.metrics import METRICS_ROUTES
from app.routes.uploads import UPLOAD_ROUTES
from app.text import sentence
from app.upkeep import upkeep
from app.web.failed_sign_in import BackToDoor
from app.web.garbage import after_run
from app.web.measures import Measure, note_run
from app.web.visitor import NameVisitors
from squint.errors import InputError
from squint.library.people import ADMIN


def _for_admins() -> list[StreamlitPage]:
    """Give the pages that only admins see."""
    if who.person().role != ADMIN:
        return []
    return [st.Page("../pages/audit.py", title="Audit", icon=":material/policy:")]


def draw() -> None:
    """Draw the page that a visitor asks for."""
    st.set_page_config(
        page_title="squint", page_icon=str(Path(__file__).parent / "assets" / "icon.png"), layout="wide"
    )
    note_session()
    if not door.is_open() or show_away():
        return
    page = st.navigation(_pages(), position="top")
    has_project = who.project() is not None
    began = time.perf_counter()
    try:
        if has_project:
            restore()
        show_frame()
        if has_project:
            work_behind()
        page.run()
    except InputError as error:  # as of a result that was deleted while the page was drawn
        st.error(sentence(str(error)))
    finally:  # a page may stop or begin anew
        note_run(page.title, began)
        after_run()


def _pages() -> dict[str, list[StreamlitPage]]:
    """List the pages by group: all of them, but for somebody who is in no project."""
    if identity.is_needed():
        projects = st.Page("../pages/projects.py", title="Projects", icon=":material/folder_shared:")
        if who.project() is None:
            return {"": [projects]}
    pages = {
        "": [
            st.Page("../pages/sections.py", title="Sections", icon=":material/photo_library:", default=True),
            st.Page("../pages/cell_types.py", title="Cell types", icon=":material/category:"),
            st.Page("../pages/tokens.py", title="Tokens", icon=":material/grain:"),
            st.Page("../pages/risk_map.py", title="Risk map", icon=":material/map:"),
            st.Page("../pages/compare.py", title="Compare", icon=":material/balance:"),
            st.Page(
                "../pages/differential_expression.py",
                title="Differential expression",
                icon=":material/compare_arrows:",
            ),
            st.Page("../pages/report.py", title="Report", icon=":material/summarize:"),
        ],
        "Explore": [
            st.Page("../pages/codebook.py", title="Codebook", icon=":material/menu_book:"),
            st.Page("../pages/borders.py", title="Borders", icon=":material/contrast_square:"),
            st.Page("../pages/co_occurrence.py", title="Co-occurrence", icon=":material/hub:"),
            st.Page("../pages/perturbation.py", title="Perturbation", icon=":material/science:"),
        ],
        "Fill in": [
            st.Page("../pages/in_painting.py", title="In-painting", icon=":material/healing:"),
            st.Page("../pages/z_stack.py", title="Z-stack", icon=":material/layers:"),
        ],
        "Manage": [
            st.Page("../pages/models.py", title="Models", icon=":material/model_training:"),
            st.Page("../pages/jobs.py", title="Jobs", icon=":material/work_history:"),
        ],
    }
    if identity.is_needed():
        pages["Manage"].append(projects)
    pages["Manage"] += _for_admins()
    return pages


if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(
        __file__,
        routes=[*ROUTES, *UPLOAD_ROUTES, *HEALTH_ROUTES, *METRICS_ROUTES],
        # Measured first, so that what the doors refuse is counted.
        middleware=[
            Middleware(Measure),
            *listening.doors(),
            Middleware(NameVisitors),
            Middleware(OwnMedia),
            Middleware(BackToDoor),
        ],
        lifespan=upkeep,
    )
else:
    draw()
