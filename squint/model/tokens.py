"""The whole model: encoder, codebook and the two decoders (paper, figure 2)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from squint.config import ModelConfig
from squint.errors import InputError
from squint.io.mapped import let_go
from squint.model.cohort import Cohort, Patch
from squint.nn.codebook import Codebook, Quantised
from squint.nn.conditioning import Condition
from squint.nn.decoders import AdjacencyDecoder, AttributeDecoder
from squint.nn.encoder import Encoder, Hop, Rows, Seen

UNSEEN_SECTION = 0
TILE_SIZE = 8192  # cells encoded at once ...
FEWEST = 256  # ... and at least, before a GPU is given up


class Inputs(NamedTuple):
    """A patch as tensors: n cells, of which the first m are the ones asked for."""

    counts: Rows | Seen  # (n, g), log1p of scaled counts
    noise: Tensor  # (k, g), added to the mask token; masked cells take its rows in turn
    hops: list[Hop]
    features: Tensor  # (m, c)
    section: Tensor  # int64 (m,), the section's number in the model, 0 if unseen
    shown_section: Tensor  # int64 (m,), the same as the encoder is told it: training withholds it at times
    masked: Tensor | None = None  # bool (n,), of sparse counts


class Output(NamedTuple):
    """What the model makes of m cells."""

    latents: Tensor  # (m, n_latent), after FiLM, before quantisation
    quantised: Quantised | None  # None before the codebook has started
    log_shares: Tensor  # (m, g), log of each gene's share in the closed neighbourhood
    edge_vectors: Tensor  # (m, n_latent)


class Embedding(NamedTuple):
    """Latents and tokens of some cells, in order."""

    cells: NDArray[np.int64]  # (m,) which cells
    latents: NDArray[np.float32]  # (m, n_latent)
    tokens: NDArray[np.int32]  # (m, heads)
    distance: NDArray[np.float32]  # (m,), 1 - cosine between latent and code


class Decoded(NamedTuple):
    """What the codes of some cells say of their surroundings."""

    log_shares: Tensor  # (m, g), log of each gene's share in the closed neighbourhood
    edge_vectors: Tensor  # (m, n_latent)


class Squint(nn.Module):
    """Encode cells with their neighbourhood, quantise, and decode what surrounds them.

    Parameters
    ----------
    config
        Shape of the model.
    n_genes
        Genes, g.
    n_features
        Features of a cell's condition beside its section.
    n_sections
        Sections trained on; section 0 is the unseen one.
    """

    def __init__(self, config: ModelConfig, n_genes: int, n_features: int, n_sections: int) -> None:
        super().__init__()
        self.config = config
        self.condition = Condition(n_features, n_sections, config.n_section_features)
        n_condition = self.condition.n_out
        self.encoder = Encoder(config, n_genes, n_condition)
        self.codebook = Codebook(config.n_codes, config.n_latent, config.n_heads, config.decay)
        self.attributes = AttributeDecoder(config, n_genes, n_condition, n_sections)
        self.adjacency = AdjacencyDecoder(config, n_condition)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.codebook.codes.device

    def encode(self, inputs: Inputs) -> Tensor:
        """Give the latents (m, n_latent) of the cells asked for."""
        condition = self.condition(inputs.features, inputs.shown_section)
        latents: Tensor = self.encoder(inputs.counts, inputs.noise, inputs.hops, condition, inputs.masked)
        return latents

    def forward(self, inputs: Inputs, *, quantise: bool = True) -> Output:
        """Run the cells of a patch; without ``quantise`` the decoders see the latents themselves."""
        latents = self.encode(inputs)
        quantised = self.codebook(latents) if quantise else None
        codes = self.codebook.pass_through(latents) if quantised is None else quantised.codes
        # The decoders are always told the section: what they were not told, the codes would have to say.
        condition = self.condition(inputs.features, inputs.section)
        log_shares = self.attributes(codes, condition, inputs.section)
        return Output(latents, quantised, log_shares, self.adjacency(codes, condition))


def to_inputs(
    cohort: Cohort,
    patch: Patch,
    masked: NDArray[np.bool_],
    section: NDArray[np.int64],
    device: torch.device,
) -> Inputs:
    """Move a patch to the device, with cells ``masked`` (n,) and sections ``section`` (m,)."""
    return Inputs(
        counts=to_rows(cohort.inputs(patch.cells), device),
        masked=torch.from_numpy(masked).to(device),
        noise=torch.zeros(1, cohort.counts.shape[1], device=device),
        hops=[Hop(torch.from_numpy(edges).to(device), n_targets) for edges, n_targets in patch.hops],
        features=torch.from_numpy(cohort.features[patch.cells[: len(section)]]).to(device),
        section=torch.from_numpy(section).to(device),
        shown_section=torch.from_numpy(section).to(device),
    )


@torch.no_grad()
def embed(
    model: Squint,
    cohort: Cohort,
    conditions: NDArray[np.int64],
    *,
    among: NDArray[np.int64] | None = None,
    tile_size: int = TILE_SIZE,
) -> Iterator[Embedding]:
    """Encode and quantise cells, a tile at a time, hidden ones under the mask token.

    Parameters
    ----------
    model
        Trained model, on any device; left in evaluation mode.
    cohort
        Cells, over the model's genes.
    conditions
        Per section of ``cohort``, its number in the model (0 = unseen).
    among
        Which cells (m,), in this order; by default all, neighbours together.
    tile_size
        Cells at a time; tokens do not depend on it.

    Raises
    ------
    InputError
        If a latent is not finite.
    """
    model.eval()
    if among is None:
        parts = _visits(cohort, tile_size)
    else:
        parts = [among[start : start + tile_size] for start in range(0, len(among), tile_size)]
    for cells in parts:
        yield from _embed(model, cohort, conditions, cells)


def _embed(
    model: Squint, cohort: Cohort, conditions: NDArray[np.int64], cells: NDArray[np.int64]
) -> Iterator[Embedding]:
    """Encode and quantise some cells at once; in halves, and these in halves, where a GPU is too small."""
    patch = cohort.patch(cells, model.config.n_hops)
    section = conditions[cohort.section[cells]]
    try:
        inputs = to_inputs(cohort, patch, ~cohort.visible[patch.cells], section, model.device)
        let_go(cohort.counts.data, cohort.counts.indices)
        latents = model.encode(inputs)
        quantised = model.codebook(latents)
    except torch.cuda.OutOfMemoryError:
        if len(cells) <= FEWEST:
            raise
        torch.cuda.empty_cache()
        for half in np.array_split(cells, 2):
            yield from _embed(model, cohort, conditions, half)
        return
    found = latents.float().cpu().numpy()
    if not np.isfinite(found).all():
        raise InputError("The model gives latents that are not finite. Use another copy of its bundle.")
    yield Embedding(
        cells,
        found,
        quantised.tokens.int().cpu().numpy(),
        (1 - quantised.cosine).clamp(min=0).float().cpu().numpy(),
    )


def visit_order(cohort: Cohort) -> NDArray[np.int64]:
    """Give all cells (n,) in the order in which `embed` takes them."""
    return np.concatenate(_visits(cohort, TILE_SIZE))


def _visits(cohort: Cohort, tile_size: int) -> list[NDArray[np.int64]]:
    # The cut decides only the order of the work, so a fixed seed costs no generality.
    return cohort.cut(tile_size, block_fraction=0, rng=np.random.default_rng(0)).cells


@torch.no_grad()
def decode(model: Squint, cohort: Cohort, conditions: NDArray[np.int64], part: Embedding) -> Decoded:
    """Decode the codes of cells that `embed` gave, under the same conditions."""
    codes = model.codebook.codes[torch.from_numpy(part.tokens.astype(np.int64)).to(model.device)].flatten(1)
    features = torch.from_numpy(cohort.features[part.cells]).to(model.device)
    section = torch.from_numpy(conditions[cohort.section[part.cells]]).to(model.device)
    condition = model.condition(features, section)
    return Decoded(model.attributes(codes, condition, section), model.adjacency(codes, condition))


def to_rows(matrix: csr_matrix, device: torch.device) -> Rows:
    """Make tensors of scipy's sparse rows."""
    return Rows(
        torch.from_numpy(matrix.indices.astype(np.int64)).to(device),
        torch.from_numpy(matrix.indptr[:-1].astype(np.int64)).to(device),
        torch.from_numpy(matrix.data).to(device),
    )
