"""How models fit an upload: genes of all, cells for the likeliest, and what is wrong with one said of it."""

from collections.abc import Callable
from math import isnan
from pathlib import Path

import pytest
from anndata import AnnData

from app.requests import Validate
from app.tasks import models, sections
from app.tasks.fitting import FEWEST_CELLS, MOST_MEASURED, Fitting, fit_all
from squint import keys
from squint.library.store import Library
from squint.model.bundle import Bundle
from squint.model.card import WEIGHTS, weights_sha256
from squint.model.novelty import N_CELLS, measure
from squint.model.ranking import Fit
from tests.helpers.bundles import save_bundle
from tests.helpers.sections import add_model

Add = Callable[..., str]


def silent(fraction: float, words: str = "") -> None:
    """Be told how far it is."""


@pytest.fixture
def add(library: Library, toy: AnnData, tmp_path: Path) -> Add:
    """Put untrained models of the section's first genes into the library; give the hash of each."""
    models.use(None)

    def put(name: str, n_genes: int, seed: int = 0, *, simulated: bool = False) -> str:
        genes = [*toy.var_names[:n_genes], *(f"OTHER{i}" for i in range(toy.n_vars - n_genes))]
        made = save_bundle(tmp_path / name, genes, seed=seed, simulated=simulated)
        add_model(library, made, name)
        return weights_sha256(made)

    return put


def one(toy: AnnData) -> AnnData:
    """Give a section as it was read."""
    section = toy[toy.obs[keys.SECTION] == "TOY-H-1"].copy()
    section.uns[keys.PROVENANCE] = {"values": "counts", "unit": "um"}
    return section


def by_name(found: list[Fitting]) -> dict[str, Fitting]:
    return {fit.name: fit for fit in found}


def test_genes_of_all_are_compared_and_the_cells_for_those_that_can_be_used(
    library: Library, add: Add, toy: AnnData
) -> None:
    n = toy.n_vars
    asked = [
        add("few", n // 10),
        add("all", n, 1),
        add("most", n - 1, 2),
        add("made_up", n, 3, simulated=True),
    ]
    found = fit_all(library, one(toy), [*asked, "f" * 64], silent)
    assert [fit.sha256 for fit in found][-1] == asked[0]
    assert {fit.name for fit in found} == {"few", "all", "most", "made_up"}
    fits = by_name(found)
    assert not fits["few"].fit.is_usable
    assert isnan(fits["few"].fit.novelty)
    assert 0 <= fits["all"].fit.novelty <= 1
    assert fits["all"].unseen == ("TOY-H-1",)
    assert fits["made_up"].fit.made_up
    assert [fit.name for fit in found].index("made_up") == 2  # behind real ones, whatever its cells say


def test_no_more_than_a_few_models_encode_cells(library: Library, add: Add, toy: AnnData) -> None:
    n = toy.n_vars
    asked = [add(f"m{i}", n - i, i) for i in range(MOST_MEASURED + 2)]
    found = by_name(fit_all(library, one(toy), asked, silent))
    measured = {name for name, fit in found.items() if not isnan(fit.fit.novelty)}
    assert measured == {f"m{i}" for i in range(MOST_MEASURED)}


def test_of_several_sections_the_one_counts_that_a_model_fits_least(
    library: Library, add: Add, toy: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = toy[toy.obs["patient_id"] == "TOY-H"].copy()
    two.uns[keys.PROVENANCE] = {"values": "counts", "unit": "um"}
    names = list(two.obs[keys.SECTION].cat.remove_unused_categories().cat.categories)
    of_second = (two.obs[keys.SECTION] == names[1]).to_numpy()
    two.X[of_second] = two.X[of_second] * 3
    asked = [add("all", toy.n_vars)]
    drawn = []

    def noted(fit: Fit, part: AnnData, bundle: Bundle, *, n_cells: int) -> Fit:
        drawn.append(n_cells)
        return measure(fit, part, bundle, n_cells=n_cells)

    monkeypatch.setattr("app.tasks.fitting.measure", noted)
    (both,) = fit_all(library, two.copy(), asked, silent)
    assert drawn == [N_CELLS // 2] * 2
    apart = []
    for name in names:
        part = two[two.obs[keys.SECTION] == name].copy()
        apart += [found.fit for found in fit_all(library, part, asked, silent)]
    assert both.fit in apart
    assert both.fit.order == max(fit.order for fit in apart)
    assert both.unseen == tuple(names)
    monkeypatch.setattr("app.tasks.fitting.N_CELLS", 10)
    fit_all(library, two.copy(), asked, silent)
    assert drawn[-1] == FEWEST_CELLS


def test_a_model_whose_weights_are_damaged_is_said_to_be_and_the_others_are_ranked(
    library: Library, add: Add, toy: AnnData, tmp_path: Path
) -> None:
    sound = add("sound", toy.n_vars - 1, 1)
    broken = save_bundle(tmp_path / "broken", list(toy.var_names))
    (broken / WEIGHTS).write_bytes((broken / WEIGHTS).read_bytes()[:-100])
    models.use(broken)  # as the one of the server, whose hash nobody kept
    first, last = fit_all(library, one(toy), [weights_sha256(broken), sound], silent)
    assert (first.name, last.name) == ("sound", "broken")
    assert "broken is damaged" in last.fit.problem
    assert not last.fit.is_usable


def test_a_model_that_was_damaged_since_it_was_asked_for_is_passed_over(
    library: Library, add: Add, toy: AnnData
) -> None:
    asked = [add("broken", toy.n_vars), add("sound", toy.n_vars - 1, 1)]
    path = library.models / "broken" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    (found,) = fit_all(library, one(toy), asked, silent)
    assert found.name == "sound"


@pytest.mark.parametrize("n_cells", [1, 3])
def test_a_section_of_few_cells_can_be_compared(
    library: Library, add: Add, toy: AnnData, n_cells: int
) -> None:
    (found,) = fit_all(library, one(toy)[:n_cells].copy(), [add("all", toy.n_vars)], silent)
    assert found.fit.problem or 0 <= found.fit.novelty <= 1


def test_intensities_fit_no_model_however_many_there_are(library: Library, add: Add, toy: AnnData) -> None:
    section = one(toy)
    section.uns[keys.PROVENANCE]["values"] = "intensities"
    asked = [add(f"m{i}", toy.n_vars - i, i) for i in range(MOST_MEASURED + 1)]
    found = fit_all(library, section, asked, silent)
    assert ["intensities" in fit.fit.problem for fit in found] == [True] * len(asked)


def test_the_answer_of_an_upload_names_how_each_model_fits(
    library: Library, add: Add, toy: AnnData, tmp_path: Path
) -> None:
    toy[toy.obs[keys.SECTION] == "TOY-H-1"].copy().write_h5ad(tmp_path / "new.h5ad")
    asked = add("all", toy.n_vars)
    said = sections.validate(library, Validate(str(tmp_path / "new.h5ad"), models=(asked,)), silent)
    (row,) = said["models"]
    assert (row["name"], row["sha256"], row["fit"]["n_shared"]) == ("all", asked, toy.n_vars)
    assert sections.validate(library, Validate(str(tmp_path / "new.h5ad")), silent)["models"] == []
