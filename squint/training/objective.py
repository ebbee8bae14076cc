"""What training minimises (paper, equation 5)."""

from typing import NamedTuple

from torch import Tensor, nn

from squint.config import TrainConfig
from squint.model.tokens import Inputs, Output, Squint
from squint.nn import losses

TERMS = ("attributes", "adjacency", "codebook", "mask", "total")


class Target(NamedTuple):
    """What a model should say of m cells."""

    sums: Tensor  # (m, g) counts of each closed neighbourhood
    weight: Tensor  # (m,) of each cell
    present: Tensor  # int64 (2, e) edges among the cells, as positions
    absent: Tensor  # int64 (2, f) pairs without an edge


class Objective(nn.Module):
    """The loss as one module, so that several processes can share its gradients after one pass."""

    def __init__(self, model: Squint, choices: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.choices = choices

    def forward(self, inputs: Inputs, target: Target, *, quantise: bool) -> tuple[dict[str, Tensor], Output]:
        """Give each term (), unweighted, and their weighted total; and what the model makes of m cells."""
        output: Output = self.model(inputs, quantise=quantise)
        log_mean = output.log_shares + target.sums.sum(dim=1, keepdim=True).clamp(min=1).log()
        per_cell = losses.negative_binomial(target.sums, log_mean, self.model.attributes.log_dispersion)
        terms = {
            "attributes": (target.weight * per_cell).mean(),
            "adjacency": self._adjacency(output.edge_vectors, target),
            "codebook": per_cell.new_zeros(()) if output.quantised is None else output.quantised.commitment,
            "mask": self.model.encoder.first.mask_token.square().sum(),
        }
        choices = self.choices
        total = (
            choices.attribute_weight * terms["attributes"]
            + choices.adjacency_weight * terms["adjacency"]
            + choices.codebook_weight * terms["codebook"]
            + choices.mask_weight * terms["mask"]
        )
        return {**terms, "total": total}, output

    def _adjacency(self, vectors: Tensor, target: Target) -> Tensor:
        logits = self.model.adjacency.logits
        if target.present.shape[1] and target.absent.shape[1]:
            return losses.edges(logits(vectors, target.present), logits(vectors, target.absent))
        # Nothing to learn from, but each weight needs a gradient: other processes wait for it.
        nothing: Tensor = 0 * logits(vectors, target.present.new_zeros(2, 1)).sum()
        return nothing
