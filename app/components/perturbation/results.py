"""What a computed perturbation moved: numbers in words, figures, tables, and a map."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.job import compute
from app.components.map.tissue_map import show_map
from app.components.perturbation.subject import Asked
from app.components.tokens import names as token_names
from app.exports.stamp import Marks, many, stamp
from app.maps import views
from app.models import ModelFacts
from app.text import sentence
from squint import pl
from squint.library.results import find
from squint.library.store import Library
from squint.pl import PRINT, Categories
from squint.stats.perturbation import row_shares

_KEY = "_perturbation_asked"
_LITTLE = 0.01  # of a change in the programme, that is not worth a word
_FEW = 10  # scored cells, below which a response says little
_MOST_GENES = 24  # of a dot plot
_MOST_TOKENS = 14  # of a dot plot
TABLES = (
    "tokens",
    "transitions",
    "transition_shares",
    "unaffected_transitions",
    "shams",
    "programme",
    "cells",
)


class Found(NamedTuple):
    """What was asked, and what came of it."""

    asked: Asked
    values: dict[str, Any]  # as `squint.tl.perturb` gives it
    names: Mapping[str, str]  # token -> its number and main cell type

    @property
    def words(self) -> dict[str, str]:
        """Tokens with their main cell type, for labels."""
        return {token: self.names.get(token, token) for token in self.values["tokens"].index}

    def marks(self, title: str, model: ModelFacts) -> Marks:
        """Stamp what leaves."""
        values = self.values
        low, high = values["interval"]
        numbers = {
            "changed cells": f"{values['n_perturbed']:,}",
            "affected": f"{values['n_affected']:,}, of which {values['n_moved']:,} took another token",
            "response": f"{values['response']:+.4f}; above shams {values['above_sham']:+.4f} "
            f"(95 % of shams: {low:+.4f} to {high:+.4f}); p = {values['p']:.3g} for a rise",
            "is": "a computed what-if of the model, not a prediction of treatment",
        }
        return stamp(title, [self.asked.section], model, {**self.asked.parameters, **numbers})


def compute_when_asked(library: Library, asked: Asked | None, model: ModelFacts) -> Found | None:
    """Compute at the press of a button; what was computed before is shown at once."""
    pressed = st.button("Compute", key="perturb", type="primary", disabled=asked is None)
    if asked is None:
        return None
    if pressed:
        st.session_state[_KEY] = asked.request.result
    if st.session_state.get(_KEY) != asked.request.result and find(library, asked.request) is None:
        st.caption(
            "Tokens around the changed cells are computed anew, and as often for shams: seconds to minutes."
        )
        return None
    result = compute(library, asked.request, "Perturbing")
    values = result.facts | {name: result.table(name) for name in TABLES}
    return Found(asked, values, token_names(library, model))


def show_numbers(found: Found) -> None:
    """Say what was found, the effect first, and what it is not."""
    values = found.values
    st.header("Response")
    st.warning(
        "**A computed what-if of the model, not a prediction of treatment.** Tokens are of neighbourhoods, "
        "so they move whatever replaces a neighbour; only what goes beyond shams says something: which "
        "tissue of this section the neighbourhoods would resemble.",
        icon=":material/science:",
    )
    low, high = values["interval"]
    four = st.columns(4)
    four[0].metric("Changed cells", f"{values['n_perturbed']:,}")
    four[1].metric(
        "Affected cells took another token",
        f"{values['n_moved'] / values['n_affected']:.0%}",
        help="Responders beside a changed cell, among the neighbours that the encoder sees.",
    )
    four[2].metric("Response above shams", f"{values['above_sham']:+.3f}")
    four[3].metric("p, for a rise", f"{values['p']:.2g}")
    st.markdown(
        f"Of **{many(values['n_affected'], 'affected cell')}** {values['n_moved']:,} took another token; "
        f"{values['n_moved_still']:,} do so when the changed cells are replaced by their own mean alone. "
        f"The mean programme score of their tokens changes by **{values['response']:+.3f}**; above the "
        f"median sham that is **{values['above_sham']:+.3f}** "
        f"(less 95 % of shams: {low:+.3f} to {high:+.3f}). "
        f"p = {values['p']:.2g} from {values['n_shams']:,} shams, for a rise only: the unit of chance is the "
        "shift, not the cell, for cells are not independent. "
        f"Of {many(values['n_unaffected'], 'unaffected responder')} in the region "
        f"{values['n_unaffected_moved']:,} took another token."
    )
    _say_error(values)
    _say_limits(found)


def _say_error(values: Mapping[str, Any]) -> None:
    """Say how well the response is known, and when it is no more than that."""
    error, above = values["score_error"], values["above_sham"]
    if error is None or not np.isfinite([error, above]).all():
        return
    st.caption(
        f"The score of a token is a mean of few cells: by that alone the response is known to ± {error:.3f} "
        "(standard error). Shams know nothing of it: where the programme hardly differs between tokens, p is "
        "small or large by chance."
    )
    if abs(above) < 2 * error:
        st.warning(
            f"**The response above shams, {above:+.3f}, is within twice the error of the scores.** Whatever "
            "p is, read this as nothing found."
        )


def _say_limits(found: Found) -> None:
    values = found.values
    n_scored = values["n_affected"] - values["n_unscored"]
    if values["n_unscored"]:
        st.caption(
            f"{many(values['n_unscored'], 'affected cell')} of {values['n_affected']:,} are left out of the "
            f"response: a token of theirs is that of fewer than five responders, and has no score."
        )
    if n_scored < _FEW:
        st.warning(f"Only {many(n_scored, 'affected cell')} could be scored: read this as nothing found.")
    if values["genes_missing"]:
        missing = ", ".join(values["genes_missing"][:20])
        few = len(values["genes"]) < len(values["genes_missing"])
        (st.warning if few else st.caption)(
            f"{len(values['genes'])} of {len(values['genes']) + len(values['genes_missing'])} genes of the "
            f"programme are measured; not {sentence(missing)}."
        )
    _say_programme(values)
    if values["n_without_counts"]:
        st.caption(f"{many(values['n_without_counts'], 'cell')} without counts were left as they are.")
    for warning in values["warnings"]:
        st.caption(f":material/warning: {sentence(warning)}")


def _say_programme(values: Mapping[str, Any]) -> None:
    """Say how much of the change is in the programme itself."""
    share = values["share_in_programme"]
    if share <= _LITTLE:
        return
    if values["hold_programme"]:
        st.caption(
            f"{share:.0%} of the squared size of the change is in genes of the programme; that part was left "
            "out."
        )
    else:
        st.warning(
            f"{share:.0%} of the squared size of the change is in genes of the programme itself: that lifts "
            "the tokens around by itself, and no sham does it."
        )


def show_tokens(found: Found, model: ModelFacts) -> None:
    """Show tokens before and after, and who went where."""
    values = found.values
    st.header("Tokens before and after")
    st.plotly_chart(
        pl.perturbation_bars(values, names=found.names, style=session.style()),
        key="perturbation_bars",
        config=CHART,
        alt=f"Tokens of {values['n_affected']} affected cells before and after the change",
    )
    export_row(
        Export(
            "perturbation_tokens",
            found.marks("Tokens before and after a computed perturbation", model),
            table=values["tokens"].reset_index,
            figure=lambda _: pl.perturbation_bars(values, names=found.names, style=PRINT),
        )
    )
    if not values["n_moved"]:
        st.caption("No affected cell took another token.")
        return
    st.plotly_chart(
        pl.perturbation_transitions(values, names=found.names, style=session.style()),
        width="content",
        key="perturbation_transitions",
        config=CHART,
        alt="Share of the cells of each token that went to each other token",
    )
    export_row(
        Export(
            "perturbation_transitions",
            found.marks("Transitions between tokens", model),
            table=lambda: transitions(values),
            figure=lambda _: pl.perturbation_transitions(values, names=found.names, style=PRINT),
        )
    )


def transitions(values: Mapping[str, Any]) -> pd.DataFrame:
    """List every pair of tokens between which cells went or stayed, affected and unaffected."""
    parts = []
    for kind, name in (("affected", "transitions"), ("unaffected", "unaffected_transitions")):
        counts: pd.DataFrame = values[name]
        shares = row_shares(counts)
        at = np.argwhere(counts.to_numpy() > 0)
        parts.append(
            pd.DataFrame(
                {
                    "cells": kind,
                    "before": counts.index.to_numpy()[at[:, 0]],
                    "after": counts.columns.to_numpy()[at[:, 1]],
                    "n_cells": counts.to_numpy()[at[:, 0], at[:, 1]],
                    "share_of_those_that_went": shares.to_numpy()[at[:, 0], at[:, 1]],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def show_programme(found: Found, model: ModelFacts) -> None:
    """Show the programme in each token, of unperturbed responders."""
    values = found.values
    st.header("The programme in each token")
    tokens = values["tokens"]
    used = tokens[(tokens["before"] > 0) | (tokens["after"] > 0)].sort_values("score", ascending=False)
    most = used.nlargest(_MOST_TOKENS, ["after", "before"]).index
    shown = [token for token in used.index if token in set(most)]
    genes = values["genes"][:_MOST_GENES]
    every: pd.DataFrame = values["programme"]
    table = every[every["gene"].isin(genes) & every["token"].isin(shown)]
    table = table.sort_values("token", key=lambda token: token.map(shown.index), kind="stable")
    few = int(values["n_tokens_too_few"])
    st.caption(
        "Each responder's own counts, unperturbed cells only, by the token that they have; the highest score "
        f"on top. {many(len(shown), 'token')} of {len(used)} that affected cells have are shown"
        + (f"; {many(few, 'token')} of fewer than five responders have no score." if few else ".")
    )
    if len(values["genes"]) > _MOST_GENES:
        st.caption(f"{_MOST_GENES} of the {len(values['genes'])} genes are shown; the table has all.")
    if not len(table):
        st.caption("No token of the affected cells is that of an unperturbed responder.")
        return
    figure = partial(pl.token_expression, table, names=found.names, per_gene=True)
    st.plotly_chart(
        figure(style=session.style()),
        key="perturbation_programme",
        config=CHART,
        alt=f"Dot plot of {len(genes)} genes of the programme by token",
    )
    export_row(
        Export(
            "perturbation_programme",
            found.marks("A programme in each token, unperturbed responders", model),
            table=lambda: every,
            figure=lambda _: figure(style=PRINT),
        )
    )


def show_shams(found: Found, model: ModelFacts) -> None:
    """Show what shams do, and the response among them."""
    values = found.values
    st.header("Against shams")
    st.caption(
        "A sham gives the change's own shifts to other genes of like expression outside the programme, and "
        "scales them until as many affected cells take another token. It tells apart which genes change, not "
        "whether the tissue would answer."
    )
    st.plotly_chart(
        pl.perturbation_shams(values, style=session.style()),
        key="perturbation_shams",
        config=CHART,
        alt=f"Responses of {values['n_shams']} shams, and the response observed",
    )
    export_row(
        Export(
            "perturbation_shams",
            found.marks("A response among shams", model),
            table=lambda: values["shams"].rename_axis("sham").reset_index(),
            figure=lambda _: pl.perturbation_shams(values, style=PRINT),
        )
    )


_ROLES = ("affected, another token", "affected, same token", "unaffected responder", "perturbed")


def show_cells(library: Library, found: Found, model: ModelFacts) -> None:
    """Show who was changed and who moved on the tissue."""
    st.header("On the tissue")
    kept: pd.DataFrame = found.values["cells"]
    cells = views.cells_of(library, [found.asked.section], model.sha256)
    moved = (kept["before"] != kept["after"]).to_numpy()
    role = kept["role"].astype(object)
    label = role.replace({"unaffected": _ROLES[2]})
    label = label.mask((role == "affected") & moved, _ROLES[0]).mask((role == "affected") & ~moved, _ROLES[1])
    values = pd.Series(label.fillna("other cells").to_numpy(), index=cells.index)
    scale = Categories("computed perturbation", _ROLES, "other cells")
    view = views.by_labels("A computed perturbation", [found.asked.section], cells, values, scale)
    after = kept["after"].to_numpy(dtype=object)
    view = views.with_columns(view, found.asked.parameters, token_after_the_change=after)
    st.caption(
        "Affected: a responder with a perturbed cell among the neighbours that the encoder sees. Each cell's "
        "token, as measured and after the change, is in the table."
    )
    show_map(view, model, "perturbation_map")
