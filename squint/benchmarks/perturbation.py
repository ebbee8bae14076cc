"""Whether a perturbation finds an answer that was planted, and finds none where none was."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from anndata import AnnData
from plotly.subplots import make_subplots
from scipy.sparse import csr_matrix

from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.datasets import STATE
from squint.pl import PRINT
from squint.training.run import train

PLANTED_SEEDS = tuple(range(1, 21))  # fixed before any of them was run ...
SHAM_SEEDS = tuple(range(101, 201))  # ... and so are these; the design was settled on seeds from 1000
FLAT_SEEDS = tuple(range(1101, 1161))  # on which it was found out why p is as it is
PLANTED, SHAM = "cytotoxic", "sham"  # states of the T cells that replace the native ones
MODEL = ModelConfig(n_codes=24, n_hidden=64, n_latent=32, n_mlp_layers=1, n_section_features=0)
N_EPOCHS = 25
N_SHAMS = 499
AT_REST = 0.01  # least induction of a macrophage that answers
ALIKE = 12  # genes of like level, among which one is drawn
FOLLICLE = "tertiary lymphoid structure"


class Trial(NamedTuple):
    """One seed: tissue, model and perturbation."""

    seed: int
    state: str
    n_perturbed: int
    n_affected: int
    n_moved: int
    response: float
    above_sham: float
    low: float  # of its 95 % interval
    high: float
    p: float
    score_error: float

    @property
    def is_seen(self) -> bool:
        """Whether the response above shams is beyond twice the error of the scores."""
        return abs(self.above_sham) >= 2 * self.score_error


def flat_genes(adata: AnnData, seed: int) -> tuple[str, ...]:
    """Draw genes that no macrophage switches on, each as frequent in those at rest as one that they do."""
    at_rest = (adata.obs[keys.CELL_TYPE] == "macrophage") & (adata.obs["induction"] < AT_REST)
    level = np.asarray(csr_matrix(adata.X)[at_rest.to_numpy()].mean(axis=0)).ravel()
    names, taken = list(adata.var_names), set(datasets.RESPONSE_GENES)
    rng = np.random.default_rng([seed, 7])
    found = []
    for gene in datasets.RESPONSE_GENES:
        near = np.argsort(np.abs(level - level[names.index(gene)]))
        found.append(str(rng.choice([names[i] for i in near if names[i] not in taken][:ALIKE])))
        taken.add(found[-1])
    return tuple(found)


def trial(seed: int, state: str, *, n_shams: int = N_SHAMS, flat: bool = False) -> Trial:
    """Simulate a section, train on it, and replace its native T cells by the mean of those of a state.

    Parameters
    ----------
    seed
        Of tissue, training and shams.
    state
        ``"cytotoxic"``, beside which macrophages switch on a programme, or ``"sham"``, beside which they do
        not.
    n_shams
        Draws.
    flat
        Watch genes that no macrophage switches on, instead of those that some do.

    Returns
    -------
    What was found.
    """
    adata = datasets.response(seed)
    how = TrainConfig(n_epochs=N_EPOCHS, batch_size=256, context_steps=0, seed=seed)
    *_, last = train([adata], model=MODEL, train=how, device="cpu")
    types, region = (adata.obs[name].astype(str).to_numpy() for name in (keys.CELL_TYPE, keys.REGION))
    what = tl.Perturbation(
        cells=(types == "CD8 T cell") & (region == FOLLICLE),
        by=tl.ReplaceByMean((adata.obs[STATE] == state).to_numpy()),
        programme=flat_genes(adata, seed) if flat else datasets.RESPONSE_GENES,
        responders=types == "macrophage",
        roi=region == FOLLICLE,
    )
    tl.perturb(adata, last.bundle, what, n_shams=n_shams, seed=seed)
    found = adata.uns[keys.PERTURBATION]
    numbers = {name: found[name] for name in Trial._fields if name in found}
    low, high = np.asarray(found["interval"], dtype=float)
    return Trial(**numbers | {"seed": seed, "state": state, "low": float(low), "high": float(high)})


def p_values(planted: Sequence[float], sham: Sequence[float]) -> go.Figure:
    """Draw how the p-values of both states are spread, in bins of 0.05.

    Parameters
    ----------
    planted, sham
        A p for each seed.

    Returns
    -------
    Two histograms; a line in the second is what an exact test would give of a state that does nothing.
    """
    titles = (
        f"cytotoxic T cells: an answer is planted, {len(planted)} seeds",
        f"the sham state: none is, {len(sham)} seeds",
    )
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.1)
    edges = np.linspace(0, 1, 21)
    for column, values in enumerate((planted, sham), start=1):
        counts, _ = np.histogram(np.asarray(values, dtype=float), edges)
        marker = {"color": PRINT.categories[4]}
        figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker=marker, row=1, col=column)
    figure.update_annotations(font_size=14)
    even = {"color": PRINT.ink, "dash": "dash", "width": 2}
    figure.add_hline(len(sham) / 20, line=even, row=1, col=2)
    axis = {
        "tickfont": {"size": 13},
        "title_font_size": 14,
        "gridcolor": "#DDDDDD",
        "zerolinecolor": "#999999",
    }
    figure.update_xaxes(title="p", range=[0, 1], **axis).update_yaxes(rangemode="tozero", **axis)
    figure.update_yaxes(title="seeds", col=1)
    return figure.update_layout(
        width=900,
        height=340,
        bargap=0.08,
        showlegend=False,
        plot_bgcolor="#FFFFFF",
        font={"color": PRINT.ink},
    ).update_layout(margin={"l": 60, "r": 16, "t": 48, "b": 56}, font={"color": PRINT.ink})
