"""Two models' tokens of the same cells, as a tool and as a figure."""

import numpy as np
import pandas as pd
import pytest

from squint import datasets, keys, pl, tl
from squint.errors import InputError


@pytest.fixture
def adata():
    adata = datasets.toy(n_cells=200, n_sections=2)
    tokens = np.resize(["0", "3", "11", "4"], adata.n_obs).astype(object)
    adata.obs["other"] = pd.Categorical(pd.Series(tokens).map({"0": "7", "3": "1", "11": "2", "4": "2"}))
    tokens[:5] = None
    adata.obs[keys.TOKEN] = pd.Categorical(tokens)
    return adata


def test_matches_of_both_and_cells_without_a_token(adata):
    tl.compare_vocabularies(adata, other_key="other", n_shuffles=5, n_resamples=20)
    found = adata.uns[keys.VOCABULARIES]
    assert found["matches"]["match"].to_dict() == {"0": "7", "3": "1", "4": "2", "11": "2"}
    assert found["matches_of_other"]["match"].to_dict() == {
        "7": "0",
        "1": "3",
        "2": found["matches_of_other"].loc["2", "match"],
    }
    assert (found["n_cells"], found["n_sections"]) == (adata.n_obs - 5, 2)
    assert found["contingency"].to_numpy().sum() == adata.n_obs - 5
    ami = found["agreement"].loc["AMI"]
    assert ami["value"] > 0.7
    assert ami["chance"] < 0.1


def test_no_common_cell_is_an_error_in_words(adata):
    adata.obs["other"] = pd.Series([None] * adata.n_obs, dtype=object).to_numpy()
    with pytest.raises(InputError, match="both models"):
        tl.compare_vocabularies(adata, other_key="other")


def test_rows_of_the_figure_add_up_and_counterparts_lie_on_the_diagonal(adata):
    tl.compare_vocabularies(adata, other_key="other", n_shuffles=2, n_resamples=5)
    figure = pl.compare_vocabularies(
        adata.uns[keys.VOCABULARIES], names={"3": "3 · rim"}, other_names={"1": "1 · edge"}
    )
    (heat,) = figure.data
    np.testing.assert_allclose(np.asarray(heat.z).sum(axis=1), 100)
    assert (np.diag(np.asarray(heat.z)[:3]) == 100).all()
    assert any(str(name).startswith("3 · rim · n = ") for name in figure.layout.yaxis.ticktext)
    assert "1 · edge" in figure.layout.xaxis.ticktext
