"""A trained model as a folder: weights, choices and card. No pickle anywhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anndata import AnnData
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from squint import files, pp
from squint._version import __version__
from squint.config import POSITION, ModelConfig, TrainConfig
from squint.model.about import About
from squint.model.card import (
    CARD,
    CONFIG,
    WEIGHTS,
    BundleCard,
    SectionRecord,
    damaged,
    misfit,
    read_card,
)
from squint.model.cohort import POSITION_OCTAVES, Scale, section_names
from squint.model.context import Context
from squint.model.domains import Domains
from squint.model.section_hash import section_sha256
from squint.model.tokens import UNSEEN_SECTION, Squint

CONTEXT = "context."  # prefix of the weights that in-paint
DOMAINS = "domains."  # and of those that tell domains apart
LARGEST_WEIGHT = 1e6  # trained ones stay below 100, but 1 / s.d. of a rare gene can be some thousands


@dataclass
class Bundle:
    """A model with everything that using it needs to know."""

    model: Squint
    train_config: TrainConfig
    genes: list[str]
    scale: Scale
    categories: dict[str, list[str]]  # labels known of each categorical covariate
    sections: list[SectionRecord]
    context: Context | None = None  # what in-paints; None if it was not trained
    domains: Domains | None = None  # what tells domains apart; None if it was not trained
    distance_p99: float = float("nan")  # 99th percentile of the training cells' distance to their code
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    simulated: bool = False  # trained on simulated data only
    organs: list[str] = field(default_factory=list)  # of the sections trained on, where they were stated
    about: About | None = None  # whose data, and what it does not know, in words; where they were given
    sha256: str = ""  # of the weights file; empty until saved

    @property
    def model_config(self) -> ModelConfig:
        """Shape of the model."""
        return self.model.config

    @property
    def card(self) -> dict[str, Any]:
        """What a user should know before using the model."""
        return self._card().card_json(versions())

    def condition_of(self, name: str, sha256: str) -> int:
        """Give the number of a section in the model: 0 unless it was trained on exactly this section."""
        for number, record in enumerate(self.sections, start=1):
            if (record.name, record.sha256) == (name, sha256):
                return number
        return 0

    def save(self, folder: str | Path) -> None:
        """Write the bundle; a bundle already in ``folder`` is replaced file by file, the weights last.

        Raises
        ------
        InputError
            If the disk refuses.
        """
        folder = Path(folder)
        files.make_folder(folder)
        files.write_json(folder / CONFIG, self._card().config_json, indent=1)
        files.write_json(folder / CARD, self.card, indent=1)
        weights = {name: tensor.contiguous() for name, tensor in self._weights().items()}
        files.write_bytes(folder / WEIGHTS, save(weights))
        self.sha256 = files.sha256(folder / WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "Bundle":
        """Read a bundle.

        Raises
        ------
        InputError
            If a file is missing, damaged, or does not fit the others.
        """
        folder = Path(folder)
        card = read_card(folder)
        try:
            weights = load_file(folder / WEIGHTS)
            cls._check_shapes(card, weights)
            bundle = cls._build(card)
            bundle._load(weights)
        except (SafetensorError, OSError) as error:
            raise damaged(folder, error) from None
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise misfit(folder, error) from None
        for name, tensor in weights.items():
            if not bool(torch.isfinite(tensor).all()):
                raise damaged(folder, f"the weights {name} are not finite.")
            if tensor.numel() and float(tensor.abs().max()) > LARGEST_WEIGHT:
                raise damaged(folder, f"the weights {name} reach beyond {LARGEST_WEIGHT:,.0f}.")
        bundle.model.to(device).eval()
        bundle.sha256 = files.sha256(folder / WEIGHTS)
        return bundle

    def _weights(self) -> dict[str, Tensor]:
        """Name all weights: the model's as they are, those of its parts with their prefixes."""
        named = dict(self.model.state_dict())
        for prefix, part in self._parts():
            named |= part.state_dict(prefix=prefix)
        return named

    def _parts(self) -> Iterator[tuple[str, nn.Module]]:
        """Give what was learned beside the model itself, with the prefix of its weights."""
        for prefix, part in ((CONTEXT, self.context), (DOMAINS, self.domains)):
            if part is not None:
                yield prefix, part

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights as `_weights` names them."""
        self.model.load_state_dict({k: v for k, v in weights.items() if not k.startswith((CONTEXT, DOMAINS))})
        for prefix, part in self._parts():
            own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            part.load_state_dict(own)
            part.eval()

    @classmethod
    def _check_shapes(cls, card: BundleCard, weights: Mapping[str, Tensor]) -> None:
        """Compare weights with what the JSON files describe, before a model of that size is made."""
        with torch.device("meta"):  # has shapes, and no numbers
            described = cls._build(card)._weights()
        if missing := described.keys() - weights.keys():
            raise ValueError(f"the weights {min(missing)} are missing")
        for name, tensor in weights.items():
            if name not in described:
                raise ValueError(f"the weights {name} are not of this model")
            wanted = described[name]
            if (tensor.shape, tensor.dtype) != (wanted.shape, wanted.dtype):
                raise ValueError(
                    f"the weights {name} are {tuple(tensor.shape)} {tensor.dtype}, not {tuple(wanted.shape)} "
                    f"{wanted.dtype}"
                )

    @classmethod
    def _build(cls, card: BundleCard) -> "Bundle":
        """Make the bundle that the two JSON files describe, with fresh weights."""
        n_features = card.model.n_distance_features
        n_features += sum(len(labels) for labels in card.categories.values())
        if POSITION in card.model.covariates:
            n_features += 4 * POSITION_OCTAVES
        n_genes = len(card.genes)
        return cls(
            model=Squint(card.model, n_genes, n_features, len(card.sections)),
            train_config=card.train,
            genes=card.genes,
            scale=Scale(card.depth, np.asarray(card.gene_shares)),
            categories=card.categories,
            sections=card.sections,
            context=Context(n_genes, card.context_components) if card.in_paints else None,
            domains=(
                Domains(n_features, n_genes, card.domain_prototypes, card.domain_factors)
                if card.has_domains
                else None
            ),
            distance_p99=card.distance_p99,
            metrics=card.metrics,
            created=card.created,
            simulated=card.simulated,
            organs=card.organs,
            about=card.about,
        )

    def _card(self) -> BundleCard:
        """Say all but the weights, as `_build` takes it."""
        return BundleCard(
            model=self.model.config,
            train=self.train_config,
            genes=self.genes,
            gene_shares=[float(f"{share:.6g}") for share in self.scale.shares],
            depth=self.scale.depth,
            categories=self.categories,
            sections=self.sections,
            distance_p99=self.distance_p99,
            context_components=0 if self.context is None else self.context.n_components,
            domain_prototypes=0 if self.domains is None else self.domains.n_prototypes,
            domain_factors=0 if self.domains is None else self.domains.n_factors,
            metrics=self.metrics,
            created=self.created,
            simulated=self.simulated,
            organs=self.organs,
            about=self.about,
        )


def find_conditions(adata: AnnData, bundle: Bundle) -> NDArray[np.int64]:
    """Find the condition of each section, in the order of `squint.model.cohort.section_names`.

    Parameters
    ----------
    adata
        Sections of raw counts, as `squint.read` gives them.
    bundle
        A trained model.

    Returns
    -------
    The section's number in the model if it was trained on this very section, else 0: (sections,).
    """
    names, codes = section_names(adata), pp.section_codes(adata)
    conditions = np.full(len(names), UNSEEN_SECTION)
    if set(bundle.genes) <= set(adata.var_names):
        known = {record.name for record in bundle.sections}
        for code in (code for code, name in enumerate(names) if name in known):
            sha256 = section_sha256(adata, np.flatnonzero(codes == code), bundle.genes)
            conditions[code] = bundle.condition_of(names[code], sha256)
    return conditions


def versions() -> dict[str, str]:
    """Name the versions that decide a result."""
    others = {name: version(name) for name in ("torch", "torch-geometric", "anndata", "numpy")}
    return {"squint": __version__, **others}
