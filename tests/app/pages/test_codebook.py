"""The codebook: searched, named, and compared."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import squint
from app.requests import Tokenise
from squint import datasets
from squint.library import token_naming
from squint.library.store import Library
from tests.helpers.app import csv_of, links, maps, words
from tests.helpers.engine import Worker
from tests.helpers.sections import add_model, model_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "codebook"


def look_at(app: AppTest, what: str) -> AppTest:
    app.segmented_control("look_at").set_value(what).run()
    assert not app.exception
    assert not app.error
    return app


def save(app: AppTest, name: str, note: str = "") -> AppTest:
    """Fill in the form of the token shown, and save."""
    next(one for one in app.text_input if one.label == "Name").set_value(name)
    next(one for one in app.text_area if one.label == "Note").set_value(note)
    next(one for one in app.button if one.label == "Save").click().run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    return str(app.session_state["token_shown"])


def test_an_empty_library_leads_to_sections(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert "no sections yet" in words(app)
    assert "Go to Sections" in links(app)


@pytest.mark.usefixtures("loaded")
def test_a_token_is_described_with_its_n(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    table = app.dataframe[0].value
    assert len(table) == table["token"].nunique() > 1
    assert shown(app) == table["token"].iloc[0]  # most cells first
    said = words(app)
    assert f"{table['n_cells'].iloc[0]:,} cells in 4 sections" in said
    for head in ("Marker genes", "Cell types", "Sections", "Nearest codes"):
        assert head in said
    (told,) = maps(app).values()
    assert told["scale"]["entries"][0]["name"].split()[0] == shown(app)
    head, genes = csv_of(app, "codebook_genes")
    assert "0.0001 added" in head
    assert (genes["log2_ratio"].diff().dropna() <= 0).all()
    near = app.dataframe[1].value
    assert (near["cosine"].diff().dropna() <= 0).all()


def test_a_name_is_kept_shown_and_undone(visit: Open, loaded: Library) -> None:
    app = visit(PAGE)
    token, model = shown(app), model_of(loaded)
    save(app, "glomerulus", "beside *vessels*")
    assert token_naming.names(loaded, model) == {token: f"{token} · glomerulus"}
    assert f"Token {token} · glomerulus" in words(app)
    table = app.dataframe[0].value.set_index("token")
    assert (table.loc[token, "name"], table.loc[token, "note"]) == ("glomerulus", "beside *vessels*")
    assert shown(app) == token
    (told,) = maps(app).values()
    assert any(f"{token} · glomerulus" in str(entry) for entry in told["scale"]["entries"])
    _, exported = csv_of(app, "codebook")
    assert "glomerulus" in exported["name"].tolist()
    other = visit("tokens")  # another visitor
    assert "glomerulus" in str(maps(other)["tokens"])
    assert any("glomerulus" in option for option in other.multiselect("highlighted").options)
    assert "glomerulus" in other.dataframe[0].value["name"].tolist()
    _, cells = csv_of(other, "tokens")
    assert set(cells.loc[cells["squint_token"] == int(token), "squint_token_name"]) == {"glomerulus"}
    app.button("codebook_undo").click().run()
    assert token_naming.names(loaded, model) == {}
    assert "· glomerulus" not in words(app)
    assert "undone: named 'glomerulus'" in words(app)  # which is kept
    app.button("codebook_redo").click().run()
    assert token_naming.names(loaded, model) == {token: f"{token} · glomerulus"}
    assert app.button("codebook_redo").disabled
    assert "done again: named 'glomerulus'" in words(app)


def test_stamps_call_tokens_by_number_and_name(visit: Open, loaded: Library) -> None:
    app = visit("risk_map")
    head, _ = csv_of(app, "risk_map")
    found = re.search(r"codes: (\d+)", head)
    assert found is not None
    token_naming.name(loaded, model_of(loaded), found[1], "glomerulus", "")
    head, _ = csv_of(app.run(), "risk_map")
    assert f"codes: {found[1]} · glomerulus" in head


@pytest.mark.usefixtures("loaded")
def test_what_may_name_a_person_is_refused_in_words(visit: Open) -> None:
    app = save(visit(PAGE), "seen 12.03.1961")
    assert "identifies a person" in words(app)


@pytest.mark.usefixtures("loaded")
def test_a_search_finds_by_gene_name_and_number(visit: Open) -> None:
    app = visit(PAGE)
    table = app.dataframe[0].value
    gene = table["top_genes"].iloc[-1].split(", ")[0]
    app.text_input("codebook_search").set_value(gene).run()
    found = app.dataframe[0].value
    assert 0 < len(found) <= len(table)
    assert all(gene in genes for genes in found["top_genes"])
    app.text_input("codebook_search").set_value(table["token"].iloc[-1]).run()
    assert app.dataframe[0].value["token"].tolist() == [table["token"].iloc[-1]]
    app.text_input("codebook_search").set_value("nothing has this").run()
    assert "No token has that" in words(app)


@pytest.mark.usefixtures("loaded")
def test_a_link_opens_the_token_that_it_names(visit: Open) -> None:
    every = visit(PAGE).dataframe[0].value["token"].tolist()
    app = AppTest.from_file(str(Path(squint.__file__).parents[1] / "app/main.py"), default_timeout=60).run()
    app.query_params["token"] = every[-1]
    app.switch_page("../pages/codebook.py").run()
    assert shown(app) == every[-1]


@pytest.mark.usefixtures("loaded")
def test_tokens_are_ranked_by_a_gene(visit: Open) -> None:
    app = look_at(visit(PAGE), "A gene")
    gene = app.selectbox("gene").value
    assert f"Tokens high in {gene}" in words(app)
    head, table = csv_of(app, "codebook_gene_export")
    assert "counts" in head
    assert (table["mean"].diff().dropna() <= 0).all()
    assert table["share"].between(0, 1).all()
    assert table["n_cells"].sum() == 240


def test_a_gene_set_is_shown_with_its_coverage(visit: Open, loaded: Library) -> None:
    app = look_at(visit(PAGE), "A gene set")
    genes = loaded.genes(loaded.sections()[0].id)
    n_measured = sum(gene in genes for gene in ("LDHA", "MMP14", "PFKFB3"))
    assert f"{n_measured} of 3 genes of the set are measured" in words(app)
    if n_measured:
        _, dots = csv_of(app, "codebook_dots_export")
        assert dots["gene"].nunique() == n_measured


@pytest.mark.usefixtures("loaded")
def test_one_model_alone_cannot_be_compared(visit: Open) -> None:
    app = look_at(visit(PAGE), "Two models")
    assert "none has tokens by another model" in words(app)


@pytest.mark.slow
def test_two_models_are_compared_on_the_same_cells(
    visit: Open, loaded: Library, worker: Worker, tmp_path: Path
) -> None:
    worker.wait_ready()
    choices = squint.ModelConfig(n_hidden=16, n_latent=8, n_codes=4, n_mlp_layers=1)
    section = datasets.toy(n_cells=240, n_sections=2)
    *_, last = squint.train(section, model=choices, train=squint.TrainConfig(n_epochs=1), device="cpu")
    last.bundle.save(tmp_path / "second")
    add_model(loaded, tmp_path / "second", "second")
    ids = tuple(section.id for section in loaded.sections())
    worker.ask(Tokenise(ids, last.bundle.sha256), loaded).result(120)
    token_naming.name(loaded, last.bundle.sha256, "0", "other rim", "")
    app = look_at(visit(PAGE), "Two models")
    said = words(app)
    assert "Over 240 cells with tokens by both models" in said
    assert "By chance" in said
    _, pairs = csv_of(app, "codebook_pairs")
    assert pairs["n_cells"].sum() == 240
    _, matches = csv_of(app, "codebook_matches")
    assert matches["n_cells"].sum() == 240
    assert matches["share_low"].notna().any()
    assert "other rim" in str(app.dataframe[0].value) or "0" not in matches["match"].astype(str).tolist()
