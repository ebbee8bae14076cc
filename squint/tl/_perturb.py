from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import UNKNOWN, token_names
from squint.device import pick_device
from squint.errors import InputError
from squint.model.bundle import Bundle, versions
from squint.stats import perturbation as stats
from squint.stats.ranksum import median_depth
from squint.stats.token_expression import token_expression
from squint.tl._perturbation import Floats, Ints, Mask, Perturbation, Scene, Sham, set_up
from squint.tl._replacements import depths

PERTURBED, AFFECTED, UNAFFECTED = "perturbed", "affected", "unaffected"
INTERVAL = (0.025, 0.975)


class Step(NamedTuple):
    """How far a perturbation is."""

    n_shams: int  # drawn so far
    n_wanted: int
    result: dict[str, Any] | None  # when all are drawn


def perturb(
    adata: AnnData,
    bundle: Bundle,
    what: Perturbation,
    *,
    n_shams: int = 499,
    seed: int = 0,
    device: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Change the expression of some cells, and see which tokens the cells beside them take.

    A computed what-if of the model, not a prediction of what a treatment does. Counts, tokens and all else
    that is measured stay as they are.

    Parameters
    ----------
    adata
        One or several sections of raw counts. Tokens that it holds by the same model are used.
    bundle
        A trained model.
    what
        :class:`Perturbation`: which cells change, by what, and what is watched.
    n_shams
        Draws of the sham.
    seed
        Seed of the draws.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"`` to move the model; by default it stays where it is.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_perturbed_token"]`` : categorical of str (n,)
        Token after the change; that before where nothing within reach changed. Missing without a token.
    ``adata.obs["squint_perturbation_role"]`` : categorical of str (n,)
        ``"perturbed"``; ``"affected"``: a responder with a perturbed cell among the neighbours that the
        encoder sees; ``"unaffected"``: a responder of the region without; missing for others.
    ``adata.uns["squint_perturbation"]`` : dict
        ``response``, the mean over the affected of the change in their token's score; ``above_sham``, that
        less the median of the shams; ``interval``, that less the 97.5 % and the 2.5 % quantile of the shams;
        ``p``, the share of shams that reach the response, itself among them (a rise; one-sided);
        ``score_error``, the standard error of the response for the scores are means of so many cells;
        ``still``, the response to the same replacement without any shift; ``n_perturbed``, ``n_affected``,
        ``n_unaffected``, ``n_moved``, ``n_unaffected_moved``, ``n_unscored`` and the choices. Tables:

        ``tokens``
            A row per token: ``n_cells``, unperturbed responders of all sections; ``score``, their mean
            programme, NaN for fewer than five; ``sd``; ``before`` and ``after``, affected cells.
        ``transitions``, ``unaffected_transitions``
            Cells (t, t) from the token of the row to that of the column; diagonal: stayed.
        ``transition_shares``
            Of the affected: each row sums to 1 without its diagonal, which is NaN, as rows of none are.
        ``shams``
            A row per draw: ``response``, ``n_unscored``, ``share_moved``, ``size``.
        ``programme``
            As :meth:`squint.stats.token_expression.TokenExpression.table`, of unperturbed responders: the
            mean over its genes is the token's score.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.
    ``adata.uns["squint"]["perturbation"]`` : dict
        The numbers and choices among these.

    Raises
    ------
    InputError
        If the model does not fit, a mask is no mask, no gene of the programme is measured, no cell is
        changed, fewer than ten are affected, or the change cannot be made.

    References
    ----------
    SQUINT, section 5.4 and figure 5. Phipson and Smyth (2010), Permutation p-values should never be zero.
    The sham is our own.
    """
    adata = adata.copy() if copy else adata
    for _ in perturb_steps(adata, bundle, what, n_shams=n_shams, seed=seed, device=device):
        pass
    return adata if copy else None


def perturb_steps(
    adata: AnnData,
    bundle: Bundle,
    what: Perturbation,
    *,
    n_shams: int = 499,
    seed: int = 0,
    device: str | None = None,
) -> Iterator[Step]:
    """Do what :func:`perturb` does, and say after each sham how far it is.

    Parameters
    ----------
    adata
        As for :func:`perturb`, which says what is written.
    bundle
        A trained model.
    what
        Which cells change, by what, and what is watched.
    n_shams, seed, device
        As for :func:`perturb`.

    Yields
    ------
    Step
        The last one has the result, which then is in ``adata`` too.

    Raises
    ------
    InputError
        As :func:`perturb`.
    """
    if n_shams < 1:
        raise InputError("At least 1 sham is needed.")
    if device is not None:
        bundle.model.to(pick_device(device))
    scene = set_up(adata, bundle, what)
    shams: list[Sham] = []
    for number in range(n_shams):
        shams.append(scene.sham(seed, number))
        yield Step(number + 1, n_shams, None)
    table = pd.DataFrame(shams)
    facts = _numbers(scene, table["response"].to_numpy(dtype=np.float64)) | {
        "genes": [gene for gene in what.genes if gene in adata.var_names],
        "genes_missing": [gene for gene in what.genes if gene not in adata.var_names],
        "hold_programme": what.hold_programme,
        "n_shams": n_shams,
        "seed": seed,
        **what.by.parameters(),
        "model_sha256": bundle.sha256,
        "warnings": scene.prepared.warnings,
        "versions": versions(),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    result = facts | _tables(adata, scene, facts["genes"]) | {"shams": table}
    role = np.full(adata.n_obs, -1)
    for code, rows in enumerate((scene.who.changed, scene.who.affected, scene.who.unaffected)):
        role[rows] = code
    roles = pd.Index([PERTURBED, AFFECTED, UNAFFECTED])
    adata.obs[keys.PERTURBATION_ROLE] = pd.Categorical.from_codes(role, roles)
    adata.obs[keys.PERTURBED_TOKEN] = token_names(scene.after.astype(np.int32), len(scene.scores))
    adata.uns[keys.PERTURBATION] = result
    adata.uns.setdefault(keys.PROVENANCE, {})["perturbation"] = facts
    yield Step(n_shams, n_shams, result)


def _numbers(scene: Scene, shams: Floats) -> dict[str, Any]:
    """Put the response beside those of the shams, and count cells."""
    (before, after), who = scene.ends, scene.who
    found = scene.respond(after)
    low, middle, high = _quantiles(shams)
    elsewhere = scene.before[who.unaffected] != scene.after[who.unaffected]
    return {
        "response": found.mean,
        "above_sham": found.mean - middle,
        "interval": [found.mean - high, found.mean - low],
        "p": stats.p_value(found.mean, shams),
        "score_error": stats.score_error(before, after, scene.scores),
        "still": scene.respond(scene.still).mean,
        "n_perturbed": len(who.changed),
        "n_without_counts": who.n_without_counts,
        "n_affected": len(who.affected),
        "n_moved": int((before != after).sum()),
        "n_moved_still": int((before != scene.still).sum()),
        "n_unscored": found.n_unscored,
        "n_unaffected": len(who.unaffected),
        "n_unaffected_moved": int(elsewhere.sum()),
        "n_tokens_too_few": int(((scene.scores["n_cells"] > 0) & scene.scores["score"].isna()).sum()),
        "share_in_programme": _share(scene.change.shift, scene.held),
    }


def _tables(adata: AnnData, scene: Scene, genes: Sequence[str]) -> dict[str, pd.DataFrame]:
    (before, after), who, n_codes = scene.ends, scene.who, len(scene.scores)
    counts = {"before": before, "after": after}
    went = _transitions(before, after)
    return {
        "tokens": scene.scores.assign(
            **{name: np.bincount(tokens, minlength=n_codes) for name, tokens in counts.items()}
        ),
        "transitions": went,
        "transition_shares": stats.row_shares(went),
        "unaffected_transitions": _transitions(scene.before[who.unaffected], scene.after[who.unaffected]),
        "programme": _by_token(adata, genes, np.where(who.responders, scene.before, stats.NONE)),
    }


def _quantiles(values: Floats) -> tuple[float, float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan"), float("nan")
    low, middle, high = np.quantile(known, [INTERVAL[0], 0.5, INTERVAL[1]])
    return float(low), float(middle), float(high)


def _share(shift: Floats, held: Mask) -> float:
    """Say which share of a shift's squared size lies in the programme."""
    squares = shift**2
    return float(squares[held].sum() / squares.sum()) if squares.any() else 0.0


def _transitions(before: Ints, after: Ints) -> pd.DataFrame:
    """Count who went where; tokens as the names that they have in ``obs``."""
    counts = stats.transitions(before, after, np.unique(np.append(before, after)))
    return counts.set_axis(counts.index.astype(str)).set_axis(counts.columns.astype(str), axis=1)


def _by_token(adata: AnnData, genes: Sequence[str], tokens: Ints) -> pd.DataFrame:
    """Give the programme's genes in each token; their mean in a token is its score."""
    counts = csr_matrix(adata.X)
    found = token_expression(
        counts,
        list(adata.var_names),
        pd.Series(token_names(tokens).astype(object)).fillna(UNKNOWN),
        depth=median_depth(depths(counts)),
    )
    return found.table(genes)
