"""The condition C of a cell, and feature-wise linear modulation (FiLM) by it."""

import torch
from torch import Tensor, nn


class Condition(nn.Module):
    """Join a cell's features with the learned condition of its section.

    Section 0 stands for every section that training has not seen; its condition is the mean of the others'.
    """

    def __init__(self, n_features: int, n_sections: int, n_section_features: int) -> None:
        super().__init__()
        self.sections = nn.Embedding(n_sections, n_section_features)
        nn.init.normal_(self.sections.weight, std=0.1)
        self.n_out = n_features + n_section_features

    def forward(self, features: Tensor, section: Tensor) -> Tensor:
        """Give C (n, n_out) for features (n, n_features) and sections (n,)."""
        return torch.cat([features, section_rows(self.sections.weight, section)], dim=1)


def section_rows(sections: Tensor, section: Tensor) -> Tensor:
    """Take the row of each cell's section (n,), from 1, of a table (s, d); for section 0 the mean of all.

    Not by indexing, whose gradient is summed in an order that changes from run to run on several threads.
    """
    return torch.cat([sections.mean(dim=0, keepdim=True), sections]).index_select(0, section)


class FiLM(nn.Module):
    """Scale and shift features by the condition; the identity to start with (Perez et al. 2018)."""

    def __init__(self, n_condition: int, n_features: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(n_condition, 2 * n_features)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Modulate features (n, d) by C (n, c), added to the features themselves."""
        scale, shift = self.modulation(condition).chunk(2, dim=1)  # (n, d) each
        modulated: Tensor = features + scale * features + shift
        return modulated
