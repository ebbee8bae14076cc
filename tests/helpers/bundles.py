"""Bundles as tests need them, with weights by chance: saved in no time, and sound."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from squint.config import ModelConfig, TrainConfig
from squint.model.about import About
from squint.model.bundle import Bundle
from squint.model.card import SectionRecord
from squint.model.cohort import Scale
from squint.model.tokens import Squint

CONFIG = ModelConfig(n_codes=5, n_hidden=16, n_latent=8)
ABOUT = {
    "data": "A slide",
    "source": "https://example.org/slide",
    "authors": "A. Author et al.",
    "licence": "CC BY 4.0",
    "trained_on": "One slide of one *patient*.",
    "not_trained_on": "Any other patient.",
    "label": "starter",
    "limits": ["Every fifth cell only."],
}
GENES = tuple(f"GENE{i}" for i in range(6))  # those of `tests.helpers.sections.small_section`


def save_bundle(
    folder: Path,
    genes: Sequence[str] = GENES,
    *,
    seed: int = 0,
    distance_p99: float = 0.5,
    simulated: bool = False,
    about: About | None = None,
) -> Path:
    """Save an untrained model of these genes, which it says to have learned from one section."""
    torch.manual_seed(seed)
    Bundle(
        model=Squint(CONFIG, len(genes), CONFIG.n_distance_features, 1),
        train_config=TrainConfig(),
        genes=list(genes),
        scale=Scale(10.0, np.full(len(genes), 1 / len(genes))),
        categories={},
        sections=[SectionRecord("left", "0" * 64, 100, [])],
        distance_p99=distance_p99,
        created="2026-01-01T00:00:00+00:00",
        simulated=simulated,
        about=about,
    ).save(folder)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    """Give what all files of a folder hold, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
