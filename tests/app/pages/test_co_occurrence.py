"""The page of tokens that go together."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

from app.requests import CoOccurrence, Neighbours, WriteSequences
from app.tasks import co_occurrence
from app.tasks.gather import gather
from squint import keys, tl
from squint.errors import InputError
from squint.library.results import find
from squint.library.store import Library
from tests.helpers.app import csv_of, keep, maps, upload, words
from tests.helpers.sections import model_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "co_occurrence"


def silent(fraction: float, message: str) -> None:
    del fraction, message


def ids_and_model(library: Library) -> tuple[list[str], str]:
    ids = [section.id for section in library.sections()]
    return ids, model_of(library)


@pytest.mark.usefixtures("loaded")
def test_tokens_are_correlated_over_sections_with_their_n(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    said = words(app)
    assert "n = 4 sections" in said
    assert "all 24" in said  # four sections have no more orders
    assert "smallest p" in said
    assert "pairs of neighbouring cells in 4 sections" in said
    assert len(app.get("plotly_chart")) == 2  # clustermap, neighbours
    assert list(maps(app)) == ["communities"]


@pytest.mark.usefixtures("loaded")
def test_tables_of_pairs_hold_all_and_say_how_they_were_corrected(visit: Open) -> None:
    app = visit(PAGE)
    head, pairs = csv_of(app, "co_occurrence")
    assert "n = 4" in head
    assert f"correction: Benjamini-Hochberg over {len(pairs)} pairs" in head
    head, edges = csv_of(app, "neighbours")
    different = edges["token_1"] != edges["token_2"]
    assert f"pairs of neighbouring cells: {edges['observed'].sum():,.0f}" in head
    assert f"correction: Benjamini-Hochberg over {different.sum()} pairs" in head


@pytest.mark.usefixtures("loaded")
def test_a_chosen_community_is_shown_on_the_map_and_over_sections(visit: Open) -> None:
    app = visit(PAGE)
    community = app.selectbox("community").options[1]
    app.selectbox("community").select_index(1).run()
    assert not app.exception
    assert "tokens" in community
    assert len(app.get("plotly_chart")) == 3  # clustermap, usage, neighbours
    assert maps(app)["communities"]["title"].startswith("Community ")
    _, usage = csv_of(app, "usage")
    assert len(usage) == 4
    assert usage["n_cells"].tolist() == [60] * 4


def test_a_token_without_a_known_type_is_named_by_its_number_alone(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    bare = toy.copy()
    del bare.obs["cell_type"]
    app = upload(visit("sections"), bare, tmp_path / "bare.h5ad")
    keep(app)
    assert len(library.sections()) == 4
    app = app.switch_page(f"../pages/{PAGE}.py").run()
    assert not app.exception
    labels = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]
    ticks = [tick for axis in labels.values() if isinstance(axis, dict) for tick in axis.get("ticktext", [])]
    assert any(tick.isdigit() for tick in ticks)
    assert not any(tick.rstrip().endswith("·") for tick in ticks)


@pytest.mark.usefixtures("loaded")
def test_the_number_of_communities_and_log_ratios_are_followed(visit: Open) -> None:
    app = visit(PAGE)
    slider = next(s for s in app.slider if s.label == "Communities")
    slider.set_value(2).run()
    assert not app.exception
    app.toggle("log_ratios").set_value(True).run()
    assert not app.exception
    assert not app.error


def test_two_sections_are_too_few_and_told_so(visit: Open, loaded: Library) -> None:
    for section in loaded.sections()[:2]:
        loaded.delete(section.id)
    app = visit(PAGE)
    assert not app.exception
    assert "At least 3 sections" in words(app)
    assert not app.get("plotly_chart")


def test_the_page_correlates_what_the_tool_does(loaded: Library) -> None:
    ids, model = ids_and_model(loaded)
    asked = CoOccurrence(tuple(ids), model, keys.SECTION, 4, clr=False, n_permutations=100)
    co_occurrence.co_occurrence(loaded, asked, silent)
    result = find(loaded, asked)
    assert result is not None
    adata = gather(loaded, ids, counts=False, model=model)
    by_hand = pd.crosstab(adata.obs[keys.SECTION], adata.obs[keys.TOKEN], normalize="index")
    found = result.table("correlation")
    expected = np.corrcoef(by_hand[found.columns].to_numpy().T)
    np.testing.assert_allclose(found.to_numpy(), expected, atol=1e-9)
    assert len(result.facts["order"]) == len(found)
    assert result.facts["n_groups"] == 4


def test_neighbours_are_those_of_the_tool(loaded: Library) -> None:
    ids, model = ids_and_model(loaded)
    asked = Neighbours(tuple(ids), model, n_tokens=5, n_permutations=60)
    co_occurrence.neighbours(loaded, asked, silent)
    result = find(loaded, asked)
    assert result is not None
    adata = gather(loaded, ids, counts=False, model=model)
    tl.neighbor_enrichment(adata, n_tokens=5, n_permutations=60)
    expected = adata.uns[keys.NEIGHBOR_ENRICHMENT]
    pd.testing.assert_frame_equal(result.table("log2_ratio"), expected["log2_ratio"])


def test_sequences_hold_every_cell_once_in_a_row_per_section(loaded: Library) -> None:
    ids, model = ids_and_model(loaded)
    asked = WriteSequences(tuple(ids), model, "parquet")
    path = Path(co_occurrence.write_sequences(loaded, asked, silent))
    table = pq.read_table(path)
    assert json.loads(table.schema.metadata[b"squint"])["model_sha256"] == model
    frame = table.to_pandas()
    assert len(frame) == 4
    for _, row in frame.iterrows():
        section = next(s for s in loaded.sections() if s.title == row["section_id"])
        cells = loaded.cells(section.id)
        tokens = loaded.tokens(section.id, model)
        assert tokens is not None
        assert row["unit"] == section.unit
        assert sorted(row["cells"]) == sorted(cells.index)
        place = cells.index.get_indexer(row["cells"])
        np.testing.assert_array_equal(row["x"], cells["x"].to_numpy()[place])
        np.testing.assert_array_equal(row["tokens"], tokens[keys.TOKEN].to_numpy()[place])


def test_a_section_without_tokens_is_named(loaded: Library) -> None:
    ids, _ = ids_and_model(loaded)
    with pytest.raises(InputError, match="has no tokens by this model"):
        gather(loaded, ids, counts=False, model="0" * 12)


@pytest.mark.usefixtures("loaded")
def test_sequences_can_be_downloaded(visit: Open) -> None:
    app = visit(PAGE)
    app.button("sequences-parquet").click().run()
    assert not app.exception
    assert "sequences-parquet-download" in [button.key for button in app.get("download_button")]
