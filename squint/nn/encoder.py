"""From masked counts to one latent per cell: MLP, then the graph, then FiLM."""

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag
from torch_geometric.nn import GATConv, GINConv, SAGEConv

from squint.config import ModelConfig
from squint.nn.conditioning import FiLM
from squint.nn.dropout import QuickDropout
from squint.nn.linear import Linear, product


class Hop(NamedTuple):
    """One step along the graph, from a set of cells to those of them that come first."""

    edge_index: Tensor  # int64 (2, e): source in 0..n_source-1, target in 0..n_target-1, sorted by target
    n_target: int


class Rows(NamedTuple):
    """Sparse rows of a matrix (n, g), as three arrays."""

    columns: Tensor  # int64 (nnz,)
    starts: Tensor  # int64 (n,), where each row begins in `columns`
    values: Tensor  # (nnz,)


class Seen(NamedTuple):
    """Rows of a matrix (n, g) that are not masked, dense, and which these and the masked ones are.

    On a CPU one dense product takes less than sums over sparse rows and their way back, and less still
    without the rows that are masked.
    """

    values: Tensor  # (n_seen, g)
    seen: Tensor  # int64 (n_seen,)
    masked: Tensor  # int64 (n_masked,), the other rows


class MaskedLinear(nn.Module):
    """The first layer: sparse rows for cells that are seen, the mask token for the others (equation 4).

    The token is learned, or zero for good (paper, appendix C.3).
    """

    mask_token: Tensor  # (g,)

    def __init__(self, n_genes: int, n_out: int, *, learned_mask: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_genes, n_out).uniform_(-1, 1) / n_genes**0.5)
        self.bias = nn.Parameter(torch.zeros(n_out))
        if learned_mask:
            self.mask_token = nn.Parameter(torch.zeros(n_genes))
        else:
            self.register_buffer("mask_token", torch.zeros(n_genes))

    def forward(self, counts: Rows | Seen, noise: Tensor, masked: Tensor | None = None) -> Tensor:
        """Map counts (n, g) to (n, n_out).

        Masked rows, of sparse ones those where ``masked`` (n,) is true, are replaced by the mask token plus
        ``noise`` (k, g), whose rows they take in turn.
        """
        if isinstance(counts, Seen):
            seen, rows = product(counts.values, self.weight.T), counts.masked
            n_rows = len(counts.seen) + len(rows)
            out = seen.new_empty(n_rows, seen.shape[1]).index_copy(0, counts.seen, seen)
        else:
            out = embedding_bag(
                counts.columns, self.weight, counts.starts, mode="sum", per_sample_weights=counts.values
            )
            rows = counts.starts[:0] if masked is None else masked.nonzero().squeeze(1)
        hidden = (self.mask_token + noise) @ self.weight
        hidden = hidden.repeat(-(-len(rows) // len(hidden)), 1)[: len(rows)]
        return out.index_copy(0, rows, hidden) + self.bias


class Encoder(nn.Module):
    """MLP over genes, ``n_hops`` layers over the graph, FiLM (paper, section 4.2)."""

    def __init__(self, config: ModelConfig, n_genes: int, n_condition: int) -> None:
        super().__init__()
        widths = [config.n_hidden] * max(config.n_mlp_layers, 1)
        self.first = MaskedLinear(n_genes, widths[0], learned_mask=config.learned_mask)
        # Without an MLP, one linear map stands for the weights that the first graph layer has on the genes.
        self.activate_first = config.n_mlp_layers > 0
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [Linear(width_in, width_out), nn.GELU(), QuickDropout(config.dropout)]
        self.rest = nn.Sequential(*layers)
        self.dropout = QuickDropout(config.dropout)
        widths = [config.n_hidden] * config.n_hops + [config.n_latent]
        self.backbone = config.backbone
        self.hops = nn.ModuleList(
            _graph_layer(config.backbone, width_in, width_out) for width_in, width_out in pairwise(widths)
        )
        self.film = FiLM(n_condition, config.n_latent)

    def reduce(self, counts: Rows | Seen, noise: Tensor, masked: Tensor | None = None) -> Tensor:
        """Map counts (n, g), noise (k, g) and masked cells (n,), see `MaskedLinear`, to (n, n_hidden)."""
        hidden = self.first(counts, noise, masked)
        if self.activate_first:
            hidden = self.dropout(nn.functional.gelu(hidden))
        reduced: Tensor = self.rest(hidden)
        return reduced

    def aggregate(self, layer: int, cells: Tensor, hop: Hop) -> Tensor:
        """Carry cells (n, d) one hop along the graph: (n_target, d')."""
        out: Tensor
        edge_index = hop.edge_index
        last = layer + 1 == len(self.hops)
        if self.backbone == "sage":
            sage: Any = self.hops[layer]
            around = over_neighbours(hop, cells, "mean")
            out = product(around, sage.lin_l.weight, sage.lin_l.bias)
            out = out + product(cells[: hop.n_target], sage.lin_r.weight)
            return out if last else nn.functional.gelu(out)
        if self.backbone == "gat":  # the only one of the three that does not look at the cell itself
            itself = torch.arange(hop.n_target, device=cells.device).expand(2, -1)
            edge_index = torch.cat([edge_index, itself], dim=1)
        out = self.hops[layer]((cells, cells[: hop.n_target]), edge_index)
        return out if last else nn.functional.gelu(out)

    def forward(
        self,
        counts: Rows | Seen,
        noise: Tensor,
        hops: list[Hop],
        condition: Tensor,
        masked: Tensor | None = None,
    ) -> Tensor:
        """Give the latents (n, n_latent) of the cells that the last hop leads to."""
        cells = self.reduce(counts, noise, masked)
        for layer, hop in enumerate(hops):
            cells = self.aggregate(layer, cells, hop)
        latents: Tensor = self.film(cells, condition)
        return latents


def over_neighbours(hop: Hop, cells: Tensor, how: Literal["sum", "mean"]) -> Tensor:
    """Add up, or average, cells (n, d) over the neighbours of each target: (n_target, d).

    In an order that is the same from run to run, and without a copy for each edge.
    """
    source, target = hop.edge_index
    starts = torch.searchsorted(target, torch.arange(hop.n_target, device=target.device))
    return embedding_bag(source, cells, starts, mode=how)


def _graph_layer(backbone: str, n_in: int, n_out: int) -> nn.Module:
    """Make one layer of the chosen backbone, from (n, n_in) to (n_target, n_out)."""
    layer: nn.Module
    if backbone == "gat":
        layer = GATConv(n_in, n_out, add_self_loops=False)
    elif backbone == "gin":
        layer = GINConv(nn.Sequential(nn.Linear(n_in, n_out), nn.GELU(), nn.Linear(n_out, n_out)))
    else:
        layer = SAGEConv(n_in, n_out, aggr="mean")
    return layer
