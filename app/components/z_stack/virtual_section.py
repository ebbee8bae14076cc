"""A section at a depth that was not measured, predicted from the measured levels around it."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app import session
from app.components.download import Left
from app.components.file_job import Made, offer_made
from app.components.job import try_to_compute
from app.components.map.tissue_map import show_map
from app.components.tokens import names as token_names
from app.components.z_stack import virtual_quality
from app.exports.stamp import many, stamp
from app.maps import views
from app.maps.views import MapView
from app.models import ModelFacts
from app.requests import VirtualSection, WriteVirtualSection
from app.text import as_text
from squint import keys
from squint.library.chain import CELLS
from squint.library.graphs import neighbours
from squint.library.results import Result, find
from squint.library.stacks import Positions, Stack
from squint.library.store import Library, Section
from squint.model.between import hood_means
from squint.pl import Categories, Continuous, Panel, most_frequent

CELL, NEIGHBOURHOOD = "cell", "neighbourhood"
_TARGETS = {"Neighbourhood mean": NEIGHBOURHOOD, "Cell's own counts": CELL}
_UNITS = {NEIGHBOURHOOD: "mean of neighbourhood", CELL: "counts of the cell"}
_GENE, _TOKEN = "Gene", "Token"
_LIKE, _GRID = "Like the nearest level", "On a grid"
_ACROSS = 50  # positions of the first grid along the longer side
_LIMIT_S = 4 * 3600


class Predicted(NamedTuple):
    """A section between two levels, predicted."""

    asked: VirtualSection
    result: Result
    below: Section
    above: Section
    cells: pd.DataFrame  # (m,) x, y, and the token with its share where there are tokens

    @property
    def title(self) -> str:
        """Where it lies."""
        return f"z = {self.asked.z:g} µm"

    @property
    def parameters(self) -> dict[str, object]:
        """For the stamp."""
        facts = self.result.facts
        around = [f"{facts[at]['level']} ({facts[at]['weight']:.0%})" for at in ("below", "above")]
        return {
            "virtual section": "predicted, not measured",
            "depth": f"{self.asked.z:g} µm",
            "between": " and ".join(around),
            "positions": "of the nearest level" if self.asked.like else f"grid of {self.asked.step:g}",
            **{f"{name} by": virtual_quality.method(how) for name, how in facts["how"].items()},
            "levels": "as proposed" if self.asked.aligned else "as measured",
        }


def show(library: Library, stack: Stack, positions: Positions, model: ModelFacts | None) -> None:
    """Let the user choose a depth, and show what a section there would express."""
    st.header("Virtual section")
    st.caption(
        "What a section at a depth between two measured levels would express, told from the cells of all "
        "levels near it. **Predicted, not measured**: what lies only between two levels, such as a small "
        "focus, cannot be told."
    )
    asked = _choose(library, stack, positions, model)
    if asked is None:
        return
    if find(library, asked) is None:
        if st.button("Predict this section", type="primary", key="between-predict", icon=":material/layers:"):
            st.session_state[session.BETWEEN_ASKED] = asked.result
        if st.session_state.get(session.BETWEEN_ASKED) != asked.result:
            st.caption(
                "The first time, levels that were measured are told from the others to know how good such a "
                "prediction is. That takes a minute or more."
            )
            return
    result = try_to_compute(library, asked, "Predicting the section")
    if result is None:
        return
    names = [level.section for level in stack.levels]
    at = int(np.clip(np.searchsorted(stack.heights, asked.z, side="right") - 1, 0, len(names) - 2))
    predicted = Predicted(asked, result, stack.levels[at], stack.levels[at + 1], result.table("cells"))
    virtual_quality.show(library, stack, predicted.asked.judged, result.facts)
    _show_map(library, predicted, positions, model)
    _offer_file(library, stack, predicted, model)


def _choose(
    library: Library, stack: Stack, positions: Positions, model: ModelFacts | None
) -> VirtualSection | None:
    """Let the user choose depth and positions; ``None`` where nothing lies between the levels."""
    low, high = stack.heights[0], stack.heights[-1]
    if len(set(stack.heights)) < len(stack.levels):
        st.info("Two levels of this stack lie at one height, so what lies between them cannot be told.")
        return None
    left, middle, right = st.columns([4, 3, 2], gap="large")
    step = _step_of(stack)
    z = left.slider(
        "Depth, µm",
        float(low),
        float(high),
        float(np.mean(stack.heights[:2])),
        step=step,
        format="%g",
        key=f"{session.BETWEEN_Z}-{stack.name}",
        help="Between the lowest and the highest measured level; nothing is told beyond them.",
    )
    left.caption(_say_where(stack, z))
    how = middle.segmented_control(
        "Positions",
        [_LIKE, _GRID],
        default=_LIKE,
        required=True,
        key=session.BETWEEN_POSITIONS,
        help="Where to predict: where the nearest level has its cells, or on a regular grid where both "
        "levels have tissue. No cell was measured there either way.",
    )
    nearest = min(stack.levels, key=lambda level: abs((level.z_um or 0.0) - z))
    grid = 0.0
    if how == _GRID:
        cells = library.cells(nearest.id)
        width = float(max(np.ptp(cells["x"]), np.ptp(cells["y"])))
        first = float(f"{width / _ACROSS:.2g}") or 1.0
        unit = "µm" if nearest.unit == "um" else "in the unit of the coordinates"
        grid = right.number_input(
            f"Step, {unit}", first / 10, width or 1.0, first, key=f"{session.BETWEEN_STEP}-{stack.name}"
        )
    tokens = model is not None and len(library.tokenised(stack.levels, model.sha256)) == len(stack.levels)
    ids = tuple(level.id for level in stack.levels)
    return VirtualSection(
        ids,
        model.sha256 if model is not None and tokens else "",
        aligned=bool(positions),
        z=float(z),
        like="" if how == _GRID else nearest.id,
        step=float(grid),
    )


def _step_of(stack: Stack) -> float:
    """Choose the step of the slider: a twentieth of the smallest distance between levels."""
    return float(f"{min(stack.steps) / 20:.1g}")


def _say_where(stack: Stack, z: float) -> str:
    heights = np.asarray(stack.heights)
    at = int(np.clip(np.searchsorted(heights, z, side="right") - 1, 0, len(heights) - 2))
    below, above = heights[at], heights[at + 1]
    share = (z - below) / (above - below)
    if share in {0.0, 1.0}:
        return f"A measured level lies at {z:g} µm. Shown there is a prediction all the same."
    return f"Between the levels at {below:g} µm (weight {1 - share:.0%}) and {above:g} µm ({share:.0%})."


def _show_map(library: Library, predicted: Predicted, positions: Positions, model: ModelFacts | None) -> None:
    left, middle, right = st.columns([3, 3, 3], gap="large")
    offered = [_GENE, *([_TOKEN] if keys.PREDICTED_TOKEN in predicted.cells and model else [])]
    session.keep_valid(session.BETWEEN_COLOUR, offered)
    by = left.segmented_control("Show", offered, default=_GENE, required=True, key=session.BETWEEN_COLOUR)
    if by == _TOKEN and model is not None:
        view = _by_token(library, predicted, positions, model)
    else:
        genes = sorted(predicted.result.facts["genes"])
        if session.BETWEEN_GENE not in st.session_state:
            st.session_state[session.BETWEEN_GENE] = _most_varied(predicted)
        session.keep_valid(session.BETWEEN_GENE, genes)
        gene = str(middle.selectbox("Gene", genes, key=session.BETWEEN_GENE))
        target = right.segmented_control(
            "Expression",
            list(_TARGETS),
            default=next(iter(_TARGETS)),
            required=True,
            key=f"{session.TARGET}-between",
            help="The mean over a cell and its neighbours, or the cell's own counts, of which the levels "
            "around know less.",
        )
        view = _by_gene(library, predicted, positions, gene, _TARGETS[str(target)])
    show_map(view, model, "virtual_section")


def _most_varied(predicted: Predicted) -> str:
    """Name the gene whose prediction varies most over the section, for its level."""
    table = predicted.result.table(NEIGHBOURHOOD)
    return str((table.var() / (table.mean() + 0.1)).idxmax())


def _place(library: Library, level: Section, positions: Positions) -> NDArray[np.float64]:
    cells = library.cells(level.id)
    return positions.get(level.id, cells[["x", "y"]].to_numpy(dtype=np.float64))


def _measured(library: Library, level: Section, gene: str, target: str) -> NDArray[np.float32]:
    """Give a gene in the cells of a level (n,): its counts, or their mean over closed neighbourhoods."""
    counts = library.gene(level.id, gene)
    if counts is None:
        return np.full(level.n_cells, np.nan, dtype=np.float32)
    if target == CELL:
        return np.asarray(counts, dtype=np.float32)
    column = csr_matrix(np.asarray(counts, dtype=np.float64)[:, None])
    mean = hood_means(column, csr_matrix(neighbours(library, level.id)))
    return np.asarray(mean.todense(), dtype=np.float32).ravel()


def _panels(
    library: Library,
    predicted: Predicted,
    positions: Positions,
    values: tuple[Panel, Panel, Panel],
) -> tuple[Panel, ...]:
    """Put the lower level, the predicted section and the upper level beside each other."""
    below, middle, above = values
    titled = []
    for panel, level in ((below, predicted.below), (above, predicted.above)):
        said = " (simulated)" if level.simulated else ""
        titled.append(
            replace(
                panel,
                title=f"Measured, z = {level.z_um:g} µm{said}",
                coordinates=_place(library, level, positions),
                unit=level.unit,
            )
        )
    said = " (simulated)" if predicted.below.simulated else ""
    own = replace(
        middle,
        title=f"Predicted, {predicted.title}{said}",
        coordinates=predicted.cells[["x", "y"]].to_numpy(dtype=np.float64),
        unit=predicted.below.unit,
    )
    return titled[0], own, titled[1]


_NOWHERE = np.empty((0, 2))


def _by_gene(library: Library, predicted: Predicted, positions: Positions, gene: str, target: str) -> MapView:
    own = predicted.result.table(target, [gene])[gene].to_numpy(dtype=np.float32)
    sides = [_measured(library, level, gene, target) for level in (predicted.below, predicted.above)]
    every = np.concatenate([own, *sides])
    top = float(f"{np.nanquantile(every, 0.995):.2g}") if np.isfinite(every).any() else 1.0
    panels = _panels(
        library,
        predicted,
        positions,
        (
            Panel("", _NOWHERE, sides[0], hover={"measured": np.round(sides[0], 2)}),
            Panel(
                "", _NOWHERE, own, hover={"shown": np.round(own, 2)}, imputed=np.ones(len(own), dtype=bool)
            ),
            Panel("", _NOWHERE, sides[1], hover={"measured": np.round(sides[1], 2)}),
        ),
    )
    rows = predicted.cells.assign(
        z_um=predicted.asked.z, **{f"predicted {gene}": own}, unit=predicted.below.unit
    )
    return MapView(
        f"{gene}, a section between two levels",
        (predicted.below, predicted.above),
        panels,
        Continuous(f"{gene}, {_UNITS[target]}", 0, max(top, 0.1)),
        rows,
        {"gene": gene, "expression": _UNITS[target], **predicted.parameters},
        linked=True,
        n=_count(predicted),
    )


def _by_token(library: Library, predicted: Predicted, positions: Positions, model: ModelFacts) -> MapView:
    own = predicted.cells[keys.PREDICTED_TOKEN].astype(object)
    own = own.where(own.isin([str(code) for code in range(model.n_codes)]), None)
    sides = [
        views.cells_of(library, [level], model.sha256)[keys.TOKEN].astype(object)
        for level in (predicted.below, predicted.above)
    ]
    every = np.concatenate([own.to_numpy(dtype=object), *(side.to_numpy(dtype=object) for side in sides)])
    shown = most_frequent(pd.Categorical(every))
    share = np.round(predicted.cells[keys.PREDICTED_TOKEN_SHARE].to_numpy(), 2)
    panels = _panels(
        library,
        predicted,
        positions,
        (
            Panel("", _NOWHERE, pd.Categorical(sides[0]), missing_name="no token"),
            Panel(
                "", _NOWHERE, pd.Categorical(own), hover={"share of votes": share}, missing_name="no token"
            ),
            Panel("", _NOWHERE, pd.Categorical(sides[1]), missing_name="no token"),
        ),
    )
    return MapView(
        "Tokens, a section between two levels",
        (predicted.below, predicted.above),
        panels,
        Categories("token, main cell type, cells", shown, "other tokens", token_names(library, model)),
        predicted.cells.assign(z_um=predicted.asked.z, unit=predicted.below.unit),
        {"colour": "token that most of the nearest cells of both levels have", **predicted.parameters},
        linked=True,
        n=_count(predicted),
    )


def _count(predicted: Predicted) -> str:
    n_cells = predicted.below.n_cells + predicted.above.n_cells
    return (
        f"n = {many(len(predicted.cells), 'predicted position')}, no cell measured; beside "
        f"{many(n_cells, 'cell')} of 2 measured levels"
    )


def _offer_file(library: Library, stack: Stack, predicted: Predicted, model: ModelFacts | None) -> None:
    """Offer every gene of the section as an AnnData file."""
    title = f"Virtual section of {as_text(stack.name)}, {predicted.title}"
    made = Made(
        "virtual_section.h5ad",
        "application/x-hdf5",
        "Prepare H5AD, all genes",
        "Download virtual_section.h5ad",
        "Writing the section",
        Left(CELLS, [level.id for level in stack.levels]),
        "Positions, both predictions of every gene, tokens, and how it was made, with the stamp",
    )
    offer_made(
        library,
        lambda: WriteVirtualSection(predicted.asked, stamp(title, stack.levels, model, predicted.parameters)),
        made,
        "between-h5ad",
        predicted.asked.result,
        limit_s=_LIMIT_S,
    )
