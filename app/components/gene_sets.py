"""Gene sets of the library on a page: added, and removed."""

import streamlit as st

from app.components.file_job import work_on
from app.components.job import run
from app.exports.stamp import many
from app.requests import AddGeneSets, ReadGeneSets
from app.text import as_text
from squint.library import gene_sets
from squint.library.store import Library

_MOST_MB = 2  # of a file of gene sets
_LIMIT_S = 120  # for reading those that were put into the library by hand


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name, those too that were put there by hand; say which are damaged."""
    if gene_sets.unread(library):
        run(ReadGeneSets(), library, "Reading gene sets", limit_s=_LIMIT_S)
    for file_name in gene_sets.damaged(library):
        st.error(f"The gene sets of {as_text(file_name)} are damaged. Remove that file, and add it again.")
    return gene_sets.find_sets(library)


def change_sets(library: Library) -> None:
    """Let the user add a file of gene sets, or remove one."""
    with st.popover("Add gene sets", icon=":material/add:"):
        file = st.file_uploader(
            "Gene sets as .gmt, .csv or .txt", key="gene_sets_file", max_upload_size=_MOST_MB
        )
        given = file.name if file else ""
        n_sets = work_on(
            library,
            file,
            lambda path: AddGeneSets(path, given),
            "Add",
            "Adding gene sets",
            "gene_sets_add",
        )
        if n_sets is not None:
            st.toast(f"{many(n_sets, 'gene set')} added.", icon=":material/check:")
            st.rerun()
    if added := gene_sets.files(library):
        with st.popover("Remove", icon=":material/delete:"):
            gone = st.selectbox("File of gene sets", added, key="gene_sets_gone")
            st.button(
                "Remove for everyone", key="gene_sets_remove", on_click=gene_sets.remove, args=(library, gone)
            )
