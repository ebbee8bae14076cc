"""Every page, empty and loaded, and what holds for several of them."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from anndata import AnnData
from streamlit.testing.v1 import AppTest

import squint
from app.components import tokens
from app.settings import NOTICE
from squint.library.store import Library
from tests.helpers.app import MAIN, MAPS, PAGES, keep, maps, one_section, settled, upload, words
from tests.helpers.sections import note_tokens, restate

Open = Callable[..., AppTest]


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_page_says_what_to_do(visit: Open, name: str) -> None:
    app = visit(name)
    assert not app.exception
    assert not app.error
    assert "Add" in app.info[0].value
    assert NOTICE in words(app)
    assert "on CPU" in words(app) or "on GPU" in words(app)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", MAPS)
def test_a_loaded_page_shows_a_map_its_n_and_its_exports(visit: Open, name: str) -> None:
    app = visit(name)
    assert not app.exception
    assert not app.error
    assert "n = 240 cells, 4 sections, 2 patients" in words(app)
    (shown,) = maps(app).values()
    assert [panel["n"] for panel in shown["panels"]] == [60] * 4
    assert len(app.get("plotly_chart")) == (2 if name == "risk_map" else 0)
    labels = [button.label for button in app.button]
    for kind in ("PNG 300 dpi", "PNG 600 dpi", "SVG", "PDF"):
        assert labels.count(kind) == (3 if name == "risk_map" else 1)
    assert NOTICE in words(app)


def test_a_section_without_cell_types_is_told_so(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    bare = one_section(toy)
    del bare.obs["cell_type"]
    app = upload(visit("sections"), bare, tmp_path / "bare.h5ad")
    keep(app)
    (section,) = library.sections()
    assert "Next: name the cells" in words(app)
    links = [one.proto for one in app.get("page_link")]
    assert {f"section={section.id}"} == {one.query_string for one in links if one.label == "Name the cells"}
    risk = app.switch_page("../pages/risk_map.py").run()
    assert not risk.exception
    assert any("no cell types" in info.value for info in risk.info)
    tokens = risk.switch_page("../pages/tokens.py").run()
    assert not tokens.exception
    tokens.segmented_control("colour").set_value("Cell type").run()
    assert not tokens.exception
    assert any("no cell types" in info.value for info in tokens.info)


def test_deleting_asks_first_and_then_deletes(visit: Open, loaded: Library) -> None:
    app = visit("sections")
    first = loaded.sections()[0]
    app.button(f"delete-{first.id}").click().run()
    assert len(loaded.sections()) == 4
    app.button("delete-for-good").click().run()
    assert not app.exception
    assert len(loaded.sections()) == 3
    assert not loaded.folder(first.id).exists()


def test_sections_that_the_model_hardly_knows_are_set_aside_until_wanted(
    visit: Open, loaded: Library
) -> None:
    first = min(loaded.sections(), key=lambda section: section.patient)
    before = visit("risk_map")
    assert not before.warning
    assert before.selectbox("reference").value == first.patient
    for section in loaded.sections():
        if section.patient == first.patient:
            note_tokens(loaded, section.id, gene_overlap=0.29)
    for page in ("tokens", "risk_map", "co_occurrence"):
        app = visit(page)
        assert not app.exception
        assert not app.warning
        assert "2 sections are set aside" in words(app)
        assert "29% of the model's genes" in words(app)
    app = visit("risk_map")
    assert app.selectbox("reference").value != first.patient
    assert first.patient not in app.selectbox("reference").options
    app.toggle("doubtful").set_value(True).run()
    assert "29% of the model's genes" in app.warning[0].value.replace("\\", "")
    assert f"{first.patient} (tokens uncertain)" in app.selectbox("reference").options
    assert app.switch_page("../pages/tokens.py").run().warning  # as long as the session lasts


def test_a_code_that_only_doubted_sections_have_is_said_to_be_so(
    visit: Open, loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tokens are is told of other sections alone: of the one that is left out here there are none."""
    assert loaded.sections()
    monkeypatch.setattr("app.components.risk.profiles", lambda *of: tokens.profiles(*of).iloc[1:])
    app = visit("risk_map")
    app.slider("n_codes").set_value(10).run()
    assert not app.exception
    assert words(app).count("only in sections that the model knows too little of") == 1


def test_real_tissue_that_the_model_hardly_knows_is_shown_where_there_is_no_other(
    visit: Open, loaded: Library
) -> None:
    first = min(loaded.sections(), key=lambda section: section.patient)
    for section in loaded.sections():
        is_own = section.patient == first.patient
        restate(loaded, section.id, simulated=not is_own)
        if is_own:
            note_tokens(loaded, section.id, gene_overlap=0.29)
    app = visit("risk_map")
    assert "29% of the model's genes" in app.warning[0].value.replace("\\", "")
    assert f"{first.patient} (tokens uncertain)" in app.selectbox("reference").options


def test_with_one_patient_the_risk_map_takes_frequent_codes_and_says_why(
    loaded: Library, visit: Open
) -> None:
    for section in loaded.sections():
        if section.patient == "TOY-L":
            loaded.delete(section.id)
    app = visit("risk_map")
    assert not app.exception
    assert "5 codes most frequent** in patient **TOY-H** cover" in words(app)
    assert "TOY-H is the only patient here with tokens" in words(app)
    assert [radio.key for radio in app.radio] == []
    assert "against" not in [box.key for box in app.selectbox]


@pytest.mark.usefixtures("loaded")
def test_the_risk_map_follows_its_controls(visit: Open) -> None:
    app = visit("risk_map")
    reference, against = app.selectbox("reference").value, app.selectbox("against").value
    assert {reference, against} == {"TOY-H", "TOY-L"}
    assert f"codes most enriched** in patient **{reference}** against {against} cover" in words(app)
    app.radio("mode").set_value("Most frequent in the reference").run()
    assert f"5 codes most frequent** in patient **{reference}** cover" in words(app)
    app.slider("n_codes").set_value(2).run()
    assert "2 codes most frequent" in words(app)
    app.radio("mode").set_value("Most enriched against another patient").run()
    assert not app.exception
    assert "codes most enriched" in words(app)
    assert app.selectbox("against").value == against
    table = app.dataframe[0].value
    assert set(table["Patient"]) == {"TOY-H", "TOY-L"}
    before = table["High"].tolist()
    app.slider("thresholds").set_value((0.1, 0.2)).run()
    assert app.dataframe[0].value["High"].tolist() != before
    for word in ("diagnosis", "high-risk"):
        assert word not in words(app).lower().replace(NOTICE.lower(), "")


@pytest.mark.usefixtures("loaded")
def test_tokens_are_highlighted_genes_and_types_shown(visit: Open) -> None:
    app = visit("tokens")
    assert "A token is the number of a tissue pattern" in words(app)
    assert 1 <= len(app.multiselect("highlighted").value) <= 8
    app.segmented_control("colour").set_value("Gene").run()
    assert not app.exception
    app.selectbox("gene").set_value(app.selectbox("gene").options[3]).run()
    assert not app.exception
    app.segmented_control("colour").set_value("Cell type").run()
    assert not app.exception


@pytest.mark.usefixtures("loaded")
def test_a_choice_survives_a_change_of_visit(visit: Open) -> None:
    app = visit("tokens")
    two = app.multiselect("shown").value[:2]
    app.multiselect("shown").set_value(two).run()
    app.switch_page("../pages/risk_map.py").run()
    assert app.multiselect("shown").value == two
    assert "n = 120 cells, 2 sections, 2 patients" in words(app) or "2 sections" in words(app)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", [*PAGES, "models", "jobs"])
def test_bad_query_parameters_give_the_default_view(visit: Open, name: str) -> None:
    odd = {"thresholds": "'; drop", "n_codes": "1e9", "colour": "<script>", "page": "xyz", "shown": "../.."}
    long = {"section": "../../\0", "token": "9" * 400, "stack_name": "x" * 10_000, "": ""}
    app = visit(name, **odd, **long)
    assert not app.exception
    assert not app.error


@pytest.mark.usefixtures("loaded")
def test_thresholds_the_wrong_way_round_are_turned(visit: Open) -> None:
    app = visit("sections")
    app.query_params["thresholds"] = ["0.9", "0.1"]
    wrong = app.switch_page("../pages/risk_map.py").run()
    assert not wrong.exception
    assert wrong.slider("thresholds").value == (0.9, 0.1)
    right = visit("risk_map").slider("thresholds").set_value((0.1, 0.9)).run()
    assert wrong.dataframe[0].value.equals(right.dataframe[0].value)


def test_pages_say_where_it_is_not_known_how_new_cells_are(visit: Open, loaded: Library) -> None:
    for section in loaded.sections():
        note_tokens(loaded, section.id, share_beyond_p99={section.section: float("nan")})
    app = visit("tokens")
    assert not app.exception
    assert "How many cells are new to the model is not known" in words(app)
    assert not app.warning
    sections = app.switch_page("../pages/sections.py").run()
    assert not sections.exception
    assert words(sections).count("new to the model: not known") == 4


def test_the_first_start_imports_the_samples_once(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    (tmp_path / "data_samples").mkdir()
    squint.write(one_section(toy), tmp_path / "data_samples" / "TOY-H-1.h5ad")
    app = settled(visit("sections"))
    assert not app.exception
    (section,) = library.sections()
    assert section.section == "TOY-H-1"
    assert len(list(library.folder(section.id).glob("tokens/*.parquet"))) == 1
    library.delete(library.sections()[0].id)
    app.run()
    assert library.sections() == []


def test_without_a_model_sections_can_still_be_seen(
    loaded: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visit: Open
) -> None:
    monkeypatch.setenv("SQUINT_MODEL", str(tmp_path / "nothing"))
    app = visit("sections")
    assert not app.exception
    assert len(loaded.sections()) == 4
    tokens = app.switch_page("../pages/tokens.py").run()
    assert not tokens.exception
    assert tokens.error
    assert "not a model bundle" in words(tokens)


def test_hostile_labels_are_text_on_every_page(
    visit: Open, library: Library, toy: AnnData, tmp_path: Path
) -> None:
    hostile = "<script>alert(1)</script> ![x](http://x.example/y.png) \U0001f600\u202e" + "long" * 2_000
    section = one_section(toy)
    section.obs["section_id"] = hostile
    section.obs["patient_id"] = "=HYPERLINK(1)"
    section.obs["cell_type"] = hostile
    app = upload(visit("sections"), section, tmp_path / "hostile.h5ad")
    assert not app.exception
    keep(app)
    assert len(library.sections()) == 1
    for name in (*PAGES, "models", "jobs"):
        shown = app.switch_page(f"../pages/{name}.py").run()
        assert not shown.exception
        raw = "".join(element.value for kind in (shown.markdown, shown.caption) for element in kind)
        assert not re.search(r"(?<!\\)<script", raw)
        assert "![x](" not in raw


def test_the_web_process_imports_nothing_that_learns_reads_files_of_strangers_or_draws() -> None:
    code = (
        "import importlib, pkgutil, sys, app.components, app.routes.maps, app.routes.uploads\n"
        "for module in pkgutil.walk_packages(app.components.__path__, 'app.components.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(MAIN).parents[1], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"app.components.frame", "app.components.z_stack.stack", "app.components.risk"} <= loaded
    assert not {"torch", "torch_geometric", "scanpy", "anndata", "pydantic"} & loaded
    reading = ("app.tasks", "squint.formats", "squint.io.registry", "squint.io.hdf5", "squint.io.delimited")
    drawing = ("squint.pl._raster", "squint.pl._scene", "squint.pl._print", "matplotlib", "kaleido", "pypdf")
    formats = ("h5py", "zarr", "tifffile", "shapely")
    assert not [name for name in loaded if name.startswith((*reading, *drawing, *formats))]
