"""The page of a stack: in three dimensions, level by level, in-painted and aligned."""

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
import squint.io
from app.models import find_models, known_models
from app.requests import InpaintStack, Tokenise, TrainOnStack, VirtualSection, WriteVirtualSection
from app.tasks import stacks, virtual_section
from squint import keys
from squint.library import ingest
from squint.library.results import find
from squint.library.stacks import ROW, Stack, find_stacks
from squint.library.store import Library
from tests.helpers.app import links, maps, words
from tests.helpers.engine import Worker
from tests.helpers.sections import forget_tokens

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
PAGE = "z_stack"
HEIGHTS = {"TOY-H-1": 0.0, "TOY-H-2": 60.0, "TOY-L-1": 120.0, "TOY-L-2": 200.0}


@pytest.fixture
def stack(library: Library, worker: Worker, toy: AnnData, tmp_path: Path) -> Stack:
    """Put the toy sections into the library as levels of one patient, with tokens."""
    levels = toy.copy()
    levels.obs[keys.Z] = levels.obs[keys.SECTION].astype(str).map(HEIGHTS).astype(float)
    levels.obs[keys.PATIENT] = "P-1"
    levels.write_h5ad(tmp_path / "stack.h5ad")
    labels = ingest.Labels({"P-1": "P-1"}, {})
    parts = ingest.clean(squint.io.read(tmp_path / "stack.h5ad"), labels)
    ids = [ingest.add(library, part, labels)[0].id for part in parts]
    worker.ask(Tokenise(tuple(ids), worker.model), library).result(120)
    (found,) = find_stacks(library.sections())
    return found


@pytest.fixture
def trained(library: Library, stack: Stack, worker: Worker) -> Path:
    """Train a small model on the stack, cells held out."""
    ids = tuple(level.id for level in stack.levels)
    return Path(worker.ask(TrainOnStack(ids, 0.2, 2, "stack"), library).result(120))


@pytest.mark.usefixtures("loaded")
def test_sections_without_heights_are_no_stack_and_the_page_says_how_to_get_one(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    assert "There is no stack yet" in words(app)
    assert "z_um" in words(app)
    assert not maps(app)


@pytest.mark.usefixtures("stack")
def test_a_stack_is_shown_by_height_and_coloured_by_anything(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    assert "z from 0 to 200 µm, levels 60 to 80 µm apart · simulated" in words(app)
    assert "n = 240 cells, 4 sections, 1 patient" in words(app)
    for colour in ("Gene", "Cell type", "Activation score"):
        app.segmented_control("stack_colour").set_value(colour).run()
        assert not app.exception
        assert not app.error
        shown = maps(app)["stack"]
        assert shown["stack"]["levels"] == [0, 60, 120, 200]
        assert [panel["n"] for panel in shown["panels"]] == [60] * 4


def test_a_stack_without_tokens_is_shown_by_gene_and_type(
    library: Library, stack: Stack, visit: Open
) -> None:
    for level in stack.levels:
        forget_tokens(library, level.id)
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    assert app.segmented_control("stack_colour").options == [
        "Gene",
        "Cell type",
        "Counts per cell",
        "Cell set",
    ]
    assert "Not all levels have tokens" in words(app)
    assert "Tokenise P-1 · TOY-H-1" in words(app)
    assert "on the page Sections" in words(app)
    assert links(app) == ["Go to Sections", "Go to Models"]  # the second, to in-paint


@pytest.mark.usefixtures("stack")
def test_without_a_model_that_held_cells_out_nothing_is_claimed_but_training_offered(visit: Open) -> None:
    app = visit(PAGE)
    assert "No model here was trained on this stack" in words(app)
    assert "--hold-out" in words(app)
    assert links(app) == ["Go to Models"]
    assert any(button.label == "Train a model on this stack" for button in app.button)


@pytest.mark.usefixtures("trained")
def test_in_painting_is_judged_beside_the_nearest_cells_and_seen_level_by_level(visit: Open) -> None:
    app = visit(PAGE)
    assert not app.exception
    assert not app.error
    said = words(app)
    assert "48 cells held out of training" in said.replace("**", "")
    assert "nearest observed cells" in said
    assert len(app.get("plotly_chart")) == 1  # the heatmaps
    assert list(maps(app)) == ["stack", "level"]
    level = next(slider for slider in app.select_slider if slider.label == "Level")
    level.set_value("z = 200 µm").run()
    assert not app.exception
    assert [panel["title"] for panel in maps(app)["level"]["panels"]] == [
        "Measured, z = 200 µm (simulated)",
        "In-painted, z = 200 µm (simulated)",
    ]
    app.segmented_control("target-quality").set_value("Single cell").run()
    assert not app.exception


def test_of_two_models_that_held_cells_out_the_one_in_use_is_taken(
    visit: Open, library: Library, stack: Stack, trained: Path, worker: Worker
) -> None:
    ids = tuple(level.id for level in stack.levels)
    newer = Path(worker.ask(TrainOnStack(ids, 0.3, 2, "newer"), library).result(120))
    app = visit(PAGE)
    assert f"Model **{newer.name}**" in words(app)
    app.selectbox("model").select(str(trained)).run()
    assert not app.exception
    assert f"Model **{trained.name}**" in words(app)


def test_held_out_cells_are_stored_with_what_was_measured_there(
    library: Library, stack: Stack, trained: Path
) -> None:
    assert find_models(library, stack, known_models(library)) == [trained]
    asked = InpaintStack(tuple(level.id for level in stack.levels), str(trained), "")
    stacks.inpaint(library, asked, lambda *_: None)
    result = find(library, asked)
    assert result is not None
    hidden = result.table("hidden")
    held_out = {record.name: set(record.hidden) for record in squint.Bundle.load(trained, "cpu").sections}
    for level in stack.levels:
        rows = hidden.loc[hidden["id"] == level.id, ROW].to_numpy()
        assert set(library.cells(level.id).index[rows]) == held_out[level.section]
        measured = library.gene(level.id, "CA9")
        assert measured is not None
        here = (hidden["id"] == level.id).to_numpy()
        np.testing.assert_array_equal(result.table("observed_cell", ["CA9"])["CA9"][here], measured[rows])
    assert np.isfinite(result.table("imputed_neighbourhood").to_numpy()).all()


def test_a_model_trained_on_a_level_goes_when_the_level_is_deleted(
    library: Library, stack: Stack, trained: Path
) -> None:
    library.delete(stack.levels[0].id)
    assert not trained.exists()


@pytest.mark.usefixtures("trained")
def test_the_alignment_is_told_pair_by_pair(visit: Open) -> None:
    app = visit(PAGE)
    pairs = app.dataframe[-1].value
    assert list(pairs["lower"]) == ["TOY-H-1", "TOY-H-2", "TOY-L-1"]
    assert list(pairs["upper"]) == ["TOY-H-2", "TOY-L-1", "TOY-L-2"]
    assert "never by stretching" in words(app)


def between(stack: Stack, z: float = 90.0, **more: object) -> VirtualSection:
    chosen = {"model": "", "aligned": False, "like": stack.levels[1].id, "step": 0.0, **more}
    return VirtualSection(tuple(level.id for level in stack.levels), z=z, **chosen)


@pytest.mark.usefixtures("stack")
def test_a_section_between_levels_is_predicted_only_when_asked_and_said_to_be_so(visit: Open) -> None:
    app = visit(PAGE)
    assert "Predicted, not measured" in words(app)
    assert "virtual_section" not in maps(app)
    (depth,) = (slider for slider in app.slider if slider.label == "Depth, µm")
    depth.set_value(90.0).run()
    assert "Between the levels at 60 µm (weight 50%) and 120 µm (50%)" in words(app)
    app.button("between-predict").click().run()
    assert not app.exception
    assert not app.error
    shown = maps(app)["virtual_section"]
    assert [panel["title"] for panel in shown["panels"]] == [
        "Measured, z = 60 µm (simulated)",
        "Predicted, z = 90 µm (simulated)",
        "Measured, z = 120 µm (simulated)",
    ]
    assert "n = 60 predicted positions, no cell measured" in words(app)
    assert "2 levels left out, one at a time" in words(app)
    assert any("predicted, not measured" in str(badge.value) for badge in app.markdown)
    app.segmented_control("between_colour").set_value("Token").run()
    assert not app.exception
    assert maps(app)["virtual_section"]["scale"]["title"].startswith("token")
    app.segmented_control("between_positions").set_value("On a grid").run()
    assert "virtual_section" not in maps(app)  # another section, not asked for yet
    app.button("between-predict").click().run()
    assert not app.exception
    assert not app.error
    assert "virtual_section" in maps(app)


@pytest.mark.usefixtures("stack")
def test_a_predicted_section_leaves_as_a_file_of_all_genes(visit: Open) -> None:
    app = visit(PAGE)
    app.button("between-predict").click().run()
    app.button("between-h5ad").click().run()
    assert not app.exception
    assert not app.error
    assert any("virtual_section.h5ad" in str(one.label) for one in app.get("download_button"))


def test_what_is_written_holds_the_prediction_and_says_how_it_was_made(
    library: Library, stack: Stack
) -> None:
    asked = between(stack)
    with pytest.raises(squint.InputError, match="Predict it again"):
        virtual_section.write(library, WriteVirtualSection(asked, {}), lambda *_: None)
    virtual_section.predict(library, asked, lambda *_: None)
    path = Path(virtual_section.write(library, WriteVirtualSection(asked, {"Title": "T"}), lambda *_: None))
    out = anndata.read_h5ad(path)
    assert out.n_obs == 60
    assert out.obs[keys.SIMULATED_POSITION].all()
    said = out.uns[keys.PROVENANCE]
    assert said["virtual_section"]["predicted"]
    assert said["stamp"]["Title"] == "T"
    result = find(library, asked)
    assert result is not None
    np.testing.assert_array_equal(out.obsm[keys.IMPUTED], result.table("neighbourhood").to_numpy())
    np.testing.assert_array_equal(
        out.obsm[keys.SPATIAL], library.cells(stack.levels[1].id)[["x", "y"]].to_numpy()
    )


def test_a_virtual_section_goes_when_a_level_is_deleted(library: Library, stack: Stack) -> None:
    asked = between(stack)
    virtual_section.predict(library, asked, lambda *_: None)
    assert find(library, asked) is not None
    assert find(library, asked.judged) is not None
    library.delete(stack.levels[3].id)
    assert find(library, asked) is None
    assert find(library, asked.judged) is None
