"""What was done, the newest first: filters, a page of rows at a time, and all of them as CSV."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import streamlit as st

from app import audit as noted
from app import session
from app.components.audit_log.words import Words, people_of, sections_of, words_of
from app.components.download import File, Left, download
from app.components.job import run
from app.exports.ready import taken
from app.exports.stamp import many
from app.requests import WriteLog
from squint.errors import InputError
from squint.library import audit
from squint.library.audit import NOBODY, PAGE, Filter, Row
from squint.library.chain import ACTIONS, LOG
from squint.library.store import Library

MOST_WRITTEN = 200_000  # rows in a file; `squint audit list --csv` writes all
_EARLIER, _FILE, _OF = "_audit_earlier", "_audit_file", "_audit_of"
_ALL = ""


def choose(library: Library) -> Filter:
    """Let the reader choose which rows are shown."""
    log = audit.log_of(library.home)
    people, sections = Words(people=people_of(library.home)), sections_of(library.home)
    ids = {NOBODY if one is None else str(one): people.person(one) for one in audit.people(log)}
    who, what, which, since, until = st.columns([2, 2, 3, 2, 2])
    person = who.selectbox(
        "Who",
        [_ALL, *ids],
        format_func=lambda one: ids.get(one, "Everybody"),
        key=session.AUDIT_WHO,
    )
    action = what.selectbox(
        "What",
        [_ALL, *ACTIONS],
        format_func=lambda one: one.capitalize() or "Everything",
        key=session.AUDIT_WHAT,
    )
    section = which.selectbox(
        "Section",
        [_ALL, *sections],
        format_func=lambda one: sections.get(one, one) or "All, and what is of none",
        key=session.AUDIT_SECTION,
        accept_new_options=True,
        help="Of one that was deleted, type its id, or how that begins.",
    )
    first = since.date_input("From, UTC", None, key=session.AUDIT_SINCE, format="YYYY-MM-DD")
    last = until.date_input("To, UTC", None, key=session.AUDIT_UNTIL, format="YYYY-MM-DD")
    return Filter(person or "", action or "", (section or "").strip(), _day(first), _day(last, 1))


def show(library: Library, wanted: Filter) -> None:
    """Show a page of rows, with ways to older and newer ones."""
    log = audit.log_of(library.home)
    if st.session_state.get(_OF) != wanted:
        st.session_state[_OF], st.session_state[_EARLIER] = wanted, []
        st.session_state.pop(_FILE, None)
    earlier: list[int] = st.session_state[_EARLIER]  # numbers that the pages before this one began behind
    end = audit.head(log)
    found = audit.rows(log, wanted, before=earlier[-1] if earlier else None, n=PAGE + 1)
    if not found and not earlier:
        st.info("No row of the log is so." if end.n else "Nothing is in the log yet.")
        return
    shown = found[:PAGE]
    st.dataframe(
        table(shown, words_of(library.home, shown)),
        hide_index=True,
        height=35 * min(len(shown) + 1, 16) + 3,
        row_height=35,
        column_config={
            "number": st.column_config.NumberColumn("Row", width=85, format="localized"),
            "time": st.column_config.TextColumn("Time, UTC", width=160),
            "who": st.column_config.TextColumn("Who", width=185),
            "what": st.column_config.TextColumn("What", width=90),
            "kind": st.column_config.TextColumn("Of what", width=100),
            "section": st.column_config.TextColumn("Section", width=150),
            "object": st.column_config.TextColumn("Which", width=130),
            "place": st.column_config.TextColumn("Where", width=115),
            "times": st.column_config.NumberColumn("Times", width=60),
            "id": st.column_config.TextColumn("Id of the section", width=150),
            "project": st.column_config.TextColumn("Project", width=110),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newer", icon=":material/chevron_left:", on_click=_back, disabled=not earlier)
        st.button(
            "Older",
            icon=":material/chevron_right:",
            on_click=_on,
            args=(shown[-1].id if shown else 0,),
            disabled=len(found) <= PAGE,
        )
        span = f"Rows {shown[-1].id:,} to {shown[0].id:,}. " if shown else ""
        st.caption(f"{span}n = {many(len(shown), 'row')} here; the log has {end.n:,}.", width="content")
    _offer(library, wanted)


def table(rows: Sequence[Row], words: Words) -> pd.DataFrame:
    """Give a row for each of some rows of the log, with names in place of ids."""
    frame = pd.DataFrame(
        {
            "number": [row.id for row in rows],
            "time": [row.time[:19].replace("T", " ") for row in rows],
            "who": [words.who(row) for row in rows],
            "what": [row.action for row in rows],
            "kind": [row.kind for row in rows],
            "section": [words.section(row) for row in rows],
            "object": [words.object(row) for row in rows],
            "place": [row.place.replace("_", " ") for row in rows],
            "times": [row.n for row in rows],
            "id": [row.section for row in rows],
            "project": [row.project[:12] for row in rows],
        }
    )
    idle = [name for name in ("object", "project") if not frame[name].any()]  # of nothing that is shown
    return frame.drop(columns=idle)


def _offer(library: Library, wanted: Filter) -> None:
    """Offer the rows that are wanted as CSV, with ids alone; that is noted as well."""
    if st.button("Prepare CSV", icon=":material/table_view:", help=_ABOUT_CSV):
        asked = {name: value for name, value in asdict(wanted).items() if name != "after"}
        made = run(WriteLog(**asked, most=MOST_WRITTEN), library, "Writing the log")
        if made is not None:
            st.session_state[_FILE] = (made["n"], *taken(library, Path(made["path"])))
    if _FILE in st.session_state:
        n, file = st.session_state[_FILE]
        download(
            f"Download audit.csv ({many(n, 'row')}, {file.n_bytes / 1e6:.1f} MB)",
            file.read,
            File("audit.csv", "text/csv"),
            Left(LOG),
            key="audit-download",
            type="primary",
        )


_ABOUT_CSV = (
    f"Up to {MOST_WRITTEN:,} of the rows that are chosen above, the newest, with ids in place of names. "
    "All of them: `squint audit list --csv FILE`."
)


def _on(last: int) -> None:
    st.session_state[_EARLIER].append(last)


def _back() -> None:
    st.session_state[_EARLIER].pop()


def _day(given: object, later: int = 0) -> str:
    return (given + timedelta(days=later)).isoformat() if isinstance(given, date) else ""


def flush_seen() -> None:
    """Let the rows that wait be written, so that what was done just now is shown."""
    try:
        noted.BEHIND.flush()
    except InputError:  # the state of the log says so
        return
