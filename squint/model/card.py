"""What the folder of a model holds, and what its two JSON files say; read without torch.

The weights lie in ``weights.safetensors``; the choices, genes and sections in ``config.json``; what a user
should know before using the model in ``card.json``. :class:`squint.model.bundle.Bundle` is all of it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from squint import files
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError

WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.json"
LICENCE = "BSD-3-Clause"
INTENDED_USE = "For research use only. Not for use in diagnostic procedures."

# What training knew of cells that are predicted
TRAINED_WITHOUT = "trained without these cells"
NOT_IN_TRAINING = "not in training"
TRAINED_ON = "trained on these cells"

REFUSE_BELOW = 0.25  # share of the model's genes that a section must measure
WARN_BELOW = 0.60


@dataclass(frozen=True)
class SectionRecord:
    """A section that a model was trained on."""

    name: str
    sha256: str  # of its counts and positions, see `squint.model.bundle.section_sha256`
    n_cells: int
    hidden: list[str]  # cells kept from the model


@dataclass(frozen=True)
class BundleCard:
    """All that a bundle says of its model in JSON."""

    model: ModelConfig
    train: TrainConfig
    genes: list[str]
    gene_shares: list[float]  # mean share of each gene in training
    depth: float  # median counts per cell in training
    categories: dict[str, list[str]]  # labels known of each categorical covariate
    sections: list[SectionRecord]
    distance_p99: float  # 99th percentile of the training cells' distance to their code
    context_components: int = 0  # of what in-paints; 0: the model cannot
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    simulated: bool = False  # trained on simulated data only

    @property
    def in_paints(self) -> bool:
        """Whether the model was trained to predict hidden cells."""
        return self.context_components > 0

    def n_shared(self, genes: Collection[str]) -> int:
        """Count the model's genes that are among ``genes``."""
        return len(set(self.genes).intersection(genes))

    @property
    def config_json(self) -> dict[str, Any]:
        """Its choices, genes and sections: what ``config.json`` holds."""
        return {
            "model": asdict(self.model),
            "train": asdict(self.train),
            "genes": self.genes,
            "gene_shares": self.gene_shares,
            "depth": self.depth,
            "categories": self.categories,
            "sections": [record.name for record in self.sections],
            "distance_p99": self.distance_p99,
            "context_components": self.context_components,
        }

    def card_json(self, versions: Mapping[str, str]) -> dict[str, Any]:
        """Give what ``card.json`` holds, for a model made by these versions."""
        return {
            "sections": [asdict(record) for record in self.sections],
            "metrics": self.metrics,
            "protocol": "Measured on the training cells themselves; hidden cells took no part.",
            "created": self.created,
            "simulated": self.simulated,
            "licence": LICENCE,
            "intended_use": INTENDED_USE,
            "versions": dict(versions),
        }


def read_card(folder: Path) -> BundleCard:
    """Read what a bundle says of its model.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not fit the others.
    """
    for name in (WEIGHTS, CONFIG, CARD):
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not a model bundle: {name} is missing.")
    config, card = _read_json(folder, CONFIG), _read_json(folder, CARD)
    try:
        return _parse(config, card)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise misfit(folder, error) from None


def read_records(folder: Path) -> list[SectionRecord]:
    """Read which sections a model was trained on, whatever else of its bundle is broken.

    Raises
    ------
    InputError
        If ``card.json`` is missing or damaged.
    """
    card = _read_json(folder, CARD)
    try:
        return _records(card)
    except (LookupError, TypeError, ValueError) as error:
        raise misfit(folder, error) from None


def weights_sha256(folder: Path) -> str:
    """Hash the weights of a bundle; a file that was hashed before, and not written since, is not read again.

    Raises
    ------
    InputError
        If they are missing.
    """
    path = folder.absolute() / WEIGHTS
    try:
        known = path.stat()
        return _weights_sha256(path, known.st_size, known.st_mtime_ns, known.st_ino)
    except OSError as error:
        raise InputError(f"{folder} is not a model bundle: {WEIGHTS}: {error.strerror}.") from error


def misfit(folder: Path, error: Exception) -> InputError:
    """Say that the files of a bundle contradict each other, or what they should hold."""
    reason = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
    return InputError(f"The files of the model bundle {folder} do not fit together: {reason}")


def damaged(folder: Path, error: Exception) -> InputError:
    """Say that a file of a bundle cannot be read."""
    return InputError(f"The model bundle {folder} is damaged: {error}")


@lru_cache(maxsize=64)
def _weights_sha256(path: Path, *written: int) -> str:
    del written  # part of the key: a file that was written anew is another
    return files.sha256(path)


def _read_json(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # of text: not JSON, or not even text
        raise damaged(folder, error) from None


def _parse(config: Any, card: Any) -> BundleCard:
    records = _records(card)
    if config["sections"] != [record.name for record in records]:
        raise ValueError(f"{CONFIG} and {CARD} name other sections")
    if len(config["genes"]) != len(config["gene_shares"]):
        raise ValueError("there is not one share for each gene")
    return BundleCard(
        model=ModelConfig(**config["model"]),
        train=TrainConfig(**config["train"]),
        genes=_texts(config["genes"]),
        gene_shares=[float(share) for share in config["gene_shares"]],
        depth=float(config["depth"]),
        categories={str(name): _texts(labels) for name, labels in config["categories"].items()},
        sections=records,
        distance_p99=float(config["distance_p99"]),
        context_components=int(config.get("context_components", 0)),  # bundles of before had none
        metrics=dict(card["metrics"]),
        created=str(card["created"]),
        simulated=bool(card["simulated"]),
    )


def _records(card: Any) -> list[SectionRecord]:
    records = [SectionRecord(**record) for record in card["sections"]]
    return [
        SectionRecord(str(record.name), str(record.sha256), int(record.n_cells), _texts(record.hidden))
        for record in records
    ]


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"a list of names is expected, not {str(values)[:40]!r}")
    return values
