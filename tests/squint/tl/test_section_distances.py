"""Distances of sections in annotated data."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from squint import datasets, keys, tl
from squint.errors import InputError


def test_sections_of_one_patient_lie_nearer_than_those_of_two_in_simulated_tissue() -> None:
    adata = datasets.toy(n_cells=4_000, n_sections=4)
    tl.section_distances(adata, token_key=keys.CELL_TYPE, n_draws=199)
    found = adata.uns[keys.SECTION_DISTANCES]
    distance = found["distance"]
    types = adata.obs.groupby(keys.SECTION, observed=True)[keys.CELL_TYPE].value_counts(normalize=True)
    shares = types.unstack(fill_value=0).loc[list(distance.index)].to_numpy()
    expected = [[jensenshannon(one, other, base=2) for other in shares] for one in shares]
    np.testing.assert_allclose(distance, expected, atol=1e-7)
    who = np.array([name[:5] for name in distance.index])
    same = (who[:, None] == who) & ~np.eye(4, dtype=bool)
    apart = who[:, None] != who
    assert distance.to_numpy()[same].max() < distance.to_numpy()[apart].min()


def test_cells_without_a_token_have_no_part() -> None:
    adata = datasets.toy(n_cells=400, n_sections=2)
    adata.obs[keys.TOKEN] = adata.obs[keys.CELL_TYPE].astype(object)
    part = adata[::2].copy()
    adata.obs.loc[adata.obs_names[1::2], keys.TOKEN] = None
    for one in (adata, part):
        tl.section_distances(one, n_draws=9)
    np.testing.assert_allclose(
        adata.uns[keys.SECTION_DISTANCES]["distance"], part.uns[keys.SECTION_DISTANCES]["distance"]
    )


def test_one_section_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 are compared"):
        tl.section_distances(datasets.toy(n_cells=60, n_sections=1), token_key=keys.CELL_TYPE)
