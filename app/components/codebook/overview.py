"""All tokens in use, searched, and one of them chosen."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import Export, export_row
from app.components.tokens import names as token_names
from app.components.tokens import profiles
from app.exports.stamp import counts, stamp
from app.models import ModelFacts
from squint.files import list_sha256
from squint.library import profiles as token_profiles
from squint.library import token_naming
from squint.library.store import Library

_TABLE, _SEARCH = "codebook_table", "codebook_search"
_IN_LINK = "token"  # name of the token in the page's address


def choose_token(library: Library, model: ModelFacts) -> str:
    """Show all tokens in use, and let the user search and choose; a link remembers which."""
    table = _described(library, model)
    options = [str(token) for token in table["token"]]
    over = token_profiles.described_by(library, model.sha256)
    st.caption(f"{len(options)} of {model.n_codes} tokens are in use ({counts(over)}).")
    asked = st.text_input(
        "Search",
        key=_SEARCH,
        placeholder="a gene, a cell type, a section, a name, a word of a note, or a number",
        icon=":material/search:",
    )
    found = table[_matches(table, asked)]
    if found.empty:
        st.info(
            "No token has that among its top genes, types, sections, name or note. To rank all tokens by "
            "any gene, look at a gene above."
        )
    st.dataframe(
        found,
        hide_index=True,
        height=min(38 + 35 * max(len(found), 1), 320),
        key=_TABLE,
        on_select=partial(_take_row, [str(token) for token in found["token"]]),
        selection_mode="single-row",
        column_config=_COLUMNS,
    )
    marks = stamp("Codebook", over, model, {"top genes": "ratio of shares of counts"})
    export_row(Export("codebook", marks, table=lambda: table))
    return _choose(library, model, options)


_COLUMNS = {
    "token": st.column_config.TextColumn("Token", width="small"),
    "name": st.column_config.TextColumn("Name", width=130),
    "note": st.column_config.TextColumn("Note", width=110),
    "n_cells": st.column_config.NumberColumn("Cells", format="localized"),
    "share": st.column_config.ProgressColumn("Share of cells", format="percent", min_value=0, max_value=1),
    "top_genes": st.column_config.TextColumn("Top genes", width=240),
    "top_types": st.column_config.TextColumn("Cell types", width=220),
    "sections": st.column_config.TextColumn("Found in (most cells first)", width=190),
}


def _described(library: Library, model: ModelFacts) -> pd.DataFrame:
    """List the tokens in use, with their names and notes; say of which these are damaged."""
    table = profiles(library, model).drop(columns="name")
    named = token_naming.named(library, model.sha256)
    if broken := token_naming.damaged(named):
        st.error(
            f"The last change of the name of token {', '.join(broken)} is damaged in the library. Choose "
            "the token and undo it, or name it again."
        )
    for column, place in (("name", 0), ("note", 1)):
        values = [getattr(named.get(str(token)), column, "") for token in table.index]
        table.insert(place, column, values)
    return table.sort_values("n_cells", ascending=False, kind="stable").reset_index()


def _matches(table: pd.DataFrame, asked: str) -> "pd.Series[bool]":
    """Say which rows hold every word that is asked for."""
    words = table[["token", "name", "note", "top_genes", "top_types", "sections"]].astype(str)
    text = words.agg(" ".join, axis=1).str.casefold() if len(table) else pd.Series(dtype=str)
    found = pd.Series(data=True, index=table.index)
    for word in asked.casefold().split():
        found &= (table["token"] == word) if word.isdecimal() else text.str.contains(word, regex=False)
    return found


def _take_row(tokens: Sequence[str]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows:
        st.session_state[session.TOKEN_SHOWN] = tokens[rows[0]]


def _take_choice(key: str) -> None:
    st.session_state[session.TOKEN_SHOWN] = st.session_state[key]


def _choose(library: Library, model: ModelFacts, options: Sequence[str]) -> str:
    linked = st.query_params.get(_IN_LINK)
    if session.TOKEN_SHOWN not in st.session_state and linked in options:
        st.session_state[session.TOKEN_SHOWN] = linked
    session.keep_valid(session.TOKEN_SHOWN, options)
    names = token_names(library, model)
    first = st.session_state.get(session.TOKEN_SHOWN, options[0])
    key = f"{session.TOKEN_SHOWN}-{list_sha256([names.get(one, one) for one in options])[:8]}"
    st.session_state[key] = first  # a browser keeps the words of a choice, so other words are another widget
    chosen = str(
        st.selectbox(
            "Token (or click a row above)",
            options,
            format_func=lambda token: names.get(token, token),
            key=key,
            on_change=_take_choice,
            args=(key,),
        )
    )
    st.session_state[session.TOKEN_SHOWN] = chosen
    if st.query_params.get(_IN_LINK) != chosen:
        st.query_params[_IN_LINK] = chosen
    return chosen
