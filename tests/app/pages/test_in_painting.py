"""The page that predicts a marked area from the tissue around it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
import squint.io
from app import models, settings
from app.areas import marking
from app.areas.filled import CELL, NEIGHBOURHOOD, Filled
from app.requests import InpaintArea
from app.tasks import areas
from squint import datasets, keys, pl
from squint.errors import InputError
from squint.geometry.regions import Cells, Rectangle, Shape
from squint.library import ingest
from squint.library.results import Result, find
from squint.library.store import Library, Section
from squint.model.card import TRAINED_ON
from tests.helpers.app import csv_of, keep, maps, one_section, upload, words
from tests.helpers.marking import PAGE, half, marked, section_of
from tests.helpers.paths import ROOT
from tests.helpers.sections import add_model, restate

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
SAMPLES = ROOT / "data_samples"


def in_paint(app: AppTest) -> AppTest:
    app.button("in-paint").click().run()
    assert not app.exception
    assert not app.error
    return app


def predicted(
    library: Library, section: Section, bundle: Path, regions: list[Shape], **how: object
) -> Result:
    plain = InpaintArea((section.id,), str(bundle), "", tuple(regions), fill=False, n_draws=0, seed=0)
    asked = replace(plain, **how)
    areas.inpaint(library, asked, lambda *_: None)
    result = find(library, asked)
    assert result is not None
    return result


@pytest.fixture
def without_half(loaded: Library, toy: AnnData) -> Path:
    """Train a small model here on a section without its left half."""
    section = section_of(loaded)
    adata = one_section(toy)
    adata.uns = toy.uns
    inside = marking.inside(half(loaded, section), adata.obs_names, adata.obsm[keys.SPATIAL])
    choices = {"n_hidden": 16, "n_latent": 8, "n_codes": 6, "n_mlp_layers": 1}
    *_, last = squint.train(
        [adata],
        model=squint.ModelConfig(**choices),
        train=squint.TrainConfig(n_epochs=2, context_steps=20),
        hidden=[inside],
        device="cpu",
    )
    trained = loaded.workspace() / "trained"
    last.bundle.save(trained)
    return add_model(loaded, trained, "without-half")


def test_without_an_area_the_page_says_how_to_mark_one(visit: Open, loaded: Library) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    assert list(maps(app)) == ["marking"]
    said = words(app)
    assert "No area is marked yet" in said
    assert "not a measurement" in said
    assert not loaded.results.exists() or not list(loaded.results.glob("inpaint_region*"))


def test_a_typed_rectangle_is_hidden_and_predicted_beside_what_was_measured(
    visit: Open, loaded: Library
) -> None:
    section = section_of(loaded)
    app = visit(PAGE)
    middle = float(loaded.cells(section.id)["x"].median())
    for key, value in {"x-from": middle, "x-to": -10.0, "y-from": -10.0, "y-to": 500.0}.items():
        app.number_input(f"{key}-{section.id}").set_value(value)
    next(button for button in app.button if button.label == "Mark this rectangle").click().run()
    assert "30 cells of 60 lie inside" in words(app).replace("**", "")
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    measured, imputed = maps(app)["in_painted"]["panels"]
    assert measured["predicted"] is None
    assert measured["outlines"]
    assert imputed["said"].endswith("30 in-painted")
    assert maps(app)["in_painted"]["scale"]["n_predicted"] == 30
    app.segmented_control("target-area").set_value("Cell's own counts").run()
    app.segmented_control("whole").set_value("Whole section").run()
    assert not app.exception
    gene = app.selectbox("gene").value
    head, rows = csv_of(app, "in_painted")
    assert "# Cells: n = 30 in-painted cells, 0 draws, in 1 section of 60 cells" in head
    assert "a prediction from the surroundings" in head
    assert "Simulated: " in head
    counts = loaded.gene(section.id, gene)
    assert counts is not None
    row_of = {cell: row for row, cell in enumerate(loaded.cells(section.id).index)}
    np.testing.assert_array_equal(rows[f"measured {gene}"], counts[[row_of[cell] for cell in rows["cell"]]])
    _, every = csv_of(app, "in_painted_cell")
    assert len(every) == 30
    np.testing.assert_allclose(every[gene], rows[f"in-painted {gene}"], rtol=1e-5)


def test_cells_that_the_model_was_trained_on_give_no_score(
    visit: Open, library: Library, tmp_path: Path
) -> None:
    whole = datasets.toy(n_cells=240, n_sections=2)  # what the model of these tests was trained on
    for name in ("TOY-H-1", "renamed"):
        part = one_section(whole)
        part.obs["section_id"] = name
        app = upload(visit("sections"), part, tmp_path / "new.h5ad")
        keep(app)
        section = library.sections()[0]
        app = marked(app.switch_page(f"../pages/{PAGE}.py").run(), section, half(library, section))
        app.slider("n_draws").set_value(0).run()
        in_paint(app)
        said = words(app)
        assert "Seen in training" in said
        assert "No score is shown" in said
        assert not app.dataframe
        library.delete(section.id)


def test_a_section_that_training_never_saw_is_scored_and_said_to_be_one(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    app = marked(visit(PAGE), section, half(loaded, section))
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    said = words(app)
    assert "Section not in training" in said
    assert "Seen in training" not in said
    table = app.dataframe[0].value
    assert table["method"].iloc[0] == "Model"
    assert table["method"].iloc[1].startswith("Mean of the")
    assert np.isfinite(table[["pc", "pg"]].to_numpy()).all()
    head, rows = csv_of(app, "in_painting_scores")
    assert "training: section not in training" in head
    assert set(rows["target"]) == {CELL, NEIGHBOURHOOD}


def test_a_model_trained_without_the_area_is_offered_and_scored(
    visit: Open, loaded: Library, without_half: Path
) -> None:
    section = section_of(loaded)
    app = visit(PAGE)
    app.selectbox("marked_model").set_value(str(without_half)).run()
    app.button(f"held-out-{section.id}").click().run()
    assert "30 named cells" in words(app)
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    said = words(app)
    assert "Training did not see these cells" in said
    assert app.dataframe
    # one cell more, and not every scored cell was hidden
    cells = loaded.cells(section.id).index.tolist()
    app = marked(app, section, [Cells(section.section, tuple(cells[:59]))])
    in_paint(app)
    assert "Seen in training" in words(app)


def test_scores_are_those_of_the_strict_protocol(loaded: Library, without_half: Path) -> None:
    section = section_of(loaded)
    result = predicted(loaded, section, without_half, half(loaded, section))
    scores = result.table("scores")
    hidden = result.table("hidden")["row"].to_numpy()
    counts = np.stack([loaded.gene(section.id, gene) for gene in result.facts["genes"]], axis=1)
    edges = result.table("edges")
    graph = np.eye(len(counts))
    graph[edges["from"], edges["to"]] = 1
    truth = ((graph @ counts) / graph.sum(axis=1, keepdims=True))[hidden]
    imputed = result.table(NEIGHBOURHOOD)[result.facts["genes"]].to_numpy()
    pc = np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(truth, imputed, strict=True)])
    model = scores[(scores["method"] == "model") & (scores["target"] == NEIGHBOURHOOD)].iloc[0]
    assert model["pc"] == pytest.approx(pc, abs=1e-4)
    assert {"knn8_nbr", "knn8_cell_then_graph", "knn8_cell"} <= set(scores["method"])
    values = Filled(result, section, fill=False).values(loaded, result.facts["genes"][0], NEIGHBOURHOOD)
    np.testing.assert_allclose(values.measured[hidden], truth[:, 0], rtol=1e-5)
    np.testing.assert_allclose(values.imputed[hidden], imputed[:, 0], rtol=1e-5)


def test_a_gap_is_filled_at_simulated_positions_and_never_scored(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    cells = loaded.cells(section.id)
    right = float(cells["x"].max())
    gap = marking.rectangle(section.section, [right + 5, right + 60], [0.0, 100.0])
    app = marked(visit(PAGE), section, [gap])
    assert "No cell lies in the marked area" in words(app)
    app.segmented_control("fill").set_value("Fill a gap without cells").run()
    app.segmented_control("fill_how").set_value("Even, simulated").run()
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    said = words(app)
    assert "no truth to compare with" in said
    assert not app.dataframe
    assert any("simulated positions" in str(badge.value) for badge in app.markdown)
    _, rows = csv_of(app, "in_painted")
    assert rows["simulated_position"].all()
    assert ((rows["x"] >= right + 5) & (rows["x"] <= right + 60)).all()
    assert not [name for name in rows if str(name).startswith("measured ")]


def test_a_gap_is_filled_at_predicted_positions_that_are_said_to_be_so(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    cells = loaded.cells(section.id)
    right = float(cells["x"].max())
    gap = marking.rectangle(section.section, [right + 5, right + 60], [0.0, 100.0])
    app = marked(visit(PAGE), section, [gap])
    app.segmented_control("fill").set_value("Fill a gap without cells").run()
    assert app.segmented_control("fill_how").value == "Predicted positions"
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    assert "The tissue around leads to expect" in words(app)
    assert any("predicted positions" in str(badge.value) for badge in app.markdown)
    (_, shown) = maps(app)["in_painted"]["panels"]
    assert shown["title"] == "In-painted at predicted positions"
    _, rows = csv_of(app, "in_painted")
    assert set(rows["positions"]) == {"predicted"}
    assert ((rows["x"] >= right + 5) & (rows["x"] <= right + 60)).all()


def test_the_spread_over_draws_is_shown_in_counts_and_relative(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    app = marked(visit(PAGE), section, half(loaded, section))
    assert app.slider("n_draws").value == 20
    app.slider("n_draws").set_value(5).run()
    in_paint(app)
    assert list(maps(app)) == ["marking", "in_painted", "in_painted_spread"]
    assert "n = 5 draws" in words(app)
    gene = app.selectbox("gene").value
    _, rows = csv_of(app, "in_painted_spread")
    assert (rows[f"sd {gene}"] > 0).any()
    assert list(rows[f"sd {gene}"]) == pytest.approx(
        list(csv_of(app, "in_painted_neighbourhood")[1][f"sd {gene}"])
    )
    app.segmented_control("relative").set_value("s.d. / prediction").run()
    assert not app.exception
    assert "s.d. / prediction" in maps(app)["in_painted_spread"]["scale"]["title"]
    app.segmented_control("target-area").set_value("Cell's own counts").run()
    assert not app.exception
    assert "Shown is the spread of the neighbourhood mean" in words(app)


def test_a_full_area_has_no_room_to_fill(loaded: Library, model_folder: Path) -> None:
    section = section_of(loaded)
    x, y = loaded.cells(section.id)[["x", "y"]].iloc[0]
    dot = [marking.rectangle(section.section, [x - 0.1, x + 0.1], [y - 0.1, y + 0.1])]
    with pytest.raises(InputError, match="no room for a cell"):
        predicted(loaded, section, model_folder, dot, fill=True)


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        ([Rectangle("", 1e6, 2e6, 0, 1)], "No cell lies in the marked area"),
        ([Rectangle("", -1e6, 1e6, -1e6, 1e6)], "All cells of the section are marked"),
        ([Cells("", ("nobody",))], "has no cell 'nobody'"),
    ],
)
def test_an_area_that_cannot_be_predicted_is_refused_with_the_reason(
    visit: Open, loaded: Library, regions: list[Shape], said: str
) -> None:
    section = section_of(loaded)
    app = marked(visit(PAGE), section, [replace(region, section=section.section) for region in regions])
    assert not app.exception
    assert said in words(app)
    assert not [button for button in app.button if button.key == "in-paint"]


def test_intensities_are_not_in_painted(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    restate(loaded, section.id, values="intensities")
    app = visit(PAGE)
    app.selectbox("marked_section").set_value(section.id).run()
    assert not app.exception
    assert "holds intensities, not counts" in words(app)
    assert "Add the raw counts" in words(app)


def test_a_section_of_another_panel_is_refused_with_what_to_do(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    other = one_section(toy)
    other.var_names = [f"OTHER{i}" for i in range(other.n_vars)]
    app = upload(visit("sections"), other, tmp_path / "other.h5ad")
    keep(app)
    assert library.sections()
    app = app.switch_page(f"../pages/{PAGE}.py").run()
    assert not app.exception
    assert "it measures 0 of the 40 genes" in words(app)
    assert "on the page Models" in words(app)


def test_the_shipped_model_fills_a_gap_of_the_sample_cohort(home: Path) -> None:
    del home
    library = Library(settings.settings().home)
    adata = squint.io.read(SAMPLES / "SIM-L-1.h5ad")
    labels = ingest.Labels({"SIM-L": "SIM-L"}, {})
    (part,) = ingest.clean(adata, labels)
    section, _ = ingest.add(library, part, labels)
    middle = library.cells(section.id)[["x", "y"]].mean()
    area = marking.rectangle(
        section.section, [middle["x"] - 60, middle["x"] + 60], [middle["y"] - 60, middle["y"] + 60]
    )
    hidden = predicted(library, section, SAMPLES / "pretrained", [area])
    assert hidden.facts["protocol"] == TRAINED_ON
    assert not (hidden.folder / "scores.parquet").exists()
    beside = marking.rectangle(section.section, [-120, -20], [0, 100])
    filled = predicted(library, section, SAMPLES / "pretrained", [beside], fill=True)
    cells = library.cells(section.id)
    own = pl.spacing(cells[["x", "y"]].to_numpy())
    at = filled.table("hidden")
    assert 0.6 * own < pl.spacing(at[["x", "y"]].to_numpy()) < 2 * own
    assert (at["row"] == -1).all()
    assert np.isfinite(filled.table(CELL).to_numpy()).all()
    assert not (filled.folder / "scores.parquet").exists()


def test_a_model_that_was_not_trained_to_in_paint_is_not_offered(loaded: Library, model_folder: Path) -> None:
    section = section_of(loaded)
    copy = loaded.workspace() / "cannot"
    shutil.copytree(model_folder, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "context_components": 0}))
    add_model(loaded, copy, "cannot")
    found = models.candidates(loaded, section, models.known_models(loaded))
    known = {candidate.folder.name: candidate for candidate in found}
    assert known["cannot"].fits
    assert not known["cannot"].in_paints
    assert known[model_folder.name].in_paints


def test_a_model_is_trained_without_the_area_and_then_chosen(
    visit: Open, library: Library, tmp_path: Path
) -> None:
    seen = one_section(
        datasets.toy(n_cells=240, n_sections=2)
    )  # what the model of these tests was trained on
    app = upload(visit("sections"), seen, tmp_path / "seen.h5ad")
    keep(app)
    (section,) = library.sections()
    app = marked(app.switch_page(f"../pages/{PAGE}.py").run(), section, half(library, section))
    app.slider("n_draws").set_value(0).run()
    in_paint(app)
    assert "Seen in training" in words(app)
    app.button("train-without").click().run(timeout=300)
    assert not app.exception
    assert not app.error
    (folder,) = library.models.iterdir()
    assert app.selectbox("marked_model").value == str(folder)
    assert f"Mark the {section.n_cells // 2} held-out cells" in {button.label for button in app.button}
    in_paint(app)
    assert "Training did not see these cells" in words(app)
    assert app.dataframe
