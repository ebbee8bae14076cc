"""Train Wasserstein Flow Matching on microenvironments, and generate some: run by an environment that has it.

``python wfm.py IN.npz OUT.npz SEED STEPS``, with IN and OUT as `test_wfm` writes and reads them.
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np
from wassersteinflowmatching.wasserstein import WassersteinFlowMatching

# The authors' setting for niches, made small enough for a CPU: theirs are 6 layers of 512, 100,000 steps at a
# rate of 2e-4, and 100 times. Their default noise needs more cells in each niche than there are components.
NETWORK = {"embedding_dim": 128, "mlp_hidden_dim": 256, "num_layers": 3, "num_heads": 4}
MATCHING = {"monge_map": "sample", "num_sinkhorn_iters": 50, "noise_type": "normal"}
N_CLOUDS = 64
RATE = 1e-3
N_TIMES = 50  # of integration
AT_ONCE = 1_000  # niches generated


def main(given: Path, made: Path, seed: int, n_steps: int) -> None:
    """Train on clouds of cells by cell type, and write the means of one generated cloud per wanted type."""
    data = np.load(given)
    scale = np.abs(data["cells"]).max()
    clouds = np.split(data["cells"] / scale, np.cumsum(data["sizes"])[:-1])
    start = time.perf_counter()
    model = WassersteinFlowMatching(point_clouds=clouds, labels=data["types"].tolist(), **MATCHING, **NETWORK)
    train_key, draw_key = jax.random.split(jax.random.key(seed))
    model.train(
        training_steps=n_steps,
        batch_size=N_CLOUDS,
        learning_rate=RATE,
        decay_steps=max(1, n_steps // 1_000),  # to an eighth at the end
        key=train_key,
    )
    seconds = time.perf_counter() - start
    wanted = data["wanted"].tolist()
    means = []
    for i in range(0, len(wanted), AT_ONCE):
        part = wanted[i : i + AT_ONCE]
        path, weights, _ = model.generate_samples(
            num_samples=len(part),
            timesteps=N_TIMES,
            generate_labels=part,
            key=jax.random.fold_in(draw_key, i),
        )
        weights = np.asarray(weights)[:, :, None]
        means.append((np.asarray(path[-1]) * weights).sum(axis=1) / weights.sum(axis=1))
    losses = np.asarray(model.losses, dtype=np.float64)
    np.savez(made, means=np.concatenate(means) * scale, losses=losses, seconds=seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
