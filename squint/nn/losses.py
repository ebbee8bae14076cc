"""The likelihoods of equation 5."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def negative_binomial(counts: Tensor, log_mean: Tensor, log_dispersion: Tensor) -> Tensor:
    """Negative log-likelihood per cell (n,), mean over genes, as in scVI.

    Parameters
    ----------
    counts
        Observed (n, g).
    log_mean
        Log of the expected counts (n, g).
    log_dispersion
        Log of the inverse dispersion (g,): the variance is ``mean + mean**2 / exp(log_dispersion)``.
    """
    found: Tensor = _NegativeBinomial.apply(counts, log_mean, log_dispersion)  # type: ignore[no-untyped-call]
    return found


class _NegativeBinomial(torch.autograd.Function):
    """With derivatives by hand: torch's way through so many operations costs a CPU several times as much."""

    @staticmethod
    def forward(ctx: Any, counts: Tensor, log_mean: Tensor, log_dispersion: Tensor) -> Tensor:
        theta = log_dispersion.exp()
        mean = log_mean.exp()
        total = mean + theta
        log_total = total.log()
        both = counts + theta
        value = torch.lgamma(both) - torch.lgamma(counts + 1)
        value += counts * log_mean
        value -= both * log_total
        share = both / total
        ctx.save_for_backward(
            counts - share * mean,
            theta * (_digamma(both) - log_total - share),
            theta * (log_dispersion + 1 - torch.digamma(theta)),
        )
        of_genes = theta * log_dispersion - torch.lgamma(theta)
        return -(value.mean(dim=1) + of_genes.mean())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        by_mean, by_dispersion, of_genes = ctx.saved_tensors
        grad = -grad / by_mean.shape[1]
        return None, grad[:, None] * by_mean, grad @ by_dispersion + grad.sum() * of_genes


def _digamma(x: Tensor) -> Tensor:
    """Differentiate log gamma, for positive x; torch's own takes a CPU several times as long.

    Its recurrence brings x to at least 4, where three terms of the asymptotic series are exact to 1e-7
    (Abramowitz and Stegun, 6.3.5 and 6.3.18).
    """
    ends, middle = x * (x + 3), x * (x + 3) + 2  # x (x + 3) and (x + 1) (x + 2)
    below = (2 * x + 3) * (ends + middle) / (ends * middle)  # sum of 1 / (x + i) for i = 0 to 3
    inverse = 1 / (x + 4)
    square = inverse * inverse
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return (x + 4).log() - 0.5 * inverse - series - below


def edges(present: Tensor, absent: Tensor) -> Tensor:
    """Binary cross entropy () of log odds of edges (e,) and of pairs that are none (m,), weighed alike."""
    return 0.5 * (
        binary_cross_entropy_with_logits(present, torch.ones_like(present))
        + binary_cross_entropy_with_logits(absent, torch.zeros_like(absent))
    )
