"""One token in detail: by hand, and planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from squint.stats.token_details import marker_genes, nearest_codes, sections_with, types_in
from squint.stats.token_profiles import PSEUDO_SHARE, add_up, describe


def two_sections():
    rng = np.random.default_rng(0)
    made = {}
    for name, genes, n in (("one", list("ABCD"), 80), ("two", list("CDE"), 40)):
        counts = rng.poisson(3, size=(n, len(genes))).astype(float)
        tokens = pd.Series(rng.choice(["0", "5", "12"], n))
        counts[(tokens == "5").to_numpy(), genes.index("C")] += 9
        types = pd.Series(rng.choice(["x", "y"], n)) if name == "one" else None
        made[name] = (csr_matrix(counts), genes, tokens, types)
    return made, {name: add_up(*part) for name, part in made.items()}


def test_ratios_are_of_shares_over_the_sections_that_measure_a_gene():
    made, sums = two_sections()
    found = marker_genes(sums, "5")
    assert found.index[0] == "C"
    own, rest, depth_own, depth_rest, n = 0.0, 0.0, 0.0, 0.0, 0
    for name in ("one",):  # alone measures A
        counts, genes, tokens, _ = made[name]
        mine = (tokens == "5").to_numpy()
        dense = counts.toarray()
        own, depth_own = own + dense[mine, genes.index("A")].sum(), depth_own + dense[mine].sum()
        rest, depth_rest = rest + dense[~mine, genes.index("A")].sum(), depth_rest + dense[~mine].sum()
        n += int(mine.sum())
    row = found.loc["A"]
    right = np.log2((own / depth_own + PSEUDO_SHARE) / (rest / depth_rest + PSEUDO_SHARE))
    assert row["log2_ratio"] == pytest.approx(right)
    assert (row["n_counts"], row["n_cells"], row["n_others"]) == (own, n, 80 - n)
    assert found.loc["C", "n_cells"] == sum((part[2] == "5").sum() for part in made.values())


def test_the_first_marker_is_that_of_the_description():
    _, sums = two_sections()
    assert describe(sums).loc["5", "top_genes"].split(", ")[0] == marker_genes(sums, "5").index[0] == "C"


def test_types_and_sections_are_counted():
    made, sums = two_sections()
    counts = pd.crosstab(made["one"][2], made["one"][3]).loc["5"]
    found = types_in(sums, "5")
    assert found["n_cells"].to_dict() == counts.to_dict()
    assert found["share"].sum() == pytest.approx(1)
    where = sections_with(sums, "5")
    assert where["n_cells"].to_dict() == {name: (part[2] == "5").sum() for name, part in made.items()}
    assert where.loc["two", "share_of_section"] == pytest.approx((made["two"][2] == "5").mean())
    assert where["share"].sum() == pytest.approx(1)


def test_a_token_that_no_cell_has_is_empty():
    _, sums = two_sections()
    for found in (marker_genes(sums, "99"), types_in(sums, "99"), sections_with(sums, "99")):
        assert found.empty


def test_codes_of_one_direction_are_the_nearest():
    codes = np.array([[1, 0], [0, 2], [3, 0.1], [-1, 0]], np.float32)
    found = nearest_codes(codes, 0)["cosine"]
    assert list(found.index) == ["2", "1", "3"]
    assert found.to_numpy() == pytest.approx([3 / np.hypot(3, 0.1), 0, -1])
