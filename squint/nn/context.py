"""The two small networks that in-paint: what a hidden cell expresses, and which cells it may resemble."""

import torch
from torch import Tensor, nn

from squint.nn.dropout import QuickDropout
from squint.nn.linear import Linear


class ProfileNet(nn.Module):
    """From what is known around a cell, how it departs from the mean of the nearest observed cells."""

    def __init__(self, n_in: int, n_out: int, width: int = 256, input_dropout: float = 0.4) -> None:
        super().__init__()
        # Much is dropped: the same tissue is seen from many holes, and would be learned by heart.
        self.layers = nn.Sequential(
            QuickDropout(input_dropout),
            Linear(n_in, width),
            nn.GELU(),
            QuickDropout(0.5),
            Linear(width, width),
            nn.GELU(),
            QuickDropout(0.5),
            _silent(width, n_out),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (n, n_in) to departures (n, n_out)."""
        departures: Tensor = self.layers(features)
        return departures


class DonorNet(nn.Module):
    """Attention of a hidden cell to observed ones: the more alike two places, the larger the weight."""

    def __init__(self, n_in: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Linear(n_in, width), nn.GELU(), Linear(width, width), nn.GELU(), _silent(width, 1)
        )

    def forward(self, pairs: Tensor, there: Tensor) -> Tensor:
        """Weigh k donors of n cells by what sets the two apart.

        Parameters
        ----------
        pairs
            Features (n, k, n_in).
        there
            Bool (n, k), false where a donor is missing.

        Returns
        -------
        Weights (n, k) that sum to 1.
        """
        logits = self.layers(pairs).squeeze(2).masked_fill(~there, -torch.inf)
        weights: Tensor = logits.softmax(dim=1)
        return weights


def energy_score(weights: Tensor, donors: Tensor, truth: Tensor) -> Tensor:
    """Score weighted donors as a forecast of the truth; least for the true distribution.

    Parameters
    ----------
    weights
        (n, k), each row sums to 1.
    donors
        (n, k, d).
    truth
        (n, d).

    Returns
    -------
    Mean over cells of E|x - y| - E|x - x'| / 2, with x and x' drawn by the weights.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, equation 22.
    """
    to_truth = (donors - truth[:, None]).norm(dim=2)  # (n, k)
    among = torch.cdist(donors, donors)  # (n, k, k)
    spread = torch.einsum("nk,nkl,nl->n", weights, among, weights)
    score: Tensor = ((weights * to_truth).sum(dim=1) - spread / 2).mean()
    return score


def _silent(n_in: int, n_out: int) -> Linear:
    """Make a last layer that says nothing to begin with."""
    layer = Linear(n_in, n_out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
