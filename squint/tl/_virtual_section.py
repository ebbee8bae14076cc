from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys
from squint._version import __version__
from squint.bounds import check_reach
from squint.errors import InputError
from squint.model.between import find_between, vote, weighed_means
from squint.model.between_blend import learn
from squint.tl._virtual_section_quality import (
    CELL,
    LEARNED,
    NEAREST,
    NEIGHBOURHOOD,
    TOKEN,
    WORDS,
    draw_values,
    level_by_level,
    tokens_around,
    virtual_section_quality,
    virtual_section_verdict,
)

USUAL = 64  # nearest cells of each level, where there is no level to choose the number by
SLOTS = {CELL: keys.IMPUTED_CELL, NEIGHBOURHOOD: keys.IMPUTED}

Floats = NDArray[np.float64]


def virtual_section(
    adata: AnnData,
    z: float,
    points: Floats,
    *,
    genes: Sequence[str] | None = None,
    draw: bool = False,
    seed: int = 0,
    level_key: str = keys.SECTION,
    z_key: str = keys.Z,
) -> AnnData:
    """Predict the expression of a section that was not measured, at a depth between two that were.

    Every measured level between two others is first told from the others, as if it had not been measured
    (`squint.model.between_blend`), and what is learned so is used at ``z``. Where that is not above the plain
    mean of the nearest cells when whole levels are left out, or there are too few levels to learn from, the
    plain mean is given: over the K nearest cells of the level below and of the one above, weighed by how near
    these are in z, with the K that did best on the levels left out.

    Parameters
    ----------
    adata
        Levels of raw counts, as `squint.read` gives them; not changed. Coordinates once aligned
        (`squint.tl.align_levels`) are taken where there are any, and ``points`` lie among those. The table of
        `squint.tl.virtual_section_quality` is taken if it is there, else measured.
    z
        Depth, um, from the lowest level to the highest.
    points
        Positions to predict (m, 2), in the unit of ``obsm["spatial"]``. Each is predicted by itself.
    genes
        Genes to predict; all by default.
    draw
        Give each position what a real cell nearby holds, drawn from the 64 nearest of a level that is drawn
        by how near it is: it varies from place to place as tissue does, and is a worse guess at any one.
    seed
        Of the draw.
    level_key, z_key
        Columns of ``obs`` with the level and its height.

    Returns
    -------
    The predicted positions alone, over the genes; ``X`` is empty, for nothing was measured:

    ``obs["section_id"]``, ``obs["z_um"]``
        ``"virtual-z"`` and the depth; the depth.
    ``obs["squint_simulated_position"]`` : bool
        True: no cell was measured there.
    ``obs["squint_predicted_token"]``, ``obs["squint_predicted_token_share"]``
        Where ``adata`` has tokens: the one that most of the nearest cells of both levels have, and its share.
    ``obsm["spatial"]`` : (m, 2)
    ``obsm["squint_imputed"]``, ``obsm["squint_imputed_cell"]`` : float32 (m, g)
        Mean counts of the closed neighbourhood of a cell there, and counts of the cell itself.
    ``uns["squint"]["virtual_section"]``
        ``predicted`` (true), ``z_um``, ``below`` and ``above`` (level, height, weight), ``how`` of each
        target (method, ``k``, quality in words and numbers), ``drawn``, ``seed``, version and time.

    Raises
    ------
    InputError
        If the depth lies outside of the levels, there are fewer than two, or positions are not (m, 2).

    References
    ----------
    SQUINT, section 5.2, for the task; the method is our own, see `squint.model.between_blend`.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(f"Positions must be (m, 2), x and y of at least one, not {points.shape}.")
    check_reach(points, "A position")
    stack = level_by_level(adata, genes=genes, level_key=level_key, z_key=z_key)
    between = find_between(stack.cell, z)
    quality = adata.uns.get(keys.BETWEEN_QUALITY)
    if quality is None:
        measured = virtual_section_quality(adata, genes=genes, level_key=level_key, z_key=z_key, copy=True)
        quality = measured.uns[keys.BETWEEN_QUALITY] if measured is not None else None
    names = list(adata.var_names) if genes is None else list(genes)
    out = AnnData(obs=_obs(adata, z, len(points)), var=pd.DataFrame(index=pd.Index(names)))
    out.obsm[keys.SPATIAL] = points
    chosen: dict[str, Any] = {}
    for target, slot in SLOTS.items():
        levels = getattr(stack, target)
        around = find_between(levels, z)
        how = _choose(quality, target)
        blend = learn(levels) if how["method"] == LEARNED and not draw else None
        if draw:
            values = draw_values(around, points, seed)
        elif blend is not None:
            values = blend.predict(levels, z, points)
        else:
            how["method"] = NEAREST
            (values,) = weighed_means(around, points, (how["k"],))
        out.obsm[slot] = values.astype(np.float32)
        chosen[target] = how
    if stack.tokens:
        k = _best_for_tokens(quality)
        said, share = vote(between, points, tokens_around(stack, between), k)
        named = pd.Series(said).astype(str).where(said >= 0)
        out.obs[keys.PREDICTED_TOKEN] = pd.Categorical(named)
        out.obs[keys.PREDICTED_TOKEN_SHARE] = share.astype(np.float32)
        chosen[TOKEN] = {"method": NEAREST, "k": k, **_agreement(quality, k)}
    given = adata.uns.get(keys.PROVENANCE, {})
    out.uns[keys.PROVENANCE] = {
        **{name: given[name] for name in ("unit", "source_sha256", "simulated") if name in given},
        "virtual_section": {
            "predicted": True,
            "z_um": float(z),
            "below": {"level": between.below.name, "z_um": between.below.z, "weight": 1 - between.share},
            "above": {"level": between.above.name, "z_um": between.above.z, "weight": between.share},
            "how": chosen,
            "aligned": keys.ALIGNED in adata.obsm,
            "drawn": draw,
            "seed": seed,
            "version": __version__,
            "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    return out


def _choose(quality: pd.DataFrame | None, target: str) -> dict[str, Any]:
    """Choose the method: what is learned only where it is above the nearest cells, and not below in PC."""
    if quality is None or not (quality["target"] == target).any():
        said = "not measured: no level lies between two others"
        return {"method": NEAREST, "k": USUAL, "quality": said}
    of_gene = virtual_section_verdict(quality, target=target, score="pg")
    of_cell = virtual_section_verdict(quality, target=target, score="pc")
    learned = of_gene.words == WORDS[1] and of_cell.words != WORDS[-1]
    facts = {"pg": of_gene._asdict(), "pc": of_cell._asdict()}
    return {"method": LEARNED if learned else NEAREST, "k": of_gene.k, "quality": of_gene.words, **facts}


def _best_for_tokens(quality: pd.DataFrame | None) -> int:
    own = None if quality is None else quality[quality["target"] == TOKEN]
    if own is None or own.empty:
        return USUAL
    means = own.groupby("k")["agreement"].mean()
    return int(means.index[int(means.argmax())])


def _agreement(quality: pd.DataFrame | None, k: int) -> dict[str, float]:
    if quality is None:
        return {}
    own = quality[(quality["target"] == TOKEN) & (quality["k"] == k)]
    return {} if own.empty else {"agreement": float(own["agreement"].mean())}


def _obs(adata: AnnData, z: float, n_points: int) -> pd.DataFrame:
    """Make the table of the positions, with the patient if the stack is of one."""
    obs = pd.DataFrame(index=pd.Index([f"virtual-{number}" for number in range(1, n_points + 1)]))
    obs[keys.SECTION] = pd.Categorical([f"virtual-z{z:g}"] * n_points)
    if keys.PATIENT in adata.obs and adata.obs[keys.PATIENT].nunique() == 1:
        obs[keys.PATIENT] = pd.Categorical([str(adata.obs[keys.PATIENT].iloc[0])] * n_points)
    obs[keys.Z] = float(z)
    obs[keys.HIDDEN] = True
    obs[keys.SIMULATED_POSITION] = True
    return obs
