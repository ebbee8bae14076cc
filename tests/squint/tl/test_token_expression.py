"""Genes in tokens, as a tool and as a figure."""

import numpy as np
import pandas as pd
import pytest

from squint import datasets, keys, pl, tl
from squint.errors import InputError


@pytest.fixture
def adata():
    adata = datasets.toy(n_cells=200, n_sections=2)
    adata.obs[keys.TOKEN] = pd.Categorical(np.resize(["0", "3", None, "11"], adata.n_obs))
    return adata


def test_cells_that_are_masked_do_not_count(adata):
    genes = list(adata.var_names[[2, 0]])
    tl.token_expression(adata, genes=genes)
    every = adata.uns[keys.TOKEN_EXPRESSION]
    tumour = (adata.obs[keys.CELL_TYPE] == "tumour").to_numpy()
    tl.token_expression(adata, genes=genes, cells=tumour)
    some = adata.uns[keys.TOKEN_EXPRESSION]
    assert list(some["gene"].unique()) == genes
    assert list(some["token"].unique()) == ["0", "3", "11"]
    n_cells = adata.obs[keys.TOKEN][tumour].value_counts()
    assert (some["n_cells"].to_numpy() == n_cells.loc[some["token"]].to_numpy()).all()
    assert (some["n_cells"] < every["n_cells"]).all()


def test_no_cell_is_an_error_in_words(adata):
    with pytest.raises(InputError, match="Choose other cells"):
        tl.token_expression(adata, cells=np.zeros(adata.n_obs, dtype=bool))
    with pytest.raises(InputError, match="NOPE"):
        tl.token_expression(adata, genes=["NOPE"])


def test_the_figure_names_tokens_and_draws_only_what_was_measured():
    table = pd.DataFrame(
        {
            "gene": ["A", "A", "B", "B"],
            "token": ["0", "7", "0", "7"],
            "n_cells": [10, 4, 0, 4],
            "mean": [1.5, 0.2, np.nan, 0.7],
            "share": [0.9, 0.1, np.nan, 0.4],
        }
    )
    figure = pl.token_expression(table, names={"7": "7 · glomerulus"})
    (dots,) = figure.data
    assert list(dots.marker.color) == [1.5, 0.2, 0.7]
    assert list(dots.x) == [0, 0, 1]
    assert list(figure.layout.yaxis.ticktext) == ["0 · n = 10", "7 · glomerulus · n = 4"]
    sizes = np.square(dots.marker.size)
    np.testing.assert_allclose(sizes / sizes[0], [1, 0.1 / 0.9, 0.4 / 0.9])
