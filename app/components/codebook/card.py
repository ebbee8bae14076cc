"""One token: what users call it, its genes, types and sections, where it sits, and the codes near it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import session
from app.components.codebook.naming import show_naming
from app.components.export_row import Export, export_row
from app.components.links import to_cell_types
from app.components.map.tissue_map import show_map
from app.components.tokens import names as token_names
from app.components.tokens import profiles
from app.exports.stamp import many, stamp
from app.maps import views
from app.models import ModelFacts
from app.text import sentence
from squint.errors import InputError
from squint.library import profiles as token_profiles
from squint.library.store import Library, Section
from squint.model.code_vectors import code_vectors
from squint.stats.token_details import nearest_codes

_N_GENES, _N_CODES = 15, 8


def show_card(library: Library, sections: Sequence[Section], model: ModelFacts, token: str) -> None:
    """Show all that is known of a token."""
    names = token_names(library, model)
    known = token_profiles.details(library, model.sha256, token)
    n_cells = int(known.sections["n_cells"].sum())
    st.header(f"Token {sentence(names.get(token, token))}")
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.caption(f"{many(n_cells, 'cell')} in {many(len(known.sections), 'section')}.")
        show_naming(library, model, token)
        _show_near_codes(library, model, token)
    with right:
        _show_map(library, sections, known.sections, model, token)
    genes, types, where = st.columns([5, 4, 4], gap="medium")
    with genes:
        _show_genes(library, known.genes, model, token)
    with types:
        _show_types(known.types)
    with where:
        _show_sections(known.sections)


def _show_map(
    library: Library, sections: Sequence[Section], where: pd.DataFrame, model: ModelFacts, token: str
) -> None:
    """Show where a token sits, first in the section with most of its cells."""
    rank = {title: number for number, title in enumerate(where.index)}
    ordered = sorted(sections, key=lambda one: rank.get(one.title, len(rank)))
    options = {one.id: one for one in ordered}
    key = f"codebook_section-{token}"
    session.keep_valid(key, list(options))
    chosen = options[
        st.selectbox("Section shown", list(options), format_func=lambda one: options[one].title, key=key)
    ]
    cells = views.cells_of(library, [chosen], model.sha256)
    show_map(
        views.by_token([chosen], cells, [token], token_names(library, model), model), model, "codebook_map"
    )


def _show_genes(library: Library, table: pd.DataFrame, model: ModelFacts, token: str) -> None:
    st.subheader("Marker genes")
    if table.empty:
        st.info("There are no other cells to compare its genes with.")
        return
    shown = table.head(_N_GENES).reset_index()
    shown[["share", "share_others"]] *= 100
    st.dataframe(
        shown[["gene", "log2_ratio", "share", "share_others", "n_counts"]],
        hide_index=True,
        column_config={
            "gene": st.column_config.TextColumn("Gene", width=90),
            "log2_ratio": st.column_config.NumberColumn("log2 ratio", format="%+.2f", width=80),
            "share": st.column_config.NumberColumn("% of counts", format="%.2f", width=90),
            "share_others": st.column_config.NumberColumn("% of others'", format="%.2f", width=90),
            "n_counts": st.column_config.NumberColumn("Counts", format="localized", width=80),
        },
    )
    first = table.iloc[0]
    st.caption(
        "log2 of the gene's share of the token's counts over its share of the counts of all other cells "
        f"(n = {int(first['n_cells']):,} against {int(first['n_others']):,}), over the sections that measure "
        "it. Few counts, little trust."
    )
    over = token_profiles.described_by(library, model.sha256)
    parameters = {"token": token, "ratio": "of shares of counts, 0.0001 added to both"}
    marks = stamp(f"Marker genes of token {token}", over, model, parameters)
    export_row(Export("codebook_genes", marks, table=table.reset_index))


def _show_types(table: pd.DataFrame) -> None:
    st.subheader("Cell types")
    if table.empty:
        st.info("Its cells have no types yet.")
        to_cell_types()
        return
    st.dataframe(
        table.reset_index(),
        hide_index=True,
        column_config={
            "type": st.column_config.TextColumn("Type"),
            "n_cells": st.column_config.NumberColumn("Cells", format="localized", width=80),
            "share": st.column_config.NumberColumn("Share", format="percent", width=80),
        },
    )
    st.caption(f"Of {many(int(table['n_cells'].sum()), 'cell')} in sections that name types.")


def _show_sections(table: pd.DataFrame) -> None:
    st.subheader("Sections")
    st.dataframe(
        table.reset_index(),
        hide_index=True,
        column_config={
            "section": st.column_config.TextColumn("Section"),
            "n_cells": st.column_config.NumberColumn("Cells", format="localized", width=80),
            "share": st.column_config.NumberColumn("Of token", format="percent", width=80),
            "share_of_section": st.column_config.NumberColumn("Of section", format="percent", width=80),
        },
    )


def _show_near_codes(library: Library, model: ModelFacts, token: str) -> None:
    st.subheader("Nearest codes")
    try:
        vectors = code_vectors(session.sound_models()[model.sha256].folder)
    except InputError as error:
        st.error(sentence(str(error)))
        return
    near = nearest_codes(vectors, int(token)).head(_N_CODES)
    names, n_cells = token_names(library, model), profiles(library, model)["n_cells"]
    shown = pd.DataFrame(
        {
            "token": [names.get(one, one) for one in near.index],
            "cosine": near["cosine"].to_numpy(),
            "n_cells": [int(n_cells.get(one, 0)) for one in near.index],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "token": st.column_config.TextColumn("Token"),
            "cosine": st.column_config.NumberColumn("Cosine", format="%.2f", width=80),
            "n_cells": st.column_config.NumberColumn("Cells", format="localized", width=80),
        },
    )
    st.caption(
        "Cosine of the vectors of both codes: 1 is one direction. Near in the codebook need not be near "
        "in the tissue."
    )
