"""Genes that differ across patients: as planted, and not where only patients differ."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from squint import keys, tl
from squint.errors import InputError
from squint.stats import arms

pytestmark = pytest.mark.slow


def of_patients(names: str, *, both: bool = True, n_cells: int = 60, seed: int = 0) -> AnnData:
    """Patients with cells in rim and core: 5 genes higher in the core, 20 that differ between patients only.

    Without ``both`` patients have one arm each, in turn.
    """
    rng = np.random.default_rng(seed)
    mean = 0.3 + rng.gamma(1, 1.0, 150)
    counts, obs = [], []
    for number, patient in enumerate(names):
        own = mean * np.exp(rng.normal(0, 0.1, 150))
        own[5:25] *= np.exp(rng.normal(0, 1.0, 20))
        for in_core in (False, True) if both else (number % 2 == 1,):
            here = own * np.where((np.arange(150) < 5) & in_core, 4, 1)
            counts.append(rng.poisson(rng.gamma(2, here / 2, (n_cells, 150))))
            obs += [(patient, "core" if in_core else "rim")] * n_cells
    return AnnData(
        sparse.csr_matrix(np.vstack(counts).astype(np.float32)),
        obs=pd.DataFrame(obs, columns=[keys.PATIENT, "region"], index=[f"cell{i}" for i in range(len(obs))]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(150)]),
    )


def across_patients(adata: AnnData, **how: object) -> pd.DataFrame:
    tl.pseudobulk(adata, "region", group="core", reference="rim", **how)
    return adata.uns[keys.PSEUDOBULK]


def found_in(table: pd.DataFrame) -> set[str]:
    return set(table.index[table["q"] < 0.05])


PLANTED = {f"G{i}" for i in range(5)}
OF_PATIENTS = {f"G{i}" for i in range(5, 25)}


def test_planted_genes_are_found_across_patients() -> None:
    table = across_patients(of_patients("ABCDEF"))
    assert table.attrs["design"] == "~ patient + arm"
    assert found_in(table) >= PLANTED
    assert len(found_in(table)) <= 6
    assert (table.loc[list(PLANTED), "log2_fold_change"] - 2).abs().max() < 0.7
    assert (table["n_patients_group"] == 6).all()
    assert set(table.index[:5]) == PLANTED


def test_what_differs_between_patients_only_is_called_by_cells_but_rarely_across_patients() -> None:
    adata = of_patients("ABCDEF", both=False, seed=1)
    table = across_patients(adata)
    assert table.attrs["design"] == "~ arm"
    assert (table.attrs["patients_group"], table.attrs["patients_reference"]) == (list("BDF"), list("ACE"))
    tl.differential_expression(adata, "region", group="core", reference="rim")
    by_cells, by_patients = (found_in(one) - PLANTED for one in (adata.uns[keys.DEGS], table))
    assert found_in(table) >= PLANTED
    assert len(by_cells) >= 30  # of 145 genes where nothing differs but patients
    assert len(by_patients) <= 5
    assert by_patients <= OF_PATIENTS


def test_pairs_are_respected() -> None:
    """A shift within each patient is found though patients differ by far more."""
    adata = of_patients("ABCDEF", seed=2)
    in_core = adata.obs["region"].eq("core").to_numpy()
    counts = adata.X.toarray()
    counts[in_core, 5] = np.random.default_rng(1).poisson(2 * counts[in_core, 5])
    adata.X = sparse.csr_matrix(counts)
    table = across_patients(adata)
    assert "G5" in found_in(table)
    alone = adata.copy()  # the same sums, each of a patient of its own
    alone.obs[keys.PATIENT] = alone.obs[keys.PATIENT] + alone.obs["region"]
    assert "G5" not in found_in(across_patients(alone))


def test_order_of_cells_does_not_matter_across_patients() -> None:
    adata = of_patients("ABC")
    shuffled = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    pd.testing.assert_frame_equal(across_patients(shuffled), across_patients(adata))


def test_a_gene_without_a_count_has_no_value_across_patients() -> None:
    adata = of_patients("ABC")
    adata.X = sparse.csr_matrix(adata.X.toarray() * (np.arange(150) != 7))
    row = across_patients(adata).loc["G7"]
    assert row["base_mean"] == 0
    assert row[["log2_fold_change", "se", "p", "q"]].isna().all()


def test_samples_of_few_cells_are_left_out() -> None:
    adata = of_patients("ABC")
    few = adata.obs[keys.PATIENT].eq("C") & adata.obs["region"].eq("core")
    adata = adata[~few | (few.cumsum() <= 9)].copy()
    assert across_patients(adata).attrs["patients_group"] == ["A", "B"]
    assert across_patients(adata, min_cells=9).attrs["patients_group"] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("names", "both", "said"),
    [
        ("A", True, "1 patient in the group and 1 in the reference"),
        ("AB", False, "1 patient in the group and 1 in the reference"),
        ("ABC", False, "1 patient in the group and 2 in the reference"),
    ],
)
def test_too_few_patients_are_refused(names: str, both: bool, said: str) -> None:  # noqa: FBT001
    with pytest.raises(InputError, match=f"cells are not independent: {said}.*at least 2 in each"):
        across_patients(of_patients(names, both=both))


def test_cells_without_a_patient_are_of_no_patient() -> None:
    adata = of_patients("ABC")
    adata.obs.loc[adata.obs[keys.PATIENT] != "A", keys.PATIENT] = None
    with pytest.raises(InputError, match="1 patient in the group and 1 in the reference"):
        across_patients(adata)


def test_a_lone_patient_with_both_arms_does_not_count_twice() -> None:
    patients = pd.Series(np.repeat(list("AABCDE"), 10))
    in_group = np.repeat([True, False, True, True, False, False], 10)
    found = arms.patients(patients, arms.Arms(in_group, ~in_group))
    assert found == arms.Patients(["B", "C"], ["D", "E"], paired=False, problem="")


def test_what_deseq2_warns_of_is_told_and_not_thrown() -> None:
    table = across_patients(of_patients("AB"))
    assert any("residual degrees of freedom" in word for word in table.attrs["warnings"])
