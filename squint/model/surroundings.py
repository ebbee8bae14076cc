"""What is known around a hidden cell: where all cells lie, and what the nearest observed ones hold.

Nothing here looks at the counts of a cell that is not observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from squint.bounds import check_reach

SCALES = (1, 4, 16, 64, 256, 512)  # nearest observed cells that are averaged
LOCAL = 3  # of SCALES, what a prediction starts from
N_DONORS = 256  # nearest observed cells that a draw is taken from
RANKS = (1, 2, 4, 8)  # neighbours whose distance says how crowded a place is
RADII = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)  # in units of the section's spacing
N_CROWDING = len(RANKS) + len(RADII)
N_USUAL = 20_000  # cells of a section, evenly spread over its rows, that say how crowded it usually is
LARGEST_HOLE = 0.06  # of a section's cells, in one hole made for training ...
HOLE_RADII = (3.0, 40.0)  # ... which is this large, in units of the section's spacing
SCATTERED = 0.25  # of the sets of holes made for training, single cells instead of patches

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """Where n cells lie, in s sections."""

    coordinates: NDArray[np.float64]  # (n, 2 | 3)
    section: Ints  # (n,) 0..s-1
    spacing: NDArray[np.float64]  # (s,) median distance to the eight nearest cells
    crowding: Floats  # (n, N_CROWDING), mean 0 and s.d. 1 within each section; 0 where not wanted


class Surroundings(NamedTuple):
    """What lies around m cells."""

    means: Floats  # (m, scales, c): mean values of the nearest observed cells
    reach: Floats  # (m, 1 + scales): log distance to the nearest, and to the last of each scale, in spacings
    donors: Ints  # (m, N_DONORS): nearest observed cells; the last one again where there are no more
    distance: Floats  # (m, N_DONORS) in spacings; infinite where there are no more

    def take(self, rows: slice | Ints | Mask) -> "Surroundings":
        """Keep some of the cells."""
        return Surroundings(self.means[rows], self.reach[rows], self.donors[rows], self.distance[rows])


def join_surroundings(parts: Sequence[Surroundings]) -> Surroundings:
    """Put the surroundings of several sets of cells behind one another."""
    return Surroundings(
        *(np.concatenate([part[i] for part in parts]) for i in range(len(Surroundings._fields)))
    )


def locate(coordinates: NDArray[np.float64], section: Ints, wanted: Mask | None = None) -> Places:
    """Measure how crowded cells lie, at many distances.

    Hidden cells count like others: their positions are known, and a tumour, a follicle or a vessel is often
    told from its surroundings by how close its cells lie.

    Parameters
    ----------
    coordinates
        Positions (n, 2 | 3).
    section
        Number of each cell's section (n,).
    wanted
        Cells (n,) to measure; all, if left out.

    Raises
    ------
    InputError
        If a position is not finite, or lies where no tissue can.
    """
    check_reach(coordinates, "A position")
    n_sections = int(section.max(initial=-1)) + 1
    crowding = np.zeros((len(section), N_CROWDING), dtype=np.float32)
    spacing = np.ones(n_sections)
    for code in range(n_sections):
        cells = np.flatnonzero(section == code)
        if len(cells) < 2:
            continue
        tree = cKDTree(coordinates[cells])
        k = min(max(RANKS), len(cells) - 1)
        distance = tree.query(coordinates[cells], np.arange(2, k + 2), workers=-1)[0]
        spacing[code] = np.median(distance) or 1.0
        n_usual = min(len(cells), N_USUAL)
        usual = np.zeros(len(cells), dtype=bool)
        usual[np.arange(n_usual) * len(cells) // n_usual] = True
        some = usual | (True if wanted is None else wanted[cells])
        columns = [np.log(distance[some, min(rank, k) - 1] / spacing[code] + 0.05) for rank in RANKS]
        for radius in RADII:
            n_within = tree.query_ball_point(
                coordinates[cells[some]], radius * spacing[code], return_length=True, workers=-1
            )
            columns.append(np.log(n_within))
        found = np.stack(columns, axis=1)
        of_usual = found[usual[some]]
        crowding[cells[some]] = (found - of_usual.mean(axis=0)) / (of_usual.std(axis=0) + 1e-6)
    return Places(coordinates, section, spacing, crowding)


def within_sight(coordinates: NDArray[np.float64], section: Ints, cells: Ints, observed: Mask) -> Mask:
    """Mark the cells (n,) that `look_around` needs: those asked about, and the observed nearest to them."""
    seen = np.zeros(len(section), dtype=bool)
    seen[cells] = True
    for code in np.unique(section[cells]):
        there = np.flatnonzero(observed & (section == code))
        asked = coordinates[cells[section[cells] == code]]
        seen[_nearest(coordinates[there], there, asked)[0]] = True
    return seen


def look_around(places: Places, values: Floats, cells: Ints, observed: Mask) -> Surroundings:
    """Describe what lies around some cells.

    Parameters
    ----------
    places
        All cells.
    values
        Per cell (n, c); rows of cells that are not observed are not looked at.
    cells
        Those asked about (m,), none of them observed.
    observed
        Cells (n,) that may be looked at.
    """
    n_values, n_scales = values.shape[1], len(SCALES)
    means = np.zeros((len(cells), n_scales, n_values), dtype=np.float32)
    reach = np.zeros((len(cells), 1 + n_scales), dtype=np.float32)
    donors = np.zeros((len(cells), N_DONORS), dtype=np.int64)
    distance = np.full((len(cells), N_DONORS), np.inf, dtype=np.float32)
    for code in np.unique(places.section[cells]):
        rows = np.flatnonzero(places.section[cells] == code)
        there = np.flatnonzero(observed & (places.section == code))
        nearest, far = _nearest(places.coordinates[there], there, places.coordinates[cells[rows]])
        k, far = nearest.shape[1], far / places.spacing[code]
        for i, scale in enumerate(SCALES):
            size = min(scale, k)
            means[rows, i] = _mean_over(nearest[:, :size], values)
            reach[rows, 1 + i] = np.log(far[:, size - 1] + 0.1)
        reach[rows, 0] = np.log(far[:, 0] + 0.1)
        kept = min(N_DONORS, k)
        donors[rows] = nearest[:, np.minimum(np.arange(N_DONORS), kept - 1)]
        distance[rows, :kept] = far[:, :kept]
    return Surroundings(means, reach, donors, distance)


def make_holes(places: Places, observed: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Hide a share of the observed cells, to learn from: discs, squares, or single cells.

    Parameters
    ----------
    places
        All cells.
    observed
        Cells (n,) that may be hidden.
    share
        Of the observed cells, how many to hide at least.
    rng
        Source of chance.

    Returns
    -------
    Cells (n,) to hide. No section loses all its observed cells.
    """
    hidden = np.zeros(len(observed), dtype=bool)
    for code in np.unique(places.section[observed]):
        there = np.flatnonzero(observed & (places.section == code))
        wanted = min(int(np.ceil(share * len(there))), len(there) - 1)
        if rng.random() < SCATTERED or len(there) < 50:
            hidden[rng.choice(there, wanted, replace=False)] = True
            continue
        tree = cKDTree(places.coordinates[there])
        largest = np.clip((LARGEST_HOLE * len(there) / np.pi) ** 0.5, *HOLE_RADII)
        smallest = min(HOLE_RADII[0], largest / 2)
        inside = np.zeros(len(there), dtype=bool)
        while inside.sum() < wanted:
            centre = places.coordinates[rng.choice(there)]
            radius = places.spacing[code] * np.exp(rng.uniform(np.log(smallest), np.log(largest)))
            found = tree.query_ball_point(centre, radius, p=2.0 if rng.random() < 0.5 else np.inf)
            if inside.sum() + len(found) < len(there):
                inside[found] = True
        hidden[there[inside]] = True
    return hidden


def _nearest(
    coordinates: NDArray[np.float64], cells: Ints, asked: NDArray[np.float64]
) -> tuple[Ints, NDArray[np.float64]]:
    """Find the cells (c,) nearest to m positions, as many as SCALES want, and their distance (m, k)."""
    k = min(max(SCALES), len(cells))
    far, nearest = cKDTree(coordinates).query(asked, np.arange(1, k + 1), workers=-1)
    return cells[nearest], far


def _mean_over(cells: Ints, values: Floats) -> Floats:
    """Average the values (n, c) of each row's cells (m, k): (m, c)."""
    n_rows, k = cells.shape
    weights = csr_matrix(
        (np.full(cells.size, 1 / k, np.float32), cells.ravel(), np.arange(0, cells.size + 1, k)),
        shape=(n_rows, len(values)),
    )
    mean: Floats = weights @ values
    return mean
