"""The vectors of a codebook, read from a bundle without torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from squint.model.card import WEIGHTS, damaged

_CODES = "codebook.codes"  # among the weights


def code_vectors(folder: Path) -> NDArray[np.float32]:
    """Read the vectors (k, d) of all codes of a model; the rest of its weights is not read.

    Raises
    ------
    InputError
        If the weights are missing or damaged.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - only where codes are compared

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            codes: NDArray[np.float32] = weights.get_tensor(_CODES)
    except (OSError, SafetensorError) as error:
        raise damaged(folder, error) from None
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise damaged(folder, f"{_CODES} is no table of numbers")
    return codes
