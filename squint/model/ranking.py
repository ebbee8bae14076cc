"""Which of several models fits a section best, and why; without torch.

Two steps: :func:`compare` needs only a model's card and the names of the section's genes, and is there at
once; :func:`squint.model.novelty.measure` then encodes some of its cells.

What fits best, in this order:

1. A model can be used: the section measures at least 25 % of its genes.
2. It is sure: 60 % or more.
3. It was not trained on simulated data alone, where the section is a real one.
4. Fewer cells of the section are new to it. Below 5 % none count as new: training cells themselves show 1 %.
5. It was trained on the section itself.
6. It was not trained on other organs, where both are stated.
7. More of its genes are measured, by share, then by number.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import TypeVar

from squint.errors import InputError
from squint.model.card import NEW_ABOVE, REFUSE_BELOW, WARN_BELOW, BundleCard

MOSTLY_NEW = 0.5  # share of cells beyond `distance_p99` from which tokens may mean nothing

Key = TypeVar("Key")


@dataclass(frozen=True)
class Fit:
    """How a model fits a section."""

    n_genes: int  # of the model
    n_shared: int  # of these, that the section measures
    same_organ: bool | None = None  # None where one of the two states none
    is_trained_on: bool = False  # the section itself, by its hash
    made_up: bool = False  # trained on simulated data alone, where the section is a real one
    novelty: float = nan  # share of its cells farther from their code than 99 % of those in training
    depth: float = nan  # median counts per cell of the section in the shared genes
    depth_in_training: float = nan  # the same of the cells in training
    problem: str = ""  # why the model cannot be used, beside too few genes; empty if nothing

    @property
    def share(self) -> float:
        """Share of the model's genes that the section measures."""
        return self.n_shared / self.n_genes

    @property
    def is_usable(self) -> bool:
        """Whether the model gives tokens for the section."""
        return not self.problem and self.share >= REFUSE_BELOW

    @property
    def is_sure(self) -> bool:
        """Whether so many genes are measured that the tokens are not uncertain."""
        return self.is_usable and self.share >= WARN_BELOW

    @property
    def is_good(self) -> bool:
        """Whether the model can be proposed: its tokens are sure, and it knows most of the cells."""
        return self.is_sure and not self.made_up and self.novelty <= MOSTLY_NEW

    @property
    def order(self) -> tuple[float, ...]:
        """What models are sorted by: the smallest fits best."""
        return (
            not self.is_usable,
            not self.is_sure,
            self.made_up,
            inf if isnan(self.novelty) else max(self.novelty, NEW_ABOVE),
            not self.is_trained_on,
            self.same_organ is False,
            -self.share,
            -self.n_shared,
        )

    @property
    def words(self) -> str:
        """Why the model fits, or does not, in one line."""
        genes = f"{self.n_shared:,} of its {self.n_genes:,} genes ({self.share:.0%}) are measured"
        if self.problem:
            return f"cannot be used: {self.problem}"
        if not self.is_usable:
            return f"cannot be used: {genes}, and at least {REFUSE_BELOW:.0%} are needed"
        said = [genes if self.is_sure else f"{genes}, and below {WARN_BELOW:.0%} tokens are uncertain"]
        if not isnan(self.depth):
            said += self._of_cells
        if self.is_trained_on:
            said.append("trained on this very section")
        if self.same_organ is not None:
            said.append("trained on this organ" if self.same_organ else "trained on other organs")
        if self.made_up:
            said.append("trained on simulated data alone")
        return "; ".join(said)

    @property
    def _of_cells(self) -> list[str]:
        """What some cells of the section told."""
        new = f"{self.novelty:.1%} of the cells are new to it, and 1% in training"
        return [
            "how many cells are new to it is not known" if isnan(self.novelty) else new,
            f"a cell has {self.depth:,.0f} counts in these genes, and {self.depth_in_training:,.0f} in "
            "training",
        ]


def compare(card: BundleCard, genes: Collection[str], *, organ: str = "", is_simulated: bool = False) -> Fit:
    """Say how a model fits a section, by what both state.

    Parameters
    ----------
    card
        What the model says of itself.
    genes
        Symbols of the genes that the section measures.
    organ
        Of the section; empty if it is not stated.
    is_simulated
        Whether the section is.
    """
    return Fit(
        n_genes=len(card.genes),
        n_shared=card.n_shared(genes),
        same_organ=is_same_organ(card.organs, organ),
        made_up=card.simulated and not is_simulated,
    )


def is_same_organ(organs: Collection[str], organ: str) -> bool | None:
    """Say whether an organ is among those of a model; ``None`` where either is not stated."""
    known = {name.strip().casefold() for name in organs} - {""}
    asked = organ.strip().casefold()
    return asked in known if asked and known else None


def ranked(fits: Mapping[Key, Fit]) -> list[Key]:
    """Give models, the one that fits best first and those that cannot be used last.

    Parameters
    ----------
    fits
        How each fits; of two that fit the same, the first stays the first.
    """
    return sorted(fits, key=lambda key: fits[key].order)


def best(fits: Mapping[Key, Fit]) -> Key:
    """Give the model that fits best.

    Raises
    ------
    InputError
        If none can be used; it says why not.
    """
    if not fits:
        raise InputError("There is no model to choose from. Train one, or add one by `squint models add`.")
    first = ranked(fits)[0]
    if not fits[first].is_usable:
        raise InputError(
            f"None of the models fits. The nearest {fits[first].words}. Train a model on this panel, or add "
            "one that was."
        )
    return first


def worst(fits: Collection[Fit]) -> Fit:
    """Give, of how one model fits several sections, how it fits the one that it fits least."""
    return max(fits, key=lambda fit: fit.order)
