from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.errors import InputError
from squint.stats import label_transfer
from squint.stats.labelings import is_no_type
from squint.tl._differential_expression import refuse_intensities
from squint.tl._named import Named


@dataclass(frozen=True)
class Transfer:
    """Names learned from a labelled section, by regression on the genes that both measure.

    Parameters
    ----------
    teacher
        The labelled section, with raw counts in ``X``.
    key
        Column of its ``obs`` with the names; cells without one, or called "unlabeled", "unknown",
        "unassigned" or "undefined", whatever follows, are not learned from.
    min_confidence
        Probability that a name must have at least; else the cell stays without.
    strange
        Share of a type's cells in the teacher that count as strange to it: a cell as strange as these stays
        without a name, since it may be of a type that the teacher does not have.
    """

    teacher: AnnData
    key: str = keys.CELL_TYPE
    min_confidence: float = 0.5
    strange: float = label_transfer.STRANGE

    word = "transfer"

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1 or not 0 <= self.strange < 1:
            raise InputError("The least confidence and the share of strange cells lie between 0 and 1.")
        if self.key not in self.teacher.obs:
            has = ", ".join(map(str, list(self.teacher.obs.columns)[:20])) or "none"
            raise InputError(f"The labelled section has no column {self.key!r} of cells; it has {has}.")

    def name(self, adata: AnnData, seed: int) -> Named:
        """Learn, judge what was learned on cells that were held out, and name the cells."""
        refuse_intensities(self.teacher)
        known = set(map(str, adata.var_names))
        genes = [gene for gene in self.teacher.var_names if gene in known]
        if len(genes) < label_transfer.FEWEST_GENES:
            raise InputError(
                f"The two sections share {len(genes)} genes, and names need {label_transfer.FEWEST_GENES} at "
                "least. Take a section of the same species and a like panel."
            )
        labels = self.teacher.obs[self.key]
        is_type = labels.notna() & ~labels.astype(str).map(is_no_type).astype(bool)
        kept = np.flatnonzero(is_type & (np.diff(csr_matrix(self.teacher.X).indptr) > 0))
        cells = self.teacher[kept]
        counts = csr_matrix(cells[:, genes].X)
        names = labels.to_numpy(dtype=object)[kept].astype(str).astype(object)
        held_out, split = _held_out(cells, seed)
        calibration = label_transfer.calibrate(
            counts,
            names,
            held_out,
            split,
            min_confidence=self.min_confidence,
            seed=seed,
            strange=self.strange,
        )
        learned = label_transfer.teach(counts, names, seed, self.strange)
        codes, confidence = learned.name(csr_matrix(adata[:, genes].X), self.min_confidence)
        few = sorted(set(names) - set(learned.types))
        facts = {
            "n_genes_shared": len(genes),
            "n_cells_taught": len(kept),
            "types": list(learned.types),
            "types_left_out": few,
            "calibration": calibration._asdict(),
            "teacher_sha256": str(self.teacher.uns.get(keys.PROVENANCE, {}).get("source_sha256", "")),
        }
        notes = [
            f"Of {calibration.n_cells:,} cells of the labelled section that were held out ({split}), "
            f"{calibration.share_unknown:.0%} stayed unknown and {calibration.accuracy_of_named:.0%} of the "
            f"others were named rightly; balanced accuracy {calibration.balanced_accuracy:.2f}, expected "
            f"calibration error {calibration.expected_calibration_error:.2f}."
        ]
        if few:
            listed = ", ".join(few[:5])
            notes.append(f"Types with fewer than {label_transfer.FEWEST} cells are not learned: {listed}.")
        asked = {"key": self.key, "min_confidence": self.min_confidence, "strange": self.strange}
        labels_given = pd.Categorical.from_codes(codes, pd.Index(learned.types, dtype=object))
        return Named(labels_given, confidence, asked, facts, notes)


def _held_out(cells: AnnData, seed: int) -> tuple[NDArray[np.bool_], str]:
    """Choose labelled cells to judge on: blocks of the tissue, or cells at random where none lie anywhere."""
    if keys.SPATIAL in cells.obsm:
        sections = cells.obs[keys.SECTION] if keys.SECTION in cells.obs else pd.Series("", cells.obs.index)
        positions: NDArray[np.float64] = np.asarray(cells.obsm[keys.SPATIAL])[:, :2]
        chosen = label_transfer.spatial_blocks(positions, sections.to_numpy(dtype=object), seed)
        return chosen, "a fifth of its blocks, six by six"
    chosen = np.random.default_rng(seed).random(cells.n_obs) < label_transfer.HELD_OUT
    return chosen, "a fifth of its cells at random"
