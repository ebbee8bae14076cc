"""Dropout that costs little on a CPU."""

import torch
from torch import Tensor, nn


class QuickDropout(nn.Module):
    """Dropout by bytes: torch draws a float for each value, which costs a CPU as much as the layers between.

    The share dropped is rounded to a 256th.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        """Set a share of the values (...) to 0, in training, and scale up the others."""
        if not self.training or not self.dropped:
            return x
        drawn = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
        drawn = drawn.view(torch.uint8)[: x.numel()].view(x.shape)
        # 1 where at least `dropped`, else 0. Comparing, which gives bool, takes several times as long.
        kept = drawn.clamp(min=self.dropped - 1).sub_(self.dropped - 1).clamp_(max=1)
        return x * kept.to(x.dtype).mul_(256 / (256 - self.dropped))
