"""A cosine codebook: exact search, k-means to start, moving averages, and no dead codes."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from squint.nn import ranks
from squint.nn.linear import product

SEARCH_ROWS = 2048  # compared with all codes at once: with 5,000 codes, similarities of 40 MB
LLOYD_STEPS = 10  # of k-means, before the codes follow the training
MANY_CODES = 1000  # above, each code starts with a handful of latents, and k-means can do little ...
FEW_LLOYD_STEPS = 2  # ... but takes as long as some epochs


class Quantised(NamedTuple):
    """Latents and the codes nearest to them."""

    codes: Tensor  # (n, d), gradient passed straight through to the latents
    tokens: Tensor  # int64 (n, heads)
    cosine: Tensor  # (n,) between latent and code, mean over heads
    commitment: Tensor  # (), second term of equation 3


class Codebook(nn.Module):
    """Quantise latents by direction (paper, equations 2 and 3).

    The code term of equation 3 is minimised by the moving average rather than by gradient; its second term,
    the commitment, is returned. Codes and latents are compared as unit vectors, one per head; all heads share
    the codes.

    Our own rather than a library's because the search is exact at any chunking, k-means sees a sample of the
    whole cohort rather than the first batch, and a code counts as dead only after an epoch without use.
    """

    codes: Tensor  # (K, d / heads), unit rows
    sums: Tensor  # (K, d / heads), moving sum of the latents of each code
    uses: Tensor  # int64 (K,), times used since the last call of `revive`
    steps: Tensor  # int64 (), of training
    moved: Tensor  # int64 (K,), the step up to which each row of `sums` has been brought

    def __init__(self, n_codes: int, n_latent: int, n_heads: int, decay: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.decay = decay
        codes = normalize(torch.randn(n_codes, n_latent // n_heads), dim=1)
        self.register_buffer("codes", codes)
        self.register_buffer("sums", codes.clone(), persistent=False)
        self.register_buffer("uses", torch.zeros(n_codes, dtype=torch.int64), persistent=False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("moved", torch.zeros(n_codes, dtype=torch.int64), persistent=False)

    def forward(self, latents: Tensor) -> Quantised:
        """Quantise latents (n, d); in training, also move the codes towards them."""
        units = self._units(latents)  # (n * heads, d / heads)
        tokens = self.search(units.detach())
        codes = self.codes[tokens]
        if self.training:
            self._move(units.detach(), tokens)
        cosine = (units * codes).sum(dim=1)
        straight_through = units + (codes - units).detach()
        n_cells = len(latents)
        return Quantised(
            codes=straight_through.view(n_cells, -1),
            tokens=tokens.view(n_cells, self.n_heads),
            cosine=cosine.view(n_cells, self.n_heads).mean(dim=1),
            commitment=(2 - 2 * cosine).mean(),  # squared distance between unit vectors
        )

    def pass_through(self, latents: Tensor) -> Tensor:
        """Scale latents (n, d) as `forward` does, without quantising them."""
        return self._units(latents).view(len(latents), -1)

    def search(self, units: Tensor) -> Tensor:
        """Find the code of largest cosine for each unit row (n, d / heads): int64 (n,)."""
        if len(units) == 0:
            return torch.zeros(0, dtype=torch.int64, device=units.device)
        return torch.cat([product(rows, self.codes).argmax(dim=1) for rows in units.split(SEARCH_ROWS)])

    @torch.no_grad()
    def initialise(self, latents: Tensor, seed: int) -> None:
        """Start the codes from spherical k-means over latents (n, d) of many cells."""
        units = self._units(latents)
        start = _starting_points(units, len(self.codes), seed)
        self.codes.copy_(units[start])
        for _ in range(lloyd_steps(len(self.codes))):
            tokens = self.search(units)
            sums = torch.zeros_like(self.codes).index_add_(0, tokens, units)
            used = torch.bincount(tokens, minlength=len(self.codes)) > 0
            self.codes[used] = normalize(sums[used], dim=1)
        self.sums.copy_(self.codes)
        self.moved.copy_(self.steps)
        self.uses.zero_()

    @torch.no_grad()
    def revive(self, latents: Tensor, generator: torch.Generator) -> int:
        """Move the codes not used since the last call onto latents (n, d) drawn at random; say how many."""
        dead = (self.uses == 0).nonzero().squeeze(1)
        self.uses.zero_()
        units = self._units(latents)
        dead = dead[: len(units)]
        drawn = torch.randperm(len(units), generator=generator)[: len(dead)].to(units.device)
        self.codes[dead] = units[drawn]
        self.sums[dead] = units[drawn]
        self.moved[dead] = self.steps
        self.take_from_first()
        return len(dead)

    def take_from_first(self) -> None:
        """Take the codes of the first of several processes that train together."""
        for buffer in (self.codes, self.sums, self.uses, self.moved):
            ranks.take_from_first(buffer)

    def _units(self, latents: Tensor) -> Tensor:
        """Split latents (n, d) into heads and scale each to length 1: (n * heads, d / heads)."""
        return normalize(latents.reshape(len(latents) * self.n_heads, -1), dim=1)

    @torch.no_grad()
    def _move(self, units: Tensor, tokens: Tensor) -> None:
        """Let the codes follow the latents that chose them.

        Of a code that was not chosen only the length of its sum shrinks, and never its direction. So that is
        made up for when it is chosen again: in most steps, most of many codes are not.
        """
        self.steps += 1
        if ranks.is_alone() and not units.is_cuda:
            rows, of_unit = tokens.unique(return_inverse=True)
        else:  # which codes are chosen is not worth waiting for, or known to another process alone
            rows, of_unit = torch.arange(len(self.codes), device=units.device), tokens
        chosen = torch.zeros_like(rows).index_add_(0, of_unit, torch.ones_like(of_unit))
        fresh = units.new_zeros(len(rows), units.shape[1]).index_add_(0, of_unit, units)
        chosen, fresh = ranks.add_up(chosen), ranks.add_up(fresh)
        self.uses.index_add_(0, rows, chosen)
        left = self.decay ** (self.steps - self.moved[rows]).to(units.dtype)
        sums = left[:, None] * self.sums[rows] + (1 - self.decay) * fresh
        there = chosen > 0
        self.sums[rows] = torch.where(there[:, None], sums, self.sums[rows])
        self.codes[rows] = torch.where(there[:, None], normalize(sums, dim=1), self.codes[rows])
        self.moved[rows] = torch.where(there, self.steps, self.moved[rows])


def lloyd_steps(n_codes: int) -> int:
    """Choose how many steps of k-means to start a codebook with."""
    return LLOYD_STEPS if n_codes <= MANY_CODES else FEW_LLOYD_STEPS


def _starting_points(units: Tensor, n_codes: int, seed: int) -> Tensor:
    """Choose rows of units (n, d) to start k-means from: int64 (n_codes,), repeated if n < n_codes."""
    rng = np.random.default_rng(seed)
    n_rows = len(units)
    if n_codes >= n_rows:
        drawn = np.resize(rng.permutation(n_rows), n_codes)
    elif n_codes <= MANY_CODES:
        from sklearn.cluster import kmeans_plusplus  # noqa: PLC0415 - takes a second, and only a training needs it

        _, drawn = kmeans_plusplus(units.cpu().numpy(), n_codes, random_state=seed)
    else:  # with many codes k-means++ takes longer than the k-means it is meant to help
        drawn = rng.choice(n_rows, n_codes, replace=False)
    return torch.as_tensor(drawn, device=units.device)
