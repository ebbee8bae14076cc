"""Every choice of the model and of its training, checked when made and stored beside the weights."""

from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, get_args

from squint.errors import InputError

Backbone = Literal["sage", "gin", "gat"]

POSITION = "position"  # as a covariate: where a cell lies, rather than a column of obs
LARGEST = 1_000_000  # of sizes, weights and numbers of steps
MOST_NEIGHBORS = 1_000  # of a cell


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise InputError(message)


def _check_kinds(config: "ModelConfig | TrainConfig") -> None:
    """Refuse values of another kind than their field, as a file may hold them, and those beyond all sense."""
    for field in fields(config):
        value = getattr(config, field.name)
        kinds = get_args(field.type) or (field.type,)
        said = f"not {value!r:.40}"
        if isinstance(value, NoneType) and NoneType in kinds:
            continue
        if bool in kinds:
            _require(isinstance(value, bool), f"{field.name}: true or false, {said}")
        elif int in kinds:
            _require(_is_a(value, Integral), f"{field.name}: a whole number, {said}")
            _require(abs(value) <= _most(field.name), f"{field.name}: at most {_most(field.name):,}, {said}")
        elif float in kinds:
            sound = _is_a(value, Real) and 0 <= value <= LARGEST  # NaN is no such number either
            _require(sound, f"{field.name}: a number from 0 to {LARGEST:,}, {said}")


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _most(name: str) -> int:
    return 2**32 - 1 if name == "seed" else LARGEST


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the model (paper, section 4.2)."""

    n_genes: int = 1000  # highly variable genes kept when the sections share more
    n_neighbors: int = 8  # nearest neighbours per cell, before the graph is made symmetric
    n_mlp_layers: int = 2  # layers that reduce the genes before neighbours are looked at
    n_hidden: int = 256  # width of those layers and of the decoders
    backbone: Backbone = "sage"  # how neighbours are aggregated
    n_hops: int = 1  # layers of the backbone
    n_latent: int = 200  # length of a cell's latent and of its code, all heads together
    n_codes: int = 50  # codes in the codebook, K
    n_heads: int = 1  # equal pieces of the latent, each quantised by the same codebook
    decay: float = 0.8  # exponential moving average of the codes
    n_distance_features: int = 16  # radial basis functions of the distances to the neighbours
    n_section_features: int = 8  # length of the learned condition of a section; 0 leaves it out
    covariates: tuple[str, ...] = ()  # categorical obs columns, or "position" for its Fourier features
    dropout: float = 0.1
    learned_mask: bool = True  # masked cells enter as a learned token; False: as cells without any count

    def __post_init__(self) -> None:
        _check_kinds(self)
        names: Any = self.covariates
        _require(
            isinstance(names, list | tuple) and all(isinstance(name, str) for name in names),
            f"covariates: a list of names, not {str(names)[:40]!r}",
        )
        _require(len(set(names)) == len(names), f"covariates: each name once, not {', '.join(names)[:40]!r}")
        object.__setattr__(self, "covariates", tuple(names))
        sound = self.backbone in get_args(Backbone)
        _require(sound, f"backbone: sage, gin or gat, not {self.backbone!r:.40}")
        _require(1 <= self.n_hops <= 4, f"n_hops: 1 to 4, not {self.n_hops}")
        _require(0 <= self.n_mlp_layers <= 4, f"n_mlp_layers: 0 to 4, not {self.n_mlp_layers}")
        _require(
            self.n_neighbors <= MOST_NEIGHBORS,
            f"n_neighbors: at most {MOST_NEIGHBORS}, not {self.n_neighbors}",
        )
        _require(self.n_codes >= 2, f"n_codes: at least 2, not {self.n_codes}")
        _require(self.n_heads >= 1, f"n_heads: at least 1, not {self.n_heads}")
        _require(
            self.n_latent % self.n_heads == 0,
            f"n_latent ({self.n_latent}) cannot be split into {self.n_heads} equal heads",
        )
        _require(0 <= self.decay < 1, f"decay: in [0, 1), not {self.decay}")
        _require(0 <= self.dropout < 1, f"dropout: in [0, 1), not {self.dropout}")
        for name in ("n_genes", "n_neighbors", "n_hidden", "n_latent"):
            _require(getattr(self, name) >= 1, f"{name}: at least 1, not {getattr(self, name)}")
        for name in ("n_distance_features", "n_section_features"):
            _require(getattr(self, name) >= 0, f"{name}: at least 0, not {getattr(self, name)}")


def epochs_for(n_cells: int) -> int:
    """Choose how often to go through ``n_cells``: 30 times, or to see about a million, at least 4 times.

    Large sections then take minutes: what a model learns, it learns from the number of cells seen.
    """
    return min(30, max(4, 1_000_000 // max(n_cells, 1)))


@dataclass(frozen=True)
class TrainConfig:
    """How the model is trained (paper, equations 4 and 5)."""

    n_epochs: int | None = None  # None: 30, or fewer for many cells, see `epochs_for`
    batch_size: int = 512  # cells whose losses make one step
    tile_size: int = 64  # neighbouring cells that enter a step together, with their halo
    learning_rate: float = 1e-3  # reached after the warm-up, then a cosine down to zero
    warmup_fraction: float = 0.05  # of all steps, in which the learning rate rises
    continuous_fraction: float = 0.2  # of all epochs, before k-means starts the codebook
    attribute_weight: float = 1.0  # lambda_X of equation 5
    adjacency_weight: float = 0.1  # lambda_A
    codebook_weight: float = 1.0  # lambda_E
    mask_weight: float = 1e-4  # lambda_m
    mask_start: float = 0.2  # fraction of cells masked in the first step ...
    mask_end: float = 0.6  # ... and in the last
    block_fraction: float = 0.5  # of the masked cells lie in contiguous blocks, the rest at random
    mask_noise: float = 1e-4  # s.d. of the noise added to the mask token
    section_dropout: float = 0.1  # tiles shown under the condition of an unseen section
    edges_held_out: float = 0.02  # of all edges, kept from the adjacency loss to judge it by
    cells_held_out: float = 0.0  # of the cells of each section, hidden completely to judge in-painting by
    context_steps: int = 400  # of each network that in-paints; 0: the model cannot
    domain_prototypes: int = 400  # kinds of surroundings that domains are groups of; 0: the model has none
    seed: int = 0

    def __post_init__(self) -> None:
        _check_kinds(self)
        _require(self.seed >= 0, f"seed: at least 0, not {self.seed}")
        _require(self.n_epochs is None or self.n_epochs >= 1, f"n_epochs: at least 1, not {self.n_epochs}")
        for name in ("batch_size", "tile_size"):
            _require(getattr(self, name) >= 1, f"{name}: at least 1, not {getattr(self, name)}")
        for name in (
            "warmup_fraction",
            "continuous_fraction",
            "mask_start",
            "mask_end",
            "block_fraction",
            "section_dropout",
            "edges_held_out",
            "cells_held_out",
        ):
            _require(0 <= getattr(self, name) < 1 or name == "block_fraction", f"{name}: in [0, 1)")
        for name in ("context_steps", "domain_prototypes"):
            _require(getattr(self, name) >= 0, f"{name}: at least 0, not {getattr(self, name)}")
        _require(0 <= self.block_fraction <= 1, "block_fraction: in [0, 1]")
        _require(self.learning_rate > 0, f"learning_rate: above 0, not {self.learning_rate}")
