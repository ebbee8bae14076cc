import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyarrow import parquet
from scipy.spatial.distance import cdist

import squint
from squint import datasets, io, keys, tl
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.formats.sequences import BITS, morton_order, morton_place, token_sequences, write_sequences

POINTS = st.integers(2, 3).flatmap(
    lambda d: hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(d)), elements=st.integers(-50, 50))
)


def interleaved(point, low, span):
    """Write the steps of one point in binary, and read their digits in turn, the last axis first."""
    steps = [int((value - least) / span * (2**BITS - 1)) for value, least in zip(point, low, strict=True)]
    digits = zip(*(f"{step:0{BITS}b}" for step in steps[::-1]), strict=True)
    return int("".join(digit for of_bit in digits for digit in of_bit), 2)


@given(POINTS)
def test_the_place_on_the_curve_is_that_of_interleaved_digits(points):
    low = points.min(axis=0)
    span = (points - low).max() or 1.0
    assert morton_place(points).tolist() == [interleaved(point, low, span) for point in points]


@given(POINTS, st.integers(0, 1000))
def test_order_of_rows_does_not_matter(points, seed):
    names = np.array([f"cell{i}" for i in range(len(points))])
    shuffle = np.random.default_rng(seed).permutation(len(points))
    one = names[morton_order(points, names)]
    other = names[shuffle][morton_order(points[shuffle], names[shuffle])]
    assert one.tolist() == other.tolist()


@pytest.mark.parametrize("d", [2, 3])
def test_neighbours_on_the_curve_are_near_in_the_tissue(d):
    points = np.random.default_rng(0).random((4_000, d))
    steps = np.linalg.norm(np.diff(points[morton_order(points)], axis=0), axis=1).mean()
    apart = cdist(points[:500], points[500:1000]).mean()
    assert steps < 0.1 * apart if d == 2 else steps < 0.2 * apart


def test_a_square_is_walked_as_a_z():
    corners = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert corners[morton_order(corners)].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]


def test_a_long_section_has_square_steps():
    row = np.column_stack([np.arange(100.0), np.tile([0.0, 1.0], 50)])
    x = row[morton_order(row)][:, 0]
    assert np.abs(np.diff(x)).max() <= 3


def test_cells_at_one_point_are_in_the_order_of_their_names():
    assert morton_order(np.zeros((3, 2)), np.array(["b", "c", "a"])).tolist() == [2, 0, 1]
    assert morton_order(np.zeros((3, 2))).tolist() == [0, 1, 2]


# --- sections --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Train a model of two heads on a toy and save it."""
    *_, last = squint.train(
        datasets.toy(n_cells=200),
        model=ModelConfig(n_codes=6, n_hidden=16, n_latent=8, n_heads=2),
        train=TrainConfig(n_epochs=2, batch_size=128, tile_size=32, context_steps=0),
    )
    last.bundle.save(tmp_path_factory.mktemp("model") / "bundle")
    return last.bundle


@pytest.fixture
def tokenised(bundle):
    return tl.tokenize(datasets.toy(n_cells=120), bundle, copy=True)


def test_a_section_is_one_row_of_all_its_cells(tokenised):
    table = token_sequences(tokenised)
    assert table["section_id"].tolist() == ["TOY-H-1", "TOY-L-1"]
    assert table["patient_id"].tolist() == ["TOY-H", "TOY-L"]
    assert set(table["unit"]) == {tokenised.uns[keys.PROVENANCE]["unit"]}
    for row in table.itertuples():
        part = tokenised[row.cells]
        assert set(part.obs[keys.SECTION]) == {row.section_id}
        assert row.n_cells == len(row.cells) == (tokenised.obs[keys.SECTION] == row.section_id).sum()
        assert (
            row.tokens == part.obs[keys.TOKEN].astype(int).tolist() == part.obsm[keys.TOKENS][:, 0].tolist()
        )
        assert row.tokens_2 == part.obsm[keys.TOKENS][:, 1].tolist()
        np.testing.assert_array_equal(np.column_stack([row.x, row.y]), part.obsm[keys.SPATIAL][:, :2])
        np.testing.assert_array_equal(morton_order(part.obsm[keys.SPATIAL]), np.arange(row.n_cells))


def test_order_of_cells_in_the_file_does_not_matter(tokenised):
    shuffled = tokenised[np.random.default_rng(0).permutation(tokenised.n_obs)].copy()
    pd.testing.assert_frame_equal(token_sequences(tokenised), token_sequences(shuffled))


def test_depth_is_a_third_coordinate_or_the_height_of_a_level(tokenised):
    flat = tokenised.obsm[keys.SPATIAL][:, :2]
    tokenised.obsm[keys.SPATIAL] = np.column_stack([flat, np.arange(120.0)])
    deep = token_sequences(tokenised).iloc[0]
    assert deep["z"] == tokenised[deep["cells"]].obsm[keys.SPATIAL][:, 2].tolist()
    tokenised.obsm[keys.SPATIAL] = flat
    tokenised.obs[keys.Z] = np.where(tokenised.obs[keys.SECTION] == "TOY-H-1", 60.0, np.arange(120.0))
    level = token_sequences(tokenised)
    assert "z" not in level
    assert level[keys.Z].iloc[0] == 60
    assert np.isnan(level[keys.Z].iloc[1])


def test_a_section_of_several_patients_or_none_names_none(tokenised):
    tokenised.obs[keys.PATIENT] = ["A", "B"] * 30 + [None] * 60
    assert token_sequences(tokenised)["patient_id"].isna().all()
    del tokenised.obs[keys.PATIENT]
    assert "patient_id" not in token_sequences(tokenised)


def test_missing_tokens_or_places_are_said(tokenised):
    broken = tokenised.copy()
    broken.obsm[keys.SPATIAL][3] = np.nan
    with pytest.raises(squint.InputError, match="not finite for 1 cells"):
        token_sequences(broken)
    del tokenised.obsm[keys.TOKENS]
    with pytest.raises(squint.InputError, match=r"squint\.tl\.tokenize"):
        token_sequences(tokenised)


# --- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tokenised, bundle, tmp_path):
    """Give a folder with the model, a file without tokens, and one of other sections with."""
    bundle.save(tmp_path / "bundle")
    io.write(datasets.toy(n_cells=120), tmp_path / "plain.h5ad")
    tokenised.obs[keys.SECTION] = "more-" + tokenised.obs[keys.SECTION].astype(str)
    io.write(tokenised, tmp_path / "tokens.h5ad")
    return tmp_path


def export(folder, *arguments):
    """Run the command on files of the folder."""
    return main(["export-tokens", *(str(folder / word) if word[0] != "-" else word for word in arguments)])


def refused(capsys, folder, *arguments):
    """Run a command that must end with 2, and give the one line that it says."""
    assert export(folder, *arguments) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("squint: ")
    return line


def test_sections_are_exported_to_parquet(folder, bundle, capsys):
    words = ["plain.h5ad", "tokens.h5ad", "--model", "bundle", "--out", "all.parquet", "--json", "facts.json"]
    assert export(folder, *words) == 0
    assert "4 sequences, 240 tokens of 6" in capsys.readouterr().out
    stored = parquet.ParquetFile(folder / "all.parquet")
    assert stored.metadata.row_group(0).column(0).compression == "ZSTD"
    assert str(stored.schema_arrow.field("tokens").type) == "list<element: int32>"
    assert str(stored.schema_arrow.field("x").type) == "list<element: double>"
    said = json.loads(stored.schema_arrow.metadata[b"squint"])
    assert (said["model_sha256"], said["n_codes"], said["n_heads"]) == (bundle.sha256, 6, 2)
    assert said["order"].startswith("Morton")
    assert {"squint", "time_utc"} <= set(said)
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["n_cells"] == {"TOY-H-1": 60, "TOY-L-1": 60, "more-TOY-H-1": 60, "more-TOY-L-1": 60}
    table = stored.read().to_pandas()
    plain, kept = table.iloc[0], table.iloc[2]
    assert plain["tokens"].tolist() == kept["tokens"].tolist()
    assert plain["cells"].tolist() == kept["cells"].tolist()


def test_sections_are_exported_to_lines_of_json(folder, bundle):
    assert export(folder, "tokens.h5ad", "--out", "all.jsonl") == 0
    rows = [json.loads(line) for line in (folder / "all.jsonl").read_text().splitlines()]
    table = token_sequences(io.read(folder / "tokens.h5ad"))
    assert [row.pop("squint")["model_sha256"] for row in rows] == [bundle.sha256] * 2
    assert rows == table.to_dict("records")


def test_what_is_missing_is_null_in_both_files(tokenised, tmp_path):
    tokenised.obs[keys.PATIENT] = None
    tokenised.obs[keys.Z] = np.arange(120.0)
    table = token_sequences(tokenised)
    for name in ("odd.parquet", "odd.jsonl"):
        write_sequences(table, {}, tmp_path / name)
    rows = [json.loads(line) for line in (tmp_path / "odd.jsonl").read_text().splitlines()]
    rows = [{key: row[key] for key in row if key != "squint"} for row in rows]
    assert rows == parquet.read_table(tmp_path / "odd.parquet").to_pylist()
    assert rows[0]["patient_id"] is rows[0][keys.Z] is None


def test_tokens_are_not_made_without_a_model(folder, capsys):
    said = refused(capsys, folder, "tokens.h5ad", "plain.h5ad", "--out", "x.jsonl")
    assert "plain.h5ad holds no tokens" in said
    assert "--model" in said
    assert not (folder / "x.jsonl").exists()


def test_tokens_of_different_models_are_not_mixed(folder, tokenised, capsys):
    tokenised.obs[keys.SECTION] = "other-" + tokenised.obs[keys.SECTION].astype(str)
    tokenised.uns[keys.PROVENANCE]["model_sha256"] = "f" * 64
    io.write(tokenised, folder / "other.h5ad")
    said = refused(capsys, folder, "tokens.h5ad", "other.h5ad", "--out", "x.jsonl")
    assert "different models" in said
    assert "other.h5ad of ffffffffffff" in said
    assert "different models" in refused(
        capsys, folder, "other.h5ad", "--model", "bundle", "--out", "x.parquet"
    )


def test_tokens_of_an_unknown_model_are_refused(folder, tokenised, capsys):
    del tokenised.uns[keys.PROVENANCE]["model_sha256"]
    io.write(tokenised, folder / "unknown.h5ad")
    assert "not of which model" in refused(capsys, folder, "unknown.h5ad", "--out", "x.jsonl")


def test_a_section_is_not_exported_twice(folder, capsys):
    io.write(io.read(folder / "tokens.h5ad"), folder / "again.h5ad")
    said = refused(capsys, folder, "tokens.h5ad", "again.h5ad", "--out", "x.jsonl")
    assert "'more-TOY-H-1' is in two files" in said


def test_other_endings_and_missing_folders_are_refused(folder, capsys):
    assert ".parquet" in refused(capsys, folder, "tokens.h5ad", "--out", "x.csv")
    assert "could not be written" in refused(capsys, folder, "tokens.h5ad", "--out", "nowhere/x.parquet")
    assert [path.name for path in folder.glob(".*")] == []
