"""What the folder of a model holds, and what its two JSON files say; read without torch.

The weights lie in ``weights.safetensors``; the choices, genes and sections in ``config.json``; what a user
should know before using the model in ``card.json``. :class:`squint.model.bundle.Bundle` is all of it.
"""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from math import isnan
from pathlib import Path
from typing import Any

from squint import files
from squint.config import LARGEST, POSITION, ModelConfig, TrainConfig
from squint.errors import InputError
from squint.model.about import About, parse_about
from squint.parsing import parse_json

WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.json"
LICENCE = "BSD-3-Clause"
INTENDED_USE = "For research use only. Not for use in diagnostic procedures."

# What training knew of cells that are predicted
TRAINED_WITHOUT = "trained without these cells"
NOT_IN_TRAINING = "not in training"
TRAINED_ON = "trained on these cells"

# What no trained model goes beyond
MOST_CELLS = 10**12
MOST_DEPTH = 1e9  # counts per cell
LEAST_SHARE = 1e-15  # of a gene in all counts: training counts each at least once
ROUNDED = 0.01  # what rounded shares may miss of 1

REFUSE_BELOW = 0.25  # share of the model's genes that a section must measure
WARN_BELOW = 0.60
NEW_ABOVE = 0.05  # share of cells beyond `distance_p99`: five times what the training cells show
NOT_MEASURED = (  # of a model whose `distance_p99` is NaN
    "How many cells are new to the model is not known: its training ended before that was measured."
)


@dataclass(frozen=True)
class SectionRecord:
    """A section that a model was trained on."""

    name: str
    sha256: str  # of its counts and positions, see `squint.model.section_hash.section_sha256`
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
    domain_prototypes: int = 0  # of what tells domains apart; 0: the model cannot
    domain_factors: int = 0  # directions in which these are told apart
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    simulated: bool = False  # trained on simulated data only
    organs: list[str] = field(default_factory=list)  # of the sections trained on, where they were stated
    about: About | None = None  # whose data, and what it does not know, in words; where they were given

    @property
    def in_paints(self) -> bool:
        """Whether the model was trained to predict hidden cells."""
        return self.context_components > 0

    @property
    def has_domains(self) -> bool:
        """Whether the model was trained to tell domains apart."""
        return self.domain_prototypes > 0

    def n_shared(self, genes: Collection[str]) -> int:
        """Count the model's genes that are among ``genes``."""
        return len(set(self.genes).intersection(genes))

    @property
    def config_json(self) -> dict[str, Any]:
        """Its choices, genes and sections: what ``config.json`` holds."""
        train, of_domains = asdict(self.train), {}
        if not self.train.domain_prototypes:  # as in bundles of before there were domains
            del train["domain_prototypes"]
        if self.has_domains:
            of_domains = {"domain_prototypes": self.domain_prototypes, "domain_factors": self.domain_factors}
        return {
            "model": asdict(self.model),
            "train": train,
            "genes": self.genes,
            "gene_shares": self.gene_shares,
            "depth": self.depth,
            "categories": self.categories,
            "sections": [record.name for record in self.sections],
            "distance_p99": self.distance_p99,
            "context_components": self.context_components,
            **of_domains,
        }

    def card_json(self, versions: Mapping[str, str]) -> dict[str, Any]:
        """Give what ``card.json`` holds, for a model made by these versions."""
        return {
            "sections": [asdict(record) for record in self.sections],
            "metrics": self.metrics,
            "protocol": "Measured on the training cells themselves; hidden cells took no part.",
            "created": self.created,
            "simulated": self.simulated,
            "organs": self.organs,
            **({} if self.about is None else {"about": self.about.json}),
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
        try:
            missing = "" if (folder / name).is_file() else "is missing"
        except OSError as error:  # no permission, or a name that is too long
            missing = f"cannot be read: {error.strerror}"
        if missing:
            raise InputError(f"{_called(folder)} is not a model bundle: {name} {missing}.")
    config, card = _read_json(folder, CONFIG), _read_json(folder, CARD)
    try:
        return _parse(config, card)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise misfit(folder, error) from None


def known_card(folder: Path) -> BundleCard:
    """Read what a bundle says of its model, unless it was read before and is as it was; not to be changed.

    Raises
    ------
    InputError
        As `read_card` does.
    """
    written = []
    for name in (CONFIG, CARD):
        try:
            known = (folder / name).stat()
        except OSError:
            return read_card(folder)  # which says what is wrong
        written += [known.st_size, known.st_mtime_ns, known.st_ino]
    return _known_card(folder.absolute(), *written)


@lru_cache(maxsize=64)
def _known_card(folder: Path, *written: int) -> BundleCard:
    del written  # part of the key, as for weights
    return read_card(folder)


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
        raise InputError(f"{_called(folder)} is not a model bundle: {WEIGHTS}: {error.strerror}.") from error


def misfit(folder: Path, error: Exception) -> InputError:
    """Say that the files of a bundle contradict each other, or what they should hold."""
    reason = str(error).splitlines()[-1].strip() if str(error) else type(error).__name__
    if isinstance(error, KeyError):
        reason = f"{error} is missing"
    return InputError(f"The files of the model bundle {_called(folder)} do not fit together: {reason}")


def damaged(folder: Path, error: Exception | str) -> InputError:
    """Say that a file of a bundle cannot be read."""
    reason = str(error).replace(f"{folder}{os.sep}", "")
    return InputError(f"The model bundle {_called(folder)} is damaged: {reason}")


def _called(folder: Path) -> str:
    """Name a bundle to whoever reads of it, who may be a visitor of a server: without the folders above."""
    return folder.name[:200] or str(folder)


@lru_cache(maxsize=64)
def _weights_sha256(path: Path, *written: int) -> str:
    del written  # part of the key: a file that was written anew is another
    return files.sha256(path)


def _read_json(folder: Path, name: str) -> Any:
    try:
        return parse_json((folder / name).read_bytes(), name, "Copy the bundle again.")
    except (OSError, InputError) as error:
        raise damaged(folder, error) from None


def _parse(config: Any, card: Any) -> BundleCard:
    """Take every value by its name; whatever it should not be is a ``ValueError`` that names it."""
    config, card = _table(config, CONFIG), _table(card, CARD)
    records = _records(card)
    if config["sections"] != [record.name for record in records]:
        raise ValueError(f"{CONFIG} and {CARD} name other sections")
    model = ModelConfig(**_table(config["model"], "model"))
    genes = _names(config["genes"], "genes")
    labels = _table(config["categories"], "categories")
    categories = {name: _names(known, f"categories.{name}") for name, known in labels.items()}
    if set(categories) != set(model.covariates) - {POSITION}:
        raise ValueError("categories: not those of the covariates")
    return BundleCard(
        model=model,
        # what does not say so was trained before there were domains
        train=TrainConfig(**{"domain_prototypes": 0, **_table(config["train"], "train")}),
        genes=genes,
        gene_shares=_shares(config["gene_shares"], len(genes)),
        depth=_number(config["depth"], "depth", 1e-6, MOST_DEPTH),
        categories=categories,
        sections=records,
        distance_p99=_distance(config["distance_p99"]),
        # bundles of before had none
        context_components=_whole(config.get("context_components", 0), "context_components", 0, len(genes)),
        domain_prototypes=_whole(config.get("domain_prototypes", 0), "domain_prototypes", 0, LARGEST),
        domain_factors=_whole(config.get("domain_factors", 0), "domain_factors", 0, len(genes)),
        metrics=_metrics(card["metrics"]),
        created=_time(card["created"]),
        simulated=_truth(card["simulated"], "simulated"),
        organs=_names(card.get("organs", []), "organs", at_least=0),  # bundles of before state none
        about=parse_about(card["about"]) if "about" in card else None,
    )


def _records(card: Any) -> list[SectionRecord]:
    given = _table(card, CARD)["sections"]
    if not isinstance(given, list):
        raise TypeError(f"sections: a list, not {given!r:.40}")
    return [_record(record, f"sections[{i}]") for i, record in enumerate(given)]


def _record(given: Any, where: str) -> SectionRecord:
    record = _table(given, where)
    if unknown := set(record) - {"name", "sha256", "n_cells", "hidden"}:
        raise ValueError(f"{where}: {min(unknown)!r} is not known")
    name, sha256 = record["name"], record["sha256"]
    if not isinstance(name, str):
        raise TypeError(f"{where}.name: a text, not {name!r:.40}")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"{where}.sha256: 64 hexadecimal digits, not {sha256!r:.40}")
    n_cells = _whole(record["n_cells"], f"{where}.n_cells", 0, MOST_CELLS)
    hidden = _names(record["hidden"], f"{where}.hidden", at_least=0)
    if len(hidden) > n_cells:
        raise ValueError(f"{where}.hidden: {len(hidden):,} of {n_cells:,} cells")
    return SectionRecord(name, sha256, n_cells, hidden)


def _table(given: Any, name: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TypeError(f"{name}: a table, not {given!r:.40}")
    return given


def _names(given: Any, name: str, at_least: int = 1) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(value, str) for value in given):
        raise TypeError(f"{name}: a list of names, not {given!r:.40}")
    if len(set(given)) != len(given) or len(given) < at_least:
        raise ValueError(f"{name}: {at_least} names or more, each once")
    return given


def _number(given: Any, name: str, low: float, high: float) -> float:
    # NaN is between no two numbers
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise ValueError(f"{name}: a number from {low:g} to {high:g}, not {given!r:.40}")
    return float(given)


def _whole(given: Any, name: str, low: int, high: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise ValueError(f"{name}: a whole number from {low:,} to {high:,}, not {given!r:.40}")
    return given


def _truth(given: Any, name: str) -> bool:
    if not isinstance(given, bool):
        raise TypeError(f"{name}: true or false, not {given!r:.40}")
    return given


def _shares(given: Any, n_genes: int) -> list[float]:
    if not isinstance(given, list) or len(given) != n_genes:
        raise ValueError("gene_shares: there is not one share for each gene")
    shares = [_number(share, f"gene_shares[{i}]", LEAST_SHARE, 1) for i, share in enumerate(given)]
    if abs(sum(shares) - 1) > ROUNDED:
        raise ValueError(f"gene_shares: they add up to {sum(shares):g}, not to 1")
    return shares


def _distance(given: Any) -> float:
    """Give 1 - cosine, or NaN where the training ended before it was measured."""
    return given if isinstance(given, float) and isnan(given) else _number(given, "distance_p99", 0, 2)


def _metrics(given: Any) -> dict[str, Any]:
    """Give numbers by their name; one that is not defined for few cells is NaN."""
    metrics = _table(given, "metrics")
    for name, value in metrics.items():
        if not (isinstance(value, float) and isnan(value)):
            _number(value, f"metrics.{name}", -MOST_CELLS, MOST_CELLS)
    return metrics


def _time(given: Any) -> str:
    try:
        datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError(f"created: a time, not {given!r:.40}") from None
    return str(given)
