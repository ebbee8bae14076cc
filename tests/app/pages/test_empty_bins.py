"""A slide most of whose bins lie outside the tissue: pages, tables and exports are of its cells alone."""

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix
from streamlit.testing.v1 import AppTest

import squint
from app.cell_sets.store import CellSets
from app.maps import views
from app.requests import ImportSamples, Tokenise
from app.tasks.gather import gather
from squint import keys
from squint.formats import sequences
from squint.library import profiles
from squint.library.quality import without_token
from squint.library.store import Library, Section
from tests.helpers.app import PAGES, compare_by, csv_of, genes, maps, words
from tests.helpers.engine import Worker, copied
from tests.helpers.sections import model_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
N_CELLS, N_BINS = 60, 84  # of the slide
SAID = "84 cells without counts have no token"


def on_a_slide(cells: AnnData) -> AnnData:
    """Put a section in the middle of a slide whose bins hold nothing."""
    space = np.asarray(cells.obsm[keys.SPATIAL], dtype=np.float64)
    low, high = space.min(axis=0), space.max(axis=0)
    x, y = np.meshgrid(*(np.linspace(low[axis] - 40, high[axis] + 40, 12) for axis in (0, 1)))
    places = np.column_stack([x.ravel(), y.ravel()])
    places = places[((places < low) | (places > high)).any(axis=1)][:N_BINS]
    bins = AnnData(csr_matrix((N_BINS, cells.n_vars), dtype=np.float32))
    bins.var_names = list(cells.var_names)
    bins.obs_names = [f"bin {i}" for i in range(N_BINS)]
    for column in (keys.SECTION, keys.PATIENT):
        bins.obs[column] = cells.obs[column].iloc[0]
    bins.obs[keys.CELL_TYPE] = "tumour"  # a bad clustering says so
    bins.obsm[keys.SPATIAL] = places
    slide = anndata.concat([cells, bins])
    slide.uns = dict(cells.uns)
    for column in (keys.SECTION, keys.PATIENT, keys.CELL_TYPE):
        slide.obs[column] = slide.obs[column].astype(str).astype("category")
    return slide


@pytest.fixture(scope="module")
def with_slide(worker: Worker, tmp_path_factory: pytest.TempPathFactory, toy: AnnData) -> Path:
    """Import and tokenise a slide, two sections without empty bins, and one that is nothing but empty."""
    samples, home = tmp_path_factory.mktemp("slides"), tmp_path_factory.mktemp("with_slide")
    parts = {str(name): toy[toy.obs[keys.SECTION] == name].copy() for name in toy.obs[keys.SECTION].unique()}
    parts["TOY-H-1"] = on_a_slide(parts["TOY-H-1"])
    void = parts.pop("TOY-H-2")
    void.X = csr_matrix(void.X.shape, dtype=np.float32)
    parts |= {"VOID": void}
    for name, part in parts.items():
        squint.write(part, samples / f"{name}.h5ad")
    ids = worker.ask(ImportSamples(str(samples)), Library(home)).result(120)
    worker.ask(Tokenise(tuple(ids), worker.model), Library(home)).result(120)
    return home


@pytest.fixture
def slides(home: Path, with_slide: Path) -> Library:
    copied(with_slide, home)
    return Library(home)


def slide_of(library: Library) -> tuple[Section, str]:
    """Find the slide, and the model of its tokens."""
    section = next(section for section in library.sections() if section.n_cells == N_CELLS + N_BINS)
    return section, model_of(library)


@pytest.mark.usefixtures("slides")
@pytest.mark.parametrize("name", PAGES)
def test_no_page_breaks(visit: Open, name: str) -> None:
    app = visit(name)
    assert not app.exception
    assert not app.error


def test_the_library_knows_who_has_no_token(slides: Library) -> None:
    section, model = slide_of(slides)
    assert without_token(slides, [section], model) == (N_BINS, N_BINS)
    cells = views.cells_of(slides, [section], model)
    assert cells[keys.TOKEN].isna().to_numpy().tolist() == [False] * N_CELLS + [True] * N_BINS
    assert cells[keys.DISTANCE].isna().sum() == N_BINS
    assert "-1" not in cells[keys.TOKEN].cat.categories
    assert profiles.read(slides, section, model).n_cells.sum() == N_CELLS
    table = profiles.token_profiles(slides, model)
    assert table["n_cells"].sum() == 3 * N_CELLS
    assert table["share"].sum() == pytest.approx(1)


def test_a_section_without_counts_is_kept_to_look_at_and_says_why_it_has_no_token(
    visit: Open, slides: Library
) -> None:
    void = next(section for section in slides.sections() if section.section == "TOY-H-2")
    _, model = slide_of(slides)
    assert slides.tokenised([void], model) == []
    assert "Nothing to tokenise" in (slides.token_facts(void.id, model) or {})["problem"]
    app = visit("sections")
    badges = [str(one.proto) for one in app.get("markdown")]
    assert any("84 cells without a token" in badge for badge in badges)
    assert any("does not fit the model" in badge for badge in badges)


@pytest.mark.usefixtures("slides")
def test_tokens_are_drawn_counted_and_exported_without_the_bins(visit: Open) -> None:
    app = visit("tokens")
    assert SAID in words(app)
    (shown,) = maps(app).values()
    missing = shown["scale"]["missing"]
    assert (missing["name"], missing["n"]) == ("no token", N_BINS)
    named = sum(entry["n"] for entry in shown["scale"]["entries"]) + shown["scale"]["rest"]["n"]
    assert named == 3 * N_CELLS
    _, table = csv_of(app, "token_profiles")
    assert table["n_cells"].sum() == 3 * N_CELLS
    assert table["share_shown"].sum() == pytest.approx(1)
    app.segmented_control("colour").set_value("Distance").run()
    (shown,) = maps(app).values()
    assert (shown["scale"]["missing"]["name"], shown["scale"]["missing"]["n"]) == ("no token", N_BINS)


def test_shares_of_the_risk_map_are_of_cells_with_a_score(visit: Open, slides: Library) -> None:
    app = visit("risk_map")
    app.selectbox("reference").set_value("TOY-H").run()
    app.radio("mode").set_value("Most frequent in the reference").run()
    assert not app.exception
    assert SAID in words(app)
    (shown,) = maps(app).values()
    assert (shown["scale"]["missing"]["name"], shown["scale"]["missing"]["n"]) == ("no score", N_BINS)
    _, table = csv_of(app, "levels")
    of_slide = table[table["patient_id"] == "TOY-H"].iloc[0]
    levels = [of_slide[f"n_{level}"] for level in ("low", "intermediate", "high")]
    assert (of_slide["n_missing"], sum(levels)) == (N_BINS, N_CELLS)
    assert of_slide["share_high"] == pytest.approx(of_slide["n_high"] / N_CELLS)
    section, model = slide_of(slides)
    used = views.cells_of(slides, [section], model)[keys.TOKEN].value_counts(normalize=True)
    covered = next(line for line in words(app).splitlines() if "cover **" in line)
    assert f"{used.iloc[:5].sum():.1%}" in covered
    _, composition = csv_of(app, "composition")
    assert composition[["n_low", "n_high"]].to_numpy().sum() <= 3 * N_CELLS


def test_tokens_that_go_together_are_those_of_cells(visit: Open, slides: Library) -> None:
    app = visit("co_occurrence")
    assert not app.exception
    assert SAID in words(app)
    (shown,) = maps(app).values()
    assert (shown["scale"]["missing"]["name"], shown["scale"]["missing"]["n"]) == ("no token", N_BINS)
    ids = [section.id for section in slides.sections() if slides.tokenised([section], slide_of(slides)[1])]
    together = gather(slides, ids, counts=False, model=slide_of(slides)[1])
    table = sequences.token_sequences(together)
    assert sorted(zip(table["n_cells"], table["n_without_token"], strict=True)) == [
        (N_CELLS, 0),
        (N_CELLS, 0),
        (N_CELLS, N_BINS),
    ]
    assert all(min(tokens) >= 0 for tokens in table["tokens"])


@pytest.mark.usefixtures("slides")
def test_genes_are_compared_between_cells_alone(visit: Open) -> None:
    app = compare_by(visit("differential_expression"), "Cell type")
    app.multiselect(f"group-{keys.CELL_TYPE}").set_value(["tumour"]).run()
    assert not app.exception
    (tumour,) = (text for text in app.multiselect(f"group-{keys.CELL_TYPE}").options if "tumour" in text)
    n_tumour = int(tumour.split("(")[1].split()[0])
    assert n_tumour < N_BINS
    assert len(genes(app)) == 40
    _, table = csv_of(app, "genes")
    assert table["n_group"].iloc[0] + table["n_reference"].iloc[0] <= 3 * N_CELLS


def panel() -> None:
    """Show the panel of cell sets alone; runs as a page."""
    from app import session  # noqa: PLC0415
    from app.components.map.cell_sets import show_cell_sets  # noqa: PLC0415
    from app.maps import views  # noqa: PLC0415
    from tests.helpers import sections as made  # noqa: PLC0415

    library = session.library()
    sections = library.sections()
    model = made.model_of(library)
    show_cell_sets(library, sections, views.cells_of(library, sections, model), "sets")


def test_numbers_of_a_cell_set_are_shares_of_cells_with_counts(slides: Library, worker: Worker) -> None:
    worker.wait_ready()
    section, _ = slide_of(slides)
    half_outside = {section.id: list(range(N_CELLS - 10, N_CELLS + 20))}
    one = CellSets(slides).make("edge", half_outside)
    app = AppTest.from_function(panel, default_timeout=60).run()
    app.button(f"sets-choose-{one.id}").click().run()
    assert not app.exception
    for by, lacking in (("Cell type", "counts"), ("Token", "a token")):
        app.segmented_control("sets-composition-by").set_value(by).run()
        assert f"20 cells of the set without {lacking} left out" in words(app)
        _, table = csv_of(app, "sets_composition")
        assert (table["n"].sum(), table["n_all"].sum()) == (10, 3 * N_CELLS)
        assert table["share"].sum() == pytest.approx(1)
