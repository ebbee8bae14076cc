"""From a code back to what surrounds the cell: the expression of its neighbourhood, and its edges."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from squint.config import ModelConfig
from squint.nn.conditioning import FiLM, section_rows
from squint.nn.dropout import QuickDropout
from squint.nn.linear import Linear


class ConditionedLayer(nn.Module):
    """Linear, layer norm, FiLM, GELU and dropout: a hidden layer of a decoder."""

    def __init__(self, n_in: int, n_out: int, n_condition: int, dropout: float) -> None:
        super().__init__()
        self.linear = Linear(n_in, n_out)
        self.norm = nn.LayerNorm(n_out)
        self.film = FiLM(n_condition, n_out)
        self.dropout = QuickDropout(dropout)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (n, n_in) under C (n, c) to (n, n_out)."""
        modulated = self.film(self.norm(self.linear(x)), condition)
        out: Tensor = self.dropout(nn.functional.gelu(modulated))
        return out


class AttributeDecoder(nn.Module):
    """Code to the expected share of each gene in the counts of the closed neighbourhood.

    Each section has one factor per gene, learned with the rest: chemistry and patient make a gene stronger or
    weaker throughout a section, and what the decoder can say of a section the codes need not.
    """

    def __init__(self, config: ModelConfig, n_genes: int, n_condition: int, n_sections: int) -> None:
        super().__init__()
        self.hidden = ConditionedLayer(config.n_latent, config.n_hidden, n_condition, config.dropout)
        self.genes = Linear(config.n_hidden, n_genes)
        self.section_factors = nn.Parameter(torch.zeros(n_sections, n_genes))  # log
        self.log_dispersion = nn.Parameter(torch.full((n_genes,), 2.0))  # of the negative binomial, per gene

    def forward(self, codes: Tensor, condition: Tensor, section: Tensor) -> Tensor:
        """Give the log of each gene's share (n, g); the shares of a cell sum to 1."""
        logits = self.genes(self.hidden(codes, condition))
        return log_softmax(logits + section_rows(self.section_factors, section), dim=1)


class AdjacencyDecoder(nn.Module):
    """Code to an edge vector; two cells are neighbours as far as theirs point the same way."""

    def __init__(self, config: ModelConfig, n_condition: int) -> None:
        super().__init__()
        self.hidden = ConditionedLayer(config.n_latent, config.n_hidden, n_condition, config.dropout)
        self.edge = Linear(config.n_hidden, config.n_latent)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, codes: Tensor, condition: Tensor) -> Tensor:
        """Give edge vectors (n, d)."""
        vectors: Tensor = self.edge(self.hidden(codes, condition))
        return vectors

    def logits(self, vectors: Tensor, pairs: Tensor) -> Tensor:
        """Give the log odds (e,) of an edge between pairs (2, e) of the rows of edge vectors (n, d)."""
        # `index_select`, because the gradient of indexing is not the same from run to run.
        source, target = vectors.index_select(0, pairs[0]), vectors.index_select(0, pairs[1])
        odds: Tensor = (source * target).sum(dim=1) / vectors.shape[1] ** 0.5 + self.offset
        return odds


def top_edges(vectors: Tensor, n_neighbors: int, rows: int = 2048) -> Tensor:
    """Rebuild a graph: the most probable edges of each cell, and those back (paper, section 4.2).

    Parameters
    ----------
    vectors
        Edge vectors (n, d) of the cells of one section.
    n_neighbors
        Edges kept per cell, before the reciprocal ones.
    rows
        Cells compared with all others at once.

    Returns
    -------
    int64 (2, e): each edge once in both directions, no cell joined to itself, sorted.
    """
    n_cells = len(vectors)
    kept = []
    for start in range(0, n_cells, rows):
        scores = vectors[start : start + rows] @ vectors.T
        cell = torch.arange(start, start + len(scores), device=vectors.device)
        scores[torch.arange(len(scores)), cell] = -torch.inf
        best = scores.topk(min(n_neighbors, n_cells - 1), dim=1).indices
        kept.append(torch.stack([cell[:, None].expand_as(best), best]).flatten(1))
    edges = torch.cat(kept, dim=1)
    both: Tensor = torch.cat([edges, edges.flip(0)], dim=1).unique(dim=1)
    return both
