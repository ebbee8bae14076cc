"""The command that computes a perturbation."""

import json

import anndata
import pytest

import squint
from squint import datasets, io, keys
from squint.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a section, a model, gene sets, a profile and a region."""
    folder = tmp_path_factory.mktemp("perturb")
    section = datasets.response(5, 900)
    io.write(section, folder / "section.h5ad")
    *_, last = squint.train(
        section,
        model=squint.ModelConfig(n_codes=8, n_hidden=16, n_latent=8, n_mlp_layers=1),
        train=squint.TrainConfig(n_epochs=3, context_steps=0),
        device="cpu",
    )
    last.bundle.save(folder / "model")
    (folder / "genes.gmt").write_text("answer\t-\tCXCL9\tCXCL10\tIDO1\nother\t-\tLDHA\n")
    lines = [f"{gene},{i % 7}" for i, gene in enumerate(section.var_names)]
    (folder / "profile.csv").write_text("\n".join(["gene,counts", *lines]))
    (folder / "left.json").write_text(
        json.dumps({"regions": [{"section": "response-5", "x0": 0, "x1": 350, "y0": 0, "y1": 500}]})
    )
    return folder


def words(folder, out, *more):
    start = ["perturb", str(folder / "section.h5ad"), "--model", str(folder / "model"), "--out", str(out)]
    return [*start, "--programme", str(folder / "genes.gmt"), "--set", "answer", "--shams", "9", *more]


@pytest.mark.parametrize(
    "way",
    [
        ["mean", "--from", "state=cytotoxic"],
        ["mean", "--from", "left.json"],
        ["profile", "--from", "profile.csv"],
        ["scale", "--gene", "GZMB=20", "--gene", "CD8A=0", "--free-programme"],
    ],
    ids=lambda way: " ".join(way[:3]),
)
def test_each_way_writes_tokens_and_says_what_was_found(folder, way, tmp_path, capsys):
    out, facts = tmp_path / "out.h5ad", tmp_path / "facts.json"
    way = [str(folder / word) if (folder / word).exists() else word for word in way]
    asked = words(
        folder, out, "--cells", str(folder / "left.json"), "--type", "CD8 T cell", "--json", str(facts)
    )
    assert main([*asked, "--json", str(facts), "--respond", "macrophage", "--by", *way]) == 0
    said = json.loads(facts.read_text())
    assert "not a prediction of treatment" in capsys.readouterr().out
    adata = anndata.read_h5ad(out)
    roles = adata.obs[keys.PERTURBATION_ROLE].value_counts()
    assert roles["perturbed"] == said["n_perturbed"] > 0
    assert roles["affected"] == said["n_affected"] == sum(row["before"] for row in said["tokens"])
    assert adata.uns[keys.PERTURBATION]["n_moved"] == said["n_moved"]
    assert len(said["shams"]["response"]) == 9
    types = adata.obs.loc[adata.obs[keys.PERTURBATION_ROLE] == "perturbed"]
    assert set(types[keys.CELL_TYPE]) == {"CD8 T cell"}
    assert adata.obsm[keys.SPATIAL][adata.obs[keys.PERTURBATION_ROLE] == "perturbed"][:, 0].max() <= 350


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--by", "mean", "--from", "state=cytotoxic"], "Say which cells change"),
        (["--type", "CD8 T cell", "--by", "mean"], "--by mean needs"),
        (["--type", "CD8 T cell", "--by", "scale"], "--by scale needs genes"),
        (["--type", "CD8 T cell", "--by", "scale", "--gene", "GZMB"], "write GENE=FACTOR"),
        (["--type", "No such", "--by", "scale", "--gene", "GZMB=2"], "No cell is of type 'No such'"),
        (["--type", "CD8 T cell", "--by", "profile", "--from", "nowhere.csv"], "cannot be read"),
        (["--type", "CD8 T cell", "--by", "scale", "--gene", "GZMB=2", "--set", "none"], "holds no set"),
    ],
)
def test_what_is_missing_is_said_in_one_line(folder, more, says, tmp_path, capsys):
    assert main(words(folder, tmp_path / "out.h5ad", *more)) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.h5ad").exists()
