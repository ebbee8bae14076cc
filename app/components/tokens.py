"""Widgets about tokens."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import Export, export_row
from app.components.job import run
from app.components.links import to_models, to_sections
from app.exports.stamp import counts, many, stamp
from app.models import ModelFacts
from app.requests import SumTokens
from app.text import sentence
from squint import keys
from squint.library import profiles as token_profiles
from squint.library import token_naming
from squint.library.quality import doubted, is_newness_known, without_token
from squint.library.store import Library, Section
from squint.model.card import NOT_MEASURED
from squint.pl import MAX_HIGHLIGHTED, most_frequent

_DOUBTS_LISTED = 4


def tokenised(library: Library, model: ModelFacts, *, unknown_too: bool = False) -> list[Section]:
    """List the sections with tokens by this model; if there are none, say what to do and stop the page.

    What the model knows little of is set aside where others are left, unless the user wants it, or the page
    itself does (``unknown_too``).
    """
    every = library.sections()
    found = library.tokenised(every, model.sha256)
    if not every:
        st.info("There are no sections yet. Add one on the page Sections.")
        to_sections()
        st.stop()
    if not found:
        st.info("No section has tokens by this model yet. Tokenise one on the page Sections.")
        to_sections()
        st.stop()
    if len(found) < len(every):
        n = len(every) - len(found)
        st.caption(f"{n} of {len(every)} sections have no tokens by this model and are not listed here.")
    if not unknown_too:
        found = _known(library, found, model.sha256)
    say_doubts(library, found, model.sha256)
    say_without_token(library, found, model.sha256)
    return found


def _known(library: Library, sections: Sequence[Section], model: str) -> list[Section]:
    """Set aside what the model knows little of, unless nothing else of real tissue is left to look at."""
    doubts = doubted(library, sections, model)
    known = [section for section in sections if section.id not in doubts]
    aside = [section for section in sections if section.id in doubts]
    if not (known and aside) or all(section.simulated for section in known) != all(
        section.simulated for section in sections
    ):
        return list(sections)
    said, wanted = st.columns([5, 1], vertical_alignment="center")
    first = f"{sentence(aside[0].title)}: {', '.join(doubts[aside[0].id])}"
    said.caption(
        f"{many(len(aside), 'section')} {'is' if len(aside) == 1 else 'are'} set aside, as tokens may mean "
        f"nothing there: the model knows little of such tissue ({first}{'; …' if len(aside) > 1 else ''})."
    )
    # Set, so that it is the same on every page: of its own, a widget remembers for one page.
    st.session_state[session.DOUBTFUL] = bool(st.session_state.get(session.DOUBTFUL))
    show_too = wanted.toggle("Show them too", key=session.DOUBTFUL, persist_state="session")
    return list(sections) if show_too else known


def say_doubts(library: Library, sections: Sequence[Section], model: str) -> None:
    """Warn of sections that the model knows little of."""
    doubts = doubted(library, sections, model)
    lines = [
        f"{section.title}: {', '.join(doubts[section.id])}" for section in sections if section.id in doubts
    ]
    more = f"; and {many(len(lines) - _DOUBTS_LISTED, 'more section')}" if len(lines) > _DOUBTS_LISTED else ""
    if lines:
        st.warning(
            "**Tokens and scores of these sections may mean nothing**, for the model knows little of such "
            f"tissue. {sentence('; '.join(lines[:_DOUBTS_LISTED]))}{more}.",
            icon=":material/warning:",
        )
    if not is_newness_known(library, sections, model):
        st.caption(f":material/info: {NOT_MEASURED}")


def say_without_token(library: Library, sections: Sequence[Section], model: str) -> None:
    """Say how many cells of some sections have no token, if any, and why."""
    n_cells, n_empty = without_token(library, sections, model)
    if not n_cells:
        return
    if n_empty == n_cells:
        what = f"{many(n_cells, 'cell')} without counts"
    else:
        what = f"{many(n_cells, 'cell')} without counts in the model's genes ({n_empty:,} without any)"
    have = "has" if n_cells == 1 else "have"
    st.caption(f"{what} {have} no token and no score, and {have} no part in any share or comparison.")


def say_why_no_tokens(
    before: str, library: Library, sections: Sequence[Section], model: ModelFacts | None
) -> None:
    """Say which sections have no tokens, and how to get some; ``before`` it what follows from that."""
    if model is None:
        st.caption(f"{before} There is no model that can be used. Choose or train one on the page Models.")
        to_models()
        return
    tokenised = library.tokenised(sections, model.sha256)
    lacking = [section for section in sections if section not in tokenised]
    known_of = library.all_token_facts(model.sha256)
    facts = [known_of.get(section.id) for section in lacking]
    waiting = [section.title for section, known in zip(lacking, facts, strict=True) if known is None]
    unfit = [section.title for section, known in zip(lacking, facts, strict=True) if known is not None]
    words = []
    if waiting:
        words.append(f"Tokenise {sentence(', '.join(waiting))} on the page Sections.")
    if unfit:
        why = next(known["problem"] for known in facts if known is not None)
        words.append(
            f"The model does not fit {sentence(', '.join(unfit))}: {sentence(why)} Choose or train another "
            "one on the page Models."
        )
    st.caption(f"{before} {' '.join(words)}")
    if waiting:
        to_sections()
    if unfit:
        to_models()


def choose_tokens(cells: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """Let the user highlight up to eight tokens; the most frequent ones at first."""
    counts_by_token = cells[keys.TOKEN].value_counts()
    options = sorted(counts_by_token.index, key=lambda token: (len(token), token))
    start = list(most_frequent(cells[keys.TOKEN].to_numpy(dtype=object)))
    session.keep_valid(session.HIGHLIGHTED, options, start)
    return st.multiselect(
        f"Highlighted tokens (at most {MAX_HIGHLIGHTED}; the others are grey)",
        options,
        default=start if session.HIGHLIGHTED not in st.session_state else None,
        format_func=lambda token: f"{names.get(token, token)} ({counts_by_token[token]:,} cells)",
        max_selections=MAX_HIGHLIGHTED,
        key=session.HIGHLIGHTED,
        persist_state="session",
    )


def choose_gene(library: Library, sections: Sequence[Section]) -> str:
    """Let the user choose a gene that at least one section measures."""
    genes = sorted({gene for section in sections for gene in library.genes(section.id)})
    session.keep_valid(session.GENE, genes)
    return str(st.selectbox("Gene", genes, key=session.GENE, persist_state="session"))


def profiles(library: Library, model: ModelFacts) -> pd.DataFrame:
    """Say what each token is, over all sections with tokens by the model; see `squint.library.profiles`."""
    lacking = token_profiles.lacking(library, model.sha256)
    if lacking and run(SumTokens(tuple(lacking), model.sha256), library, "Describing the tokens") is None:
        st.stop()
    return token_profiles.token_profiles(library, model.sha256)


def names(library: Library, model: ModelFacts) -> dict[str, str]:
    """Name each token by its number and what users call it, or its main cell type: everywhere the same."""
    profiles(library, model)  # waits until it is known
    return dict(token_profiles.token_names(library, model.sha256))


def listed(library: Library, model: str, tokens: Sequence[str]) -> str:
    """List tokens by their numbers, with the names that users gave them."""
    given = token_naming.names(library, model)
    return ", ".join(given.get(token, token) for token in tokens)


def with_names(
    library: Library, model: str | None, table: pd.DataFrame, columns: Mapping[str, str]
) -> pd.DataFrame:
    """Put what users call the tokens of a table beside them, if they named any.

    Parameters
    ----------
    library
        Where the names are.
    model
        Hash of the model whose tokens they are.
    table
        Rows about tokens.
    columns
        Columns of tokens that may be in it -> what to call the columns of their names.
    """
    given = {token: one.name for token, one in token_naming.named(library, model).items()} if model else {}
    if not any(given.values()):
        return table
    table = table.copy(deep=False)
    for column, called in columns.items():
        if column in table:
            names_of_rows = table[column].astype(object).map(given).fillna("")
            table.insert(list(table.columns).index(column) + 1, called, names_of_rows)
    return table


def describe_tokens(
    library: Library, sections: Sequence[Section], cells: pd.DataFrame, model: ModelFacts
) -> None:
    """Show the table of tokens and its export."""
    shown = cells[keys.TOKEN].value_counts(normalize=True)
    table = profiles(library, model).drop(columns="name")
    table = table[table.index.isin(shown[shown > 0].index)].copy()
    table.insert(2, "share_shown", shown.reindex(table.index).to_numpy())
    table = table.sort_values("n_cells", ascending=False).reset_index()
    table = with_names(library, model.sha256, table, {"token": "name"})
    over = token_profiles.described_by(library, model.sha256)
    st.caption(
        f"{len(table)} of {model.n_codes} tokens occur in the sections shown ({counts(sections)}). Genes, "
        f"cell types and numbers of cells are of all sections that this model knows ({counts(over)}), "
        "whichever are shown. Top genes: largest share of the token's counts relative to all cells, over the "
        "sections that measure the gene."
    )
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "token": st.column_config.TextColumn("Token", width="small"),
            "name": st.column_config.TextColumn("Name", width="medium"),
            "n_cells": st.column_config.NumberColumn("Cells", format="localized"),
            "share": st.column_config.ProgressColumn(
                "Share of all cells", format="percent", min_value=0, max_value=1
            ),
            "share_shown": st.column_config.ProgressColumn(
                "Share of cells shown", format="percent", min_value=0, max_value=1
            ),
            "top_genes": st.column_config.TextColumn("Top genes", width=290),
            "top_types": st.column_config.TextColumn("Cell types", width=330),
            "sections": st.column_config.TextColumn("Found in (most cells first)", width=230),
        },
    )
    parameters = {"top genes": "ratio of shares of counts", "described over": counts(over)}
    marks = stamp("What the tokens are", sections, model, parameters)
    export_row(Export("token_profiles", marks, table=lambda: table))
