"""Names changed by hand: renamed, merged, split, cleared, given; and all of it undone and done again."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.cell_sets.store import CellSet, CellSets
from app.components.cell_types import going_on
from app.components.cell_types.going_on import Asked
from app.components.cell_types.subject import Types
from app.exports.stamp import many
from app.maps.views import NO_TYPE
from app.requests import SplitType
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library import labelings, relabeling
from squint.library.labelings import KnownLabeling
from squint.library.store import Library, Section
from squint.stats import labelings as names_of
from squint.stats.labelings import Labeling

_TOLD = "_types-told"
_CLUSTERS, _SET = "By clusters", "By a cell set"


def show_steps(library: Library, types: Types) -> None:
    """Offer to undo and redo, and say why the last change was refused, if it was."""
    with st.container(horizontal=True, vertical_alignment="center"):
        labeling = types.labeling
        steps = (
            ("Undo", labeling.undoes if labeling else "", relabeling.undo),
            ("Redo", labeling.redoes if labeling else "", relabeling.redo),
        )
        for word, what, step in steps:
            st.button(
                word,
                key=f"types-{word.lower()}",
                icon=f":material/{word.lower()}:",
                disabled=not what,
                help=sentence(f"{word}: {what}") if what else None,
                on_click=_step,
                args=(step, library, labeling),
            )
        if labeling is None:
            st.caption("The names of the file stay as they are; changes go to a copy.", width="content")
        elif labeling.undoes:
            st.caption(sentence(f"Last: {labeling.undoes}"), width="content")
    if told := st.session_state.pop(_TOLD, None):
        st.error(sentence(told))


def show_editing(
    library: Library, section: Section, types: Types, selected: Sequence[str | None], sets: CellSets
) -> None:
    """Offer what can be done with the rows that are selected."""
    names = [name for name in selected if name is not None]
    editor = _Editor(library, section, types)
    if not selected:
        st.caption(
            "Select rows to rename, merge, split or clear these types, and to see them alone on the map."
        )
        return
    with st.container(border=True):
        if not names:
            editor.offer_fill()
        elif len(selected) == 1:
            editor.offer_rename(names[0])
            editor.offer_clear(names)
            editor.offer_split(names[0], sets)
        else:
            editor.offer_merge(names, with_nameless=None in selected)
            editor.offer_clear(names)


class _Editor:
    """Widgets that change the names of a section, as they were when the page was drawn."""

    def __init__(self, library: Library, section: Section, types: Types) -> None:
        self.library, self.section, self.types = library, section, types

    def offer_rename(self, name: str) -> None:
        """Offer another name for a type."""
        self._ask("New name", name, "Rename", "rename", lambda new: self._rename(name, new))

    def offer_merge(self, names: Sequence[str], *, with_nameless: bool) -> None:
        """Offer one name for several types; cells without a name can be among them."""
        first = next(name for name, _ in self.types.by_size if name in names)
        self._ask(
            f"Merge {len(names) + with_nameless} rows into",
            first,
            "Merge",
            "merge",
            lambda into: self._merge(names, into, with_nameless=with_nameless),
        )

    def offer_fill(self) -> None:
        """Offer a name for the cells that have none."""
        words = f"Name for the {many(self.types.n_nameless, 'cell')} without one"
        self._ask(words, "", "Name them", "fill", self._fill)

    def offer_clear(self, names: Sequence[str]) -> None:
        """Offer to take their names from the cells."""
        what = f"cleared {_listed(names)}"

        def cleared(now: Labeling) -> Labeling:
            return reduce(names_of.clear, names, now)

        st.button(
            "Clear",
            key="types-clear",
            icon=":material/ink_eraser:",
            help="Its cells have no name then",
            on_click=self._change,
            args=(what, cleared),
        )

    def offer_split(self, name: str, sets: CellSets) -> None:
        """Offer to part a type, by clusters of its cells or by a cell set."""
        with st.expander("Split", icon=":material/call_split:"):
            try:
                here = {one.id: (one, n) for one, n in sets.within([self.section])}
            except InputError as error:
                st.error(sentence(str(error)))
                here = {}
            ways = [_CLUSTERS] if self.section.values == "counts" else []
            ways += [_SET] if here else []
            if not here:
                st.caption("Draw a cell set on the map to split the type into its inside and outside.")
            if not ways:
                return
            way = ways[0]
            if len(ways) > 1:
                way = str(
                    st.segmented_control("Split", ways, default=way, required=True, key="types-split-way")
                )
            if way == _CLUSTERS:
                self._offer_clusters(name)
            else:
                self._offer_set(name, here)

    def _offer_clusters(self, name: str) -> None:
        key = "types-split-resolution"
        st.slider("Resolution: to the right more parts", 0.1, 3.0, 0.5, 0.1, key=key)
        st.button(
            "Split by clusters",
            key="types-split",
            type="primary",
            disabled=going_on.is_busy(),
            on_click=lambda: _safely(partial(self._split_by_clusters, name, float(st.session_state[key]))),
        )

    def _offer_set(self, name: str, here: dict[str, tuple[CellSet, int]]) -> None:
        place = "types-split-set"
        st.selectbox(
            "Cell set",
            list(here),
            format_func=lambda key: f"{here[key][0].name} ({many(here[key][1], 'cell')})",
            key=place,
        )

        def split() -> None:
            one = here[str(st.session_state[place])][0]

            def by_set(now: Labeling) -> Labeling:
                mask = CellSets(self.library).mask(one, self.section)
                return _by_set(now, name=name, called=one.name, mask=mask)

            self._change(f"split {name!r} by the cell set {one.name!r}", by_set)

        st.button("Split by the set", key="types-split", type="primary", on_click=split)

    def _ask(self, label: str, start: str, word: str, place: str, act: Callable[[str], None]) -> None:
        """Ask for a name beside a button."""
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        key = f"types-{place}-name-{self.types.version}-{start}"
        left.text_input(label, start, max_chars=labelings.MOST_LETTERS, key=key)
        right.button(
            word,
            key=f"types-{place}",
            type="primary",
            width="stretch",
            on_click=lambda: act(st.session_state[key]),
        )

    def _rename(self, name: str, new: str) -> None:
        new = " ".join(new.split())
        if new != name:
            self._change(f"renamed {name!r} to {new!r}", lambda now: names_of.rename(now, name, new))

    def _merge(self, names: Sequence[str], into: str, *, with_nameless: bool) -> None:
        into = " ".join(into.split())
        others = f" and cells with {NO_TYPE}" if with_nameless else ""

        def merged(now: Labeling) -> Labeling:
            one = names_of.merge(now, names, into)
            return names_of.fill(one, into) if with_nameless else one

        self._change(f"merged {_listed(names)}{others} into {into!r}", merged)

    def _fill(self, name: str) -> None:
        name = " ".join(name.split())
        what = f"named {many(self.types.n_nameless, 'cell')} without a name {name!r}"
        self._change(what, lambda now: names_of.fill(now, name))

    def _change(self, what: str, change: Callable[[Labeling], Labeling]) -> None:
        """Change the names that the user saw, or remember to say why that was refused."""

        def act() -> None:
            names = change(self.types.names)
            if not names.names:
                raise InputError("No cell would have a name. Leave one, or delete the labeling.")
            relabeling.change(self.library, self._labeling(), what, names)

        _safely(act)

    def _split_by_clusters(self, name: str, resolution: float) -> None:
        labeling = self._labeling()
        task = SplitType(self.section.id, labeling.id, labeling.at, name, resolution)
        going_on.begin(Asked(task, f"Splitting {as_text(name)}", f"{as_text(name)} is split."))

    def _labeling(self) -> KnownLabeling:
        """Give the labeling to change: the one that the user saw, or a copy of the names of the file."""
        return self.types.labeling or labelings.copy_of_file(self.library, self.section.id)


def _step(
    step: Callable[[Library, KnownLabeling], None], library: Library, labeling: KnownLabeling | None
) -> None:
    if labeling is not None:
        _safely(partial(step, library, labeling))


def _by_set(now: Labeling, *, name: str, called: str, mask: NDArray[np.bool_]) -> Labeling:
    """Part a type by which of its cells a set holds."""
    inside = mask[now.codes == now.names.index(name)]
    if inside.all() or not inside.any():
        raise InputError(
            f"{'All' if inside.all() else 'None'} of the cells of {name!r} are in {called!r}. Choose another."
        )
    return names_of.split(
        now, name, np.where(inside, 0, 1), [f"{name} in {called}", f"{name} outside {called}"]
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


def _safely(act: Callable[[], Any]) -> None:
    """Do something, or remember to say why it was refused."""
    try:
        act()
    except InputError as error:
        st.session_state[_TOLD] = str(error)
