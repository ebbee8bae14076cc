"""Domains: the second vocabulary, of what lies around a cell farther than its neighbours.

The decoder says of every latent which share of the counts each gene has around the cell. Square roots of
these shares, all decoded under one condition, are looked at in the directions that tell places far from
each other apart and places side by side least; and averaged over wider and wider surroundings. A domain is
a group of the prototypes of such contexts. Prototypes are learned in training; how many domains there are
is chosen at use.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor, nn

from squint.errors import InputError
from squint.model.tokens import UNSEEN_SECTION, Squint
from squint.stats.prototypes import group_prototypes

N_FACTORS = 12
STEPS = (2, 7, 27)  # of a walk along the graph: what it reaches is about 18, 63 and 243 cells
BLOCK = 4096  # cells decoded, or compared with all prototypes, at once

Floats = NDArray[np.float32]


class Vocabulary(NamedTuple):
    """What a training found, as arrays."""

    features: Floats  # (f,) the condition under which all cells are decoded
    centre: Floats  # (g,) of the square roots of shares
    factors: Floats  # (g, c) what they are multiplied by
    prototypes: Floats  # (m, c * len(STEPS))
    use: Floats  # (m,) share of the training cells nearest to each


class Domains(nn.Module):
    """The second vocabulary of a model.

    Parameters
    ----------
    n_features
        Features of a cell's condition beside its section.
    n_genes
        Genes, g.
    n_prototypes
        Contexts that domains are groups of, m.
    n_factors
        Directions in which contexts are told apart, c.
    """

    features: Tensor
    centre: Tensor
    factors: Tensor
    prototypes: Tensor
    use: Tensor

    def __init__(self, n_features: int, n_genes: int, n_prototypes: int, n_factors: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(n_features))
        self.register_buffer("centre", torch.zeros(n_genes))
        self.register_buffer("factors", torch.zeros(n_genes, n_factors))
        self.register_buffer("prototypes", torch.zeros(n_prototypes, n_factors * len(STEPS)))
        self.register_buffer("use", torch.full((n_prototypes,), 1 / n_prototypes))

    @classmethod
    def of(cls, found: Vocabulary) -> "Domains":
        """Make it of what a training found."""
        n_genes, n_factors = found.factors.shape
        domains = cls(len(found.features), n_genes, len(found.prototypes), n_factors)
        domains.load_state_dict({name: torch.from_numpy(array) for name, array in found._asdict().items()})
        return domains

    @property
    def n_prototypes(self) -> int:
        """How many domains there can be at most."""
        return len(self.use)

    @property
    def n_factors(self) -> int:
        """Directions in which contexts are told apart."""
        return self.factors.shape[1]

    def values(self, model: Squint, latents: Floats) -> Floats:
        """Give the factors (n, c) of latents (n, d): what they say of the cell and its neighbours."""
        roots = root_shares(model, latents, self.features.cpu().numpy())
        found: Floats = (roots - self.centre.cpu().numpy()) @ self.factors.cpu().numpy()
        return found

    def assign(self, contexts: Floats) -> NDArray[np.int32]:
        """Find the nearest prototype of each context (n, c * len(STEPS)): int32 (n,)."""
        prototypes = self.prototypes.cpu()
        squares = prototypes.square().sum(dim=1) / 2
        rows = torch.from_numpy(contexts).split(BLOCK)
        nearest = [(part @ prototypes.T - squares).argmax(dim=1) for part in rows]
        found: NDArray[np.int32] = torch.cat(nearest).int().numpy() if nearest else np.zeros(0, np.int32)
        return found

    def cut(self, n_domains: int) -> NDArray[np.int64]:
        """Group the prototypes: of each (m,) its domain, from 0, those with most training cells first.

        Raises
        ------
        InputError
            If there cannot be so many domains.
        """
        if not 2 <= n_domains <= self.n_prototypes:
            raise InputError(
                f"This model can tell 2 to {self.n_prototypes} domains apart, not {n_domains}. "
                "Choose a number between."
            )
        return group_prototypes(self.prototypes.cpu().numpy(), self.use.cpu().numpy(), n_domains)


def known_domains(domains: Domains | None) -> Domains:
    """Give the second vocabulary of a model, or say that it has none.

    Raises
    ------
    InputError
        If it has none.
    """
    if domains is None:
        raise InputError(
            "This model knows no domains: it was trained before there were any, without them "
            "(domain_prototypes 0), or on too few cells. Train one that does, or ask for tokens alone."
        )
    return domains


@torch.no_grad()
def root_shares(model: Squint, latents: Floats, features: Floats) -> Floats:
    """Decode latents (n, d) under one condition of an unseen section: square roots of shares (n, g).

    Square roots, because the distance between those of two profiles (Hellinger's) lets genes with many counts
    and genes with few speak about as loud as their counts are reliable.
    """
    model.eval()
    device = model.device
    common = torch.from_numpy(features).to(device)[None]
    found = []
    for part in torch.from_numpy(latents).split(BLOCK):
        codes = model.codebook.pass_through(part.to(device))
        section = torch.full((len(part),), UNSEEN_SECTION, device=device)
        condition = model.condition(common.expand(len(part), -1), section)
        found.append((model.attributes(codes, condition, section) / 2).exp().cpu().numpy())
    roots: Floats = np.concatenate(found) if found else np.zeros((0, len(features)), np.float32)
    return roots


def contexts(values: Floats, graph: csr_matrix, told: NDArray[np.bool_]) -> Floats:
    """Average what cells say over wider and wider surroundings.

    Parameters
    ----------
    values
        Of the cells (n, c); rows of cells that tell nothing are not looked at.
    graph
        Between neighbours (n, n).
    told
        Cells (n,) that tell something.

    Returns
    -------
    (n, c * len(STEPS)): means after so many steps along the graph, each to one of the closed neighbourhood.
    They are weighted by how often a walk ends in a cell, and only cells that tell something count. A cell
    that no such cell is near to has zeros.
    """
    closed = graph + csr_matrix(diags_array(np.ones(graph.shape[0], dtype=np.float32)))
    closed.data[:] = 1
    step = csr_matrix(diags_array(1 / np.diff(closed.indptr).astype(np.float32)) @ closed)
    seen = told.astype(np.float32)[:, None]
    state = np.hstack([np.where(told[:, None], values, 0), seen]).astype(np.float32)
    found = []
    for number in range(1, max(STEPS) + 1):
        state = step @ state
        if number in STEPS:
            weight = state[:, -1:]
            found.append(np.divide(state[:, :-1], weight, out=np.zeros_like(state[:, :-1]), where=weight > 0))
    context: Floats = np.hstack(found)
    return context
