"""Reports replayed from their recipes: the same numbers, or a plain refusal."""

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

import squint.io
from app.requests import MakeReport
from squint.cli.main import main
from squint.errors import InputError
from squint.library.store import DATA
from squint.report.packed import RECIPE, read_given
from squint.report.pieces import read_outline
from squint.report.recipe import Activation, Comparison
from tests.helpers.reports import Cohort, requests, zip_of

KINDS = (
    "scores",
    "most frequent",
    "one section",
    "reference elsewhere",
    "types",
    "tokens against all",
    "patients",
    "regions",
    "cell set",
    "no model",
    "no comparison",
)


@pytest.fixture(autouse=True)
def _without_chrome(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make no PDF, which takes a browser seconds."""
    monkeypatch.setattr("squint.report.pdf.find_chrome", lambda: None)


@pytest.fixture(scope="session")
def asked(cohort: Cohort, names: tuple[str, str], set_id: str) -> Mapping[str, MakeReport]:
    return requests(cohort, *names, set_id)


@pytest.fixture(scope="session")
def made(cohort: Cohort, asked: Mapping[str, MakeReport]) -> Path:
    """Make a report as the page does."""
    patch = pytest.MonkeyPatch()
    patch.setattr("squint.report.pdf.find_chrome", lambda: None)
    folder = cohort.make(asked["cell set"])
    patch.undo()
    return folder


def replayed(cohort: Cohort, packed: Path, out: Path, *more: str) -> int:
    """Replay a report with an empty library; return the status of the command."""
    words = ["report", str(packed), "--out", str(out), "--originals", str(cohort.originals)]
    words += ["--model", str(cohort.model), "--library", str(out.parent / "empty"), "--check", str(packed)]
    return main([*words, *more])


def changed(packed: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy the ZIP of a report with another recipe in it."""
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == RECIPE:
                facts = json.loads(content)
                change(facts)
                content = json.dumps(facts).encode()
            new.writestr(name, content)
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_gives_equal_tables_in_an_empty_library(
    cohort: Cohort,
    asked: Mapping[str, MakeReport],
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    packed = zip_of(cohort.make(asked[kind]))
    assert replayed(cohort, packed, tmp_path / "out") == 0
    assert "tables agree" in capsys.readouterr().out
    assert (tmp_path / "out" / "report.html").is_file()
    assert zip_of(tmp_path / "out").read_bytes() == packed.read_bytes()


def test_a_report_is_made_from_the_library_too(cohort: Cohort, made: Path, tmp_path: Path) -> None:
    words = ["report", str(zip_of(made)), "--out", str(tmp_path), "--library", str(cohort.library.home)]
    assert main([*words, "--model", str(cohort.model), "--check", str(zip_of(made))]) == 0


def test_an_unpacked_recipe_finds_its_tables_beside_it(cohort: Cohort, made: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(zip_of(made), tmp_path / "unpacked")
    assert replayed(cohort, zip_of(made), tmp_path / "out") == 0
    words = ["report", str(tmp_path / "unpacked" / RECIPE), "--out", str(tmp_path / "again")]
    words += ["--originals", str(cohort.originals), "--model", str(cohort.model)]
    assert main([*words, "--library", str(tmp_path / "empty"), "--check", str(zip_of(made))]) == 0
    shutil.rmtree(tmp_path / "unpacked" / "inputs")
    assert main([*words, "--library", str(tmp_path / "empty")]) == 2


def test_a_changed_original_is_refused_by_name(
    cohort: Cohort, made: Path, names: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(cohort.originals, tmp_path / "originals")
    path = tmp_path / "originals" / f"{names[0]}.h5ad"
    adata = ad.read_h5ad(path)
    adata.X[0, 0] += 1
    adata.write_h5ad(path)
    moved = replace(cohort, originals=tmp_path / "originals")
    assert replayed(moved, zip_of(made), tmp_path / "out") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "The original of section" in said
    assert names[0] in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("field", ["sha256", "labels_sha256"])
def test_a_section_of_another_hash_is_refused(
    cohort: Cohort, made: Path, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = changed(
        zip_of(made), tmp_path / "other.zip", lambda facts: facts["sections"][0].update({field: "0" * 64})
    )
    assert replayed(cohort, packed, tmp_path / "out") == 2
    assert "does not give section" in capsys.readouterr().err


def test_another_model_is_refused(
    cohort: Cohort, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = changed(
        zip_of(made), tmp_path / "other.zip", lambda facts: facts["model"].update(sha256="0" * 64)
    )
    assert replayed(cohort, packed, tmp_path / "out") == 2
    assert "it was changed, or is another" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["inputs", "tables"])
def test_a_changed_table_is_refused(
    cohort: Cohort, made: Path, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(zip_of(made)) as old, zipfile.ZipFile(other, "w") as new:
        first = next(name for name in old.namelist() if name.startswith(part))
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content + b'"x","y"\n' if name == first else content)
    assert replayed(cohort, other, tmp_path / "out") == 2
    assert "changed" in capsys.readouterr().err


def test_other_numbers_are_found_and_named(
    cohort: Cohort, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = changed(
        zip_of(made), tmp_path / "other.zip", lambda facts: facts["comparison"].update(pseudo_count=0.06)
    )
    words = ["report", str(packed), "--out", str(tmp_path / "out"), "--originals", str(cohort.originals)]
    words += [
        "--model",
        str(cohort.model),
        "--check",
        str(zip_of(made)),
        "--library",
        str(tmp_path / "empty"),
    ]
    assert main(words) == 2
    assert "log2_fold_change" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_genes_agree_with_scipy_and_counts_with_the_cells(
    cohort: Cohort, asked: Mapping[str, MakeReport], names: tuple[str, str]
) -> None:
    """Compare a patient's cells with another's by hand."""
    packed = zip_of(cohort.make(asked["patients"]))
    with zipfile.ZipFile(packed) as archive:
        genes = pd.read_csv(
            archive.open("tables/differential_expression.csv"), comment="#", encoding="utf-8-sig"
        )
        cells = pd.read_csv(archive.open("tables/cells_1.csv"), comment="#", encoding="utf-8-sig")
    parts = [squint.io.read(cohort.library.path(cohort.sections[name].id, DATA)).to_df() for name in names]
    group, reference = (part[part.sum(axis=1) > 0] for part in parts)
    depth = np.median(np.concatenate([group.sum(axis=1), reference.sum(axis=1)]))
    one, two = (part[["LDHA"]].div(part.sum(axis=1), axis=0) * depth for part in (group, reference))
    row = genes.set_index("gene").loc["LDHA"]
    by_hand = mannwhitneyu(one["LDHA"], two["LDHA"]).statistic / (len(one) * len(two))
    assert row["auc"] == pytest.approx(by_hand, abs=1e-6)
    assert row["mean_group"] == pytest.approx(one["LDHA"].mean(), rel=1e-5)
    assert len(cells) == cohort.sections[names[0]].n_cells


def test_a_set_is_drawn_with_its_outline_and_tokens_have_their_names(
    cohort: Cohort, made: Path, names: tuple[str, str]
) -> None:
    given = read_given(zip_of(made))
    (one,) = given.recipe.cell_sets
    content = given.input(one.outline)
    assert content is not None
    ((section, ((ring,),)),) = read_outline(content, "it").items()
    assert section == cohort.sections[names[0]].title
    assert ring.tolist() == [[-5.0, -5.0], [120.0, -5.0], [120.0, 90.0]]
    html = (made / "report.html").read_text()
    assert "Lines: the outlines that cell sets were drawn with." in html
    assert "0 · rim of the tumour" in html
    assert given.recipe.token_names == {"0": "rim of the tumour"}
    with zipfile.ZipFile(zip_of(made)) as archive:
        table = pd.read_csv(archive.open("tables/tokens.csv"), comment="#", encoding="utf-8-sig")
    assert table.set_index("token").loc[0, "name"] == "rim of the tumour"


def test_a_changed_outline_is_refused(
    cohort: Cohort, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outline = read_given(zip_of(made)).recipe.cell_sets[0].outline
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(zip_of(made)) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b"120.0", b"121.0") if outline in name else content)
    assert replayed(cohort, other, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "The outline of cell set drawn" in said
    assert "was changed" in said


def test_a_report_names_no_file_and_no_patient_but_by_codes(made: Path, cohort: Cohort) -> None:
    recipe = read_given(zip_of(made)).recipe
    text = json.dumps(recipe.facts())
    assert str(cohort.originals) not in text
    assert ".h5ad" not in text
    assert "TOY-H-2" in text  # the study's own code of a section
    assert {one.patient for one in recipe.sections} == {"P-H", "P-L"}


def test_what_cannot_be_compared_is_said_in_the_report(
    cohort: Cohort, asked: Mapping[str, MakeReport]
) -> None:
    nobody = Comparison("cell_type", ("no such type",), ("tumour",))
    folder = cohort.make(replace(asked["scores"], comparison=nobody))
    assert "They were not compared." in (folder / "report.html").read_text()
    with pytest.raises(InputError, match="No section of patient"):
        cohort.make(replace(asked["scores"], activation=Activation("nobody")))
