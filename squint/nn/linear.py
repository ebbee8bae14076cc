"""Linear layers that multiply by oneDNN on a CPU.

torch multiplies float32 by MKL there, which leaves half of what some processors can do unused: on AMD's with
AVX-512, oneDNN, which torch brings along, is about twice as fast at the sizes of this model, and as exact.
"""

from typing import Any

import torch
from torch import Tensor, nn


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply x (..., k) by weight (n, k), transposed, and add bias (n,): (..., n)."""
    # The operation itself checks no shape.
    fits = x.shape[-1] == weight.shape[1] and x.numel() > 0
    if not (_HAS_ONEDNN and fits and x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32):
        return nn.functional.linear(x, weight, bias)
    rows = x.reshape(-1, x.shape[-1])
    if torch.is_grad_enabled():
        found: Tensor = _Product.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    else:
        found = _multiply(rows, weight, bias)
    return found.view(*x.shape[:-1], len(weight))


class Linear(nn.Linear):
    """As torch's."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., k) to (..., n)."""
        return product(x, self.weight, self.bias)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _multiply(grad, weight.T) if of_x else None,
            _multiply(grad.T, x.T) if of_weight else None,
            grad.sum(dim=0) if of_bias else None,
        )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def _has_onednn() -> bool:
    """Tell whether the operation is there, which torch promises to nobody, and multiplies."""
    try:
        one = torch.ones(2, 3)
        return bool((_multiply(one, one) == 3).all())
    except (AttributeError, RuntimeError, TypeError):
        return False


_HAS_ONEDNN = _has_onednn()
