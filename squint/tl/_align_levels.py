from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, identity

from squint import keys, pp
from squint.columns import labels
from squint.errors import InputError
from squint.geometry.registration import Level, Pair, lay, measure

N_COMPONENTS = 15  # principal components that levels are compared by
N_NEIGHBORS = 8
N_ROUNDS = 2  # of averaging over neighbours: one cell is noise


def align_levels(
    adata: AnnData,
    *,
    level_key: str = keys.SECTION,
    z_key: str = keys.Z,
    pairs: Sequence[Pair] | None = None,
    apply: bool = False,
    copy: bool = False,
) -> AnnData | None:
    """Measure how each level of a stack lies to the one below, and lay them all onto one if asked.

    A rotation and a shift per pair of neighbouring levels; see `squint.geometry.registration` for how they
    are found and for what they cannot tell: reflections are not looked for, and structures that run obliquely
    shift from level to level without any level being out of place. A movement is only proposed where it is
    clearly better than none and than any other.

    Parameters
    ----------
    adata
        Levels of raw counts, as `squint.read` gives them.
    level_key, z_key
        Columns of ``obs`` with the level and its height.
    pairs
        What ``squint.geometry.registration.measure(squint.tl.stack_levels(adata))`` gave, where it was run a
        pair at a time to show progress.
    apply
        Also write the coordinates as proposed. Movements add up along the stack from its middle level (the
        upper of two), which stays where it is; beyond a pair of unknown relation levels keep their place
        relative to it.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_alignment"]`` : :class:`pandas.DataFrame`, a row per pair of neighbouring levels
        ``lower``, ``upper``, ``dz`` (um); ``rotation`` (degrees, clockwise as the slide is seen) of the upper
        level about ``pivot_x``, ``pivot_y``, the mean of its cells, then ``shift_x`` and ``shift_y``;
        ``overlap_before`` and ``overlap_after``, the share of the smaller tissue's area that lies on the
        other; ``agreement_before`` and ``agreement_after``, the correlation of what cells on common ground
        express, NaN without any; ``displacement``, the RMS movement of the upper level's cells; ``gain`` in
        score (overlap times agreement) of the best placement over none, with its standard error
        ``gain_se``; ``reliable``, whether a movement is proposed; ``outcome``: ``"moved"``, ``"aligned
        within error"`` (no movement is clearly better) or ``"cannot tell"`` (another placement does as well,
        or a level has fewer than 100 cells). Without a proposal rotation, shift and displacement are 0.
        Lengths are in the unit of ``obsm["spatial"]``.
    ``adata.obsm["spatial_aligned"]`` : float64 (n, 2), only with ``apply``
        x and y with all levels laid onto the middle one; ``obsm["spatial"]`` stays as it is.

    Raises
    ------
    InputError
        If there are no heights, or fewer than two levels.

    References
    ----------
    SQUINT, section 5.2, which names misaligned sections as what in-painting may suffer from.
    """
    adata = adata.copy() if copy else adata
    if pairs is None:
        pairs = list(measure(stack_levels(adata, level_key=level_key, z_key=z_key)))
    adata.uns[keys.ALIGNMENT] = pd.DataFrame([_row(pair) for pair in pairs])
    if apply:
        level = labels(adata, level_key).to_numpy()
        cells = [np.flatnonzero(level == name) for name in (pairs[0].lower, *(p.upper for p in pairs))]
        points = _points(adata)
        for at, moved in zip(
            cells, lay([points[at] for at in cells], [pair.proposed for pair in pairs]), strict=True
        ):
            points[at] = moved
        adata.obsm[keys.ALIGNED] = points
    return adata if copy else None


def stack_levels(adata: AnnData, *, level_key: str = keys.SECTION, z_key: str = keys.Z) -> list[Level]:
    """Bring levels into the form that `squint.geometry.registration.measure` takes, lowest first.

    The features of a cell are principal components of log-normalised counts, shared by all levels, without
    each level's mean (staining differs from level to level), averaged twice over 8 nearest neighbours.

    Parameters
    ----------
    adata
        Levels of raw counts, as `squint.read` gives them.
    level_key, z_key
        Columns of ``obs`` with the level and its height.

    Returns
    -------
    Each level with its name, height, positions and features.

    Raises
    ------
    InputError
        If there are no heights, or fewer than two levels.
    """
    level = labels(adata, level_key)
    if z_key not in adata.obs or not np.isfinite(adata.obs[z_key].to_numpy(dtype=np.float64)).all():
        raise InputError(f"`adata.obs` has no {z_key!r} for every cell: say how high each level lies, in um.")
    height = adata.obs[z_key].astype(np.float64).groupby(level.to_numpy(), sort=False).median()
    height = height.sort_values(kind="stable")
    if len(height) < 2:
        raise InputError("There is one level only: two or more are needed to align.")
    components, points = _components(csr_matrix(adata.X, dtype=np.float64)), _points(adata)
    levels = []
    for name, z in height.items():
        at = np.flatnonzero(level == name)
        centred = components[at] - components[at].mean(axis=0)
        levels.append(Level(str(name), float(z), points[at], _smooth(points[at], centred)))
    return levels


def _points(adata: AnnData) -> NDArray[np.float64]:
    """Take x and y of all cells, as a copy (n, 2)."""
    return np.array(adata.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]


def _components(counts: csr_matrix) -> NDArray[np.float64]:
    """Give principal components of log-normalised counts (n, p); the genes themselves where they are few."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - takes a second, and only this needs it

    depth = np.asarray(counts.sum(axis=1)).ravel()
    logged = csr_matrix(diags_array(np.median(depth) / np.maximum(depth, 1)) @ counts).log1p()
    if min(logged.shape) <= N_COMPONENTS:
        return np.asarray(logged.todense())
    pca = PCA(N_COMPONENTS, svd_solver="arpack", random_state=0)
    components: NDArray[np.float64] = pca.fit_transform(logged)
    return components


def _smooth(points: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average values (n, p) over closed neighbourhoods."""
    graph = pp.knn_graph(points, N_NEIGHBORS)
    joined = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    closed = joined + identity(len(points), format="csr")
    for _ in range(N_ROUNDS):
        values = (closed @ values) / np.asarray(closed.sum(axis=1))
    return values


def _row(pair: Pair) -> dict[str, object]:
    return {
        "lower": pair.lower,
        "upper": pair.upper,
        "dz": pair.dz,
        "rotation": (pair.proposed.rotation + 180) % 360 - 180,
        "shift_x": pair.proposed.shift[0],
        "shift_y": pair.proposed.shift[1],
        "pivot_x": pair.proposed.pivot[0],
        "pivot_y": pair.proposed.pivot[1],
        "overlap_before": pair.before.overlap,
        "overlap_after": pair.after.overlap,
        "agreement_before": pair.before.agreement,
        "agreement_after": pair.after.agreement,
        "displacement": pair.displacement,
        "gain": pair.gain,
        "gain_se": pair.gain_se,
        "reliable": pair.outcome == "moved",
        "outcome": pair.outcome,
    }
