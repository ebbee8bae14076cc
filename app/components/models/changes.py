"""What can be done with one model: use it, give it away, name it, note something, delete it."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from app import session, who
from app.components.download import File, Left, download
from app.engine.client import ask
from app.requests import PackModel
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library import models
from squint.library.chain import MODEL
from squint.library.models import KnownModel
from squint.library.store import Library, harmless_name

_LIMIT_S = 300  # for packing
_PATIENCE_S = 600  # with the wait for what was asked for before


def show_changes(library: Library, model: KnownModel, *, in_use: bool) -> None:
    """Offer what can be done with a model."""
    key = model.folder.name if not model.is_shipped else f"shipped-{model.folder.name}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if model.card is not None:
            st.button(
                "Use this model",
                key=f"use-{key}",
                type="secondary",
                disabled=in_use,
                on_click=session.use_model,
                args=(str(model.folder),),
            )
            download(
                "Export",
                lambda: _packed(library, model),
                File(f"{harmless_name(model.name, 'model')}.zip", "application/zip"),
                Left(MODEL, of=model.sha256[:16]),
                key=f"export-{key}",
                help="One .zip with the hash of each file, which *Add a packed model* takes.",
            )
        if model.is_shipped or not session.may_change():
            return
        with st.popover("Name and note", icon=":material/edit:", key=f"edit-{key}"):
            _show_names(library, model, key)
        if st.button("Delete", key=f"delete-{key}", icon=":material/delete:", type="tertiary"):
            _confirm_delete(library, model)


def _show_names(library: Library, model: KnownModel, key: str) -> None:
    with st.form(f"names-{key}", border=False):
        name = st.text_input("Name", model.name, key=f"name-{key}", max_chars=models.MOST_LETTERS)
        noted = st.text_area("Note", model.note, key=f"note-{key}", max_chars=models.MOST_LETTERS_NOTED)
        if not st.form_submit_button("Save", key=f"save-{key}"):
            return
    try:
        if name.strip() != model.name:
            models.rename(library, model.folder, name)
        if noted.strip() != model.note:
            models.note(library, model.folder, noted)
    except InputError as error:
        st.error(sentence(str(error)))
    else:
        st.rerun()


def _packed(library: Library, model: KnownModel) -> bytes:
    """Let a worker pack a model once its button is clicked; Streamlit asks for it in a thread of its own."""
    asked = PackModel(str(model.folder))
    about = f"Packing the model {model.name}"
    path = Path(ask(asked, library, limit_s=_LIMIT_S, about=about).result(_PATIENCE_S))
    try:
        return path.read_bytes()
    finally:
        library.unstage(path)


def _delete(library: Library, folder: Path) -> None:
    with suppress(InputError):  # it is gone: somebody was faster
        models.remove(library, folder)


@who.dialog("Delete this model?")
def _confirm_delete(library: Library, model: KnownModel) -> None:
    st.markdown(
        f"**{as_text(model.name)}** is removed from the server. Export it first if it may be wanted again. "
        "The tokens that it gave stay, and are shown again if it is added again."
    )
    if st.button(
        "Delete for good",
        type="primary",
        key="delete-model-for-good",
        on_click=_delete,
        args=(library, model.folder),
    ):
        st.rerun()
