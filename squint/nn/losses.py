"""The likelihoods of equation 5."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def negative_binomial(counts: Tensor, mean: Tensor, log_dispersion: Tensor) -> Tensor:
    """Negative log-likelihood per cell (n,), mean over genes, as in scVI.

    Parameters
    ----------
    counts
        Observed (n, g).
    mean
        Expected (n, g), positive.
    log_dispersion
        Log of the inverse dispersion (g,): the variance is ``mean + mean**2 / exp(log_dispersion)``.
    """
    theta = log_dispersion.exp()
    log_total = torch.log(theta + mean)
    log_likelihood = (
        theta * (log_dispersion - log_total)
        + counts * (torch.log(mean) - log_total)
        + torch.lgamma(counts + theta)
        - torch.lgamma(theta)
        - torch.lgamma(counts + 1)
    )
    return -log_likelihood.mean(dim=1)


def edges(present: Tensor, absent: Tensor) -> Tensor:
    """Binary cross entropy () of log odds of edges (e,) and of pairs that are none (m,), weighed alike."""
    return 0.5 * (
        binary_cross_entropy_with_logits(present, torch.ones_like(present))
        + binary_cross_entropy_with_logits(absent, torch.zeros_like(absent))
    )
