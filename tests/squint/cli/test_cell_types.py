import json

import anndata
import pandas as pd
import pytest

from squint import datasets, io, keys
from squint.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with two toy sections, the first without types."""
    folder = tmp_path_factory.mktemp("types")
    for seed, name in enumerate(("plain", "labelled")):
        adata = datasets.toy(seed=seed, n_cells=400)
        adata.obs["kind"] = adata.obs[datasets.TRUE_TYPE].astype(str)
        io.write(adata, folder / f"{name}.h5ad")
    table = pd.DataFrame({"cell_id": datasets.toy(seed=0, n_cells=400).obs_names, "cell_type": "one"})
    table.to_csv(folder / "labels.csv", index=False)
    (folder / "sets.gmt").write_text(
        "tubule\t-\tLRP2\tCUBN\tSLC34A1\tALDOB\nfibroblast\t-\tCOL1A1\tCOL1A2\tDCN\tLUM\n"
        "macrophage\t-\tCD68\tCD163\tC1QA\tC1QB\n"
    )
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["clusters", "--resolution", "0.5"],
        ["markers", "--from", "sets.gmt", "--clusters", "kind"],
        ["transfer", "--from", "labelled.h5ad", "--labels", "kind"],
        ["file", "--from", "labels.csv"],
    ],
    ids=lambda words: words[0],
)
def test_each_way_writes_names_and_says_how_many(folder, words, capsys, tmp_path):
    out, facts = tmp_path / "out.h5ad", tmp_path / "facts.json"
    options = [str(folder / word) if "." in word and not word[0].isdigit() else word for word in words]
    start = ["cell-types", str(folder / "plain.h5ad"), "--out", str(out), "--json", str(facts), "--by"]
    assert main([*start, *options]) == 0
    adata, said = anndata.read_h5ad(out), json.loads(facts.read_text())
    sizes = adata.obs[keys.NAMED_TYPE].value_counts().to_dict()
    assert said["n_of_type"] == sizes
    assert said["labeling"] == said["by"] == words[0]
    assert f"{sum(sizes.values()):,} of 400 cells have a name, one of {len(sizes)}" in capsys.readouterr().out
    assert ("evidence" in said) == (words[0] == "markers")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "transfer"], "needs a labelled SECTION"),
        (["--by", "file"], "needs a CSV"),
        (["--by", "transfer", "--from", "labelled.h5ad", "--labels", "nil"], "no column 'nil'"),
        (["--by", "clusters", "--resolution", "-1"], "resolution"),
        (["--by", "clusters", "--out", "out.csv"], "must be an .h5ad"),
    ],
)
def test_bad_input_ends_with_one_line(folder, words, said, capsys, tmp_path):
    options = [str(folder / word) if word.endswith(".h5ad") else word for word in words]
    start = ["cell-types", str(folder / "plain.h5ad"), "--out", str(tmp_path / "out.h5ad")]
    assert main([*start, *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("squint: ")
    assert said in lines[-1]
    assert not (tmp_path / "out.h5ad").exists()
