"""The commands `virtual-section` and `benchmark virtual-section`, end to end on small simulated levels."""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import io, keys
from squint.cli.main import main

pytestmark = pytest.mark.slow

HEIGHTS = (0.0, 10.0, 20.0, 30.0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four levels of three genes, one of which rises with z."""
    rng = np.random.default_rng(0)
    z = np.repeat(HEIGHTS, 80)
    counts = rng.poisson(np.column_stack([10 + z, np.full(len(z), 20.0), np.full(len(z), 5.0)]))
    obs = pd.DataFrame(
        {keys.SECTION: [f"L{int(one)}" for one in z], keys.PATIENT: "P", keys.Z: z},
        index=[f"cell-{i}" for i in range(len(z))],
    )
    adata = anndata.AnnData(
        csr_matrix(counts.astype(np.float32)), obs=obs, var=pd.DataFrame(index=["CA9", "LDHA", "VIM"])
    )
    adata.obsm[keys.SPATIAL] = rng.uniform(0, 100, (len(z), 2))
    adata.uns[keys.PROVENANCE] = {"unit": "um"}
    out = tmp_path_factory.mktemp("levels") / "stack.h5ad"
    io.write(adata, out)
    return out


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_a_section_is_written_with_how_it_was_made(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, facts = tmp_path / "out.h5ad", tmp_path / "facts.json"
    assert run("virtual-section", path, "--z", 14, "--out", out, "--json", facts) == 0
    said = capsys.readouterr().out
    assert "80 positions at z = 14 um" in said
    assert "predicted, not measured, from L10 and L20" in said
    written = anndata.read_h5ad(out)
    like = anndata.read_h5ad(path)
    there: NDArray[np.float64] = np.asarray(like.obsm[keys.SPATIAL])[(like.obs[keys.Z] == 10).to_numpy()]
    assert set(map(tuple, written.obsm[keys.SPATIAL])) == set(map(tuple, there))
    assert np.asarray(written.obsm[keys.IMPUTED])[:, 0].mean() == pytest.approx(24, abs=2)
    told = json.loads(facts.read_text())
    assert told["n_positions"] == 80
    assert told["virtual_section"]["how"]["cell"]["quality"]


def test_positions_are_those_asked_for(path: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out.h5ad", tmp_path / "places.csv"
    pd.DataFrame({"x": [10.0, 50.0], "y": [20.0, 60.0], "name": ["a", "b"]}).to_csv(table, index=False)
    assert run("virtual-section", path, "--z", 5, "--positions", table, "--out", out) == 0
    np.testing.assert_array_equal(anndata.read_h5ad(out).obsm[keys.SPATIAL], [[10, 20], [50, 60]])
    regions = tmp_path / "R.json"
    regions.write_text(json.dumps({"regions": [{"section": "L0", "points": [[30, 40]]}]}))
    assert run("virtual-section", path, "--z", 5, "--positions", regions, "--out", out) == 0
    np.testing.assert_array_equal(anndata.read_h5ad(out).obsm[keys.SPATIAL], [[30, 40]])
    assert run("virtual-section", path, "--z", 5, "--grid", 25, "--out", out) == 0
    grid: NDArray[np.float64] = np.asarray(anndata.read_h5ad(out).obsm[keys.SPATIAL])
    assert set(np.round(np.diff(np.unique(grid[:, 0])), 6)) == {25}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--z", 31), "outside of the measured levels"),
        (("--z", 5, "--like", "L7"), "no such level, but L0, L10, L20, L30"),
        (("--z", 5, "--grid", 0), "a step above 0"),
        (("--z", 5, "--positions", "nowhere.csv"), "no CSV with numbers"),
    ],
)
def test_bad_input_is_told_in_one_line_and_nothing_is_written(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], said: str
) -> None:
    out = tmp_path / "out.h5ad"
    assert run("virtual-section", path, *words, "--out", out) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_the_benchmark_leaves_every_inner_level_out(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("benchmark", "virtual-section", path, "--out", tmp_path / "b", "--seeds", 0, 1) == 0
    said = capsys.readouterr().out
    assert "2 levels left out" in said
    table = pd.read_csv(tmp_path / "b" / "table.csv", comment="#")
    assert set(table["z_um"]) == {10, 20}
    assert set(table.loc[table["method"] == "draw", "seed"]) == {0, 1}
    nearest = table[(table["method"] == "nearest") & (table["target"] == "neighbourhood")]
    best = nearest.groupby("k")["pc"].mean().max()
    assert f"{best:.3f}".removeprefix("0") in (tmp_path / "b" / "table.md").read_text()
