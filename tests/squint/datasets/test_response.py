"""Tissue whose macrophages answer to one state of T cells."""

import numpy as np

from squint import datasets, keys


def test_only_macrophages_beside_cytotoxic_cells_answer_and_only_in_the_programme():
    adata = datasets.response(0)
    state, types = (adata.obs[name].astype(str) for name in (datasets.STATE, keys.CELL_TYPE))
    dose = adata.obs[datasets.INDUCTION].to_numpy()
    assert not dose[types != "macrophage"].any()
    follicle = adata.obs[keys.REGION] == "tertiary lymphoid structure"
    assert set(state[follicle]) == {"resting"}
    assert not dose[follicle].any()
    assert {"cytotoxic", "sham"} <= set(state[~follicle])
    counts = adata.to_df()
    counts = counts.div(counts.sum(axis=1), axis=0)
    macrophages = (types == "macrophage").to_numpy()
    induced = list(datasets.RESPONSE_GENES)
    high, low = (counts.loc[macrophages & mask, induced].sum(axis=1) for mask in (dose > 0.5, dose == 0))
    assert high.mean() > 2 * low.mean()


def test_what_kinds_of_cells_there_are_is_the_same_beside_each_state():
    adata = datasets.response(1, 6000)
    inside = adata.obs[keys.REGION].isin(["tertiary lymphoid structure", "stroma"])
    shares = (
        adata.obs[inside].groupby(keys.REGION, observed=True)[keys.CELL_TYPE].value_counts(normalize=True)
    )
    one, other = (shares[name] for name in ("tertiary lymphoid structure", "stroma"))
    assert np.abs(one.sub(other, fill_value=0)).max() < 0.06


def test_the_same_seed_gives_the_same_arrays():
    one, other = datasets.response(2, 400), datasets.response(2, 400)
    assert (one.X != other.X).nnz == 0
    assert one.obs.equals(other.obs)
    assert not np.array_equal(one.obsm[keys.SPATIAL], datasets.response(3, 400).obsm[keys.SPATIAL])
