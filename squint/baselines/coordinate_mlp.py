"""Expression as a function of position alone: a small network, to compare in-painting with."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

N_OCTAVES = 2  # of the Fourier features; with shorter waves than the section's extent it follows noise
N_HIDDEN = 128
N_STEPS = 1_500
BATCH_SIZE = 512
LEARNING_RATE = 2e-3


def coordinate_mlp(
    coordinates: NDArray[np.float64], values: csr_matrix, targets: NDArray[np.float64], *, seed: int
) -> NDArray[np.float32]:
    """Learn values from positions, and predict them at others.

    Two hidden layers over position and its Fourier features, on the values divided by each gene's s.d. The
    settings are the same for every section.

    Parameters
    ----------
    coordinates
        Positions of observed cells (n, 2 | 3).
    values
        What they express, CSR (n, g).
    targets
        Positions to predict (m, 2 | 3).
    seed
        Of the weights and of the order of cells.

    Returns
    -------
    Predicted values (m, g), at least 0.
    """
    rng = np.random.default_rng(seed)
    start = coordinates.min(axis=0)
    extent = max(float(np.ptp(coordinates, axis=0).max()), 1e-12)
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    scale = np.where(spread > 0, spread, 1)
    features = _features((coordinates - start) / extent)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(features.shape[1], N_HIDDEN),
            nn.GELU(),
            nn.Linear(N_HIDDEN, N_HIDDEN),
            nn.GELU(),
            nn.Linear(N_HIDDEN, values.shape[1]),
        )
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, N_STEPS)
    for _ in range(N_STEPS):
        cells = rng.integers(0, len(coordinates), BATCH_SIZE)
        wanted = (np.asarray(values[cells].todense()) - mean) / scale
        loss = nn.functional.mse_loss(network(features[cells]), torch.as_tensor(wanted, dtype=torch.float32))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        predicted = network(_features((targets - start) / extent)).numpy()
    said: NDArray[np.float64] = np.maximum(predicted * scale + mean, 0)
    return said.astype(np.float32)


def _features(position: NDArray[np.float64]) -> Tensor:
    """Give positions in [0, 1] with sines and cosines of them: (n, d + 2 d octaves)."""
    angle = np.pi * position[:, :, None] * 2.0 ** np.arange(N_OCTAVES)
    angle = angle.reshape(len(position), -1)
    return torch.as_tensor(
        np.concatenate([position, np.sin(angle), np.cos(angle)], axis=1), dtype=torch.float32
    )
