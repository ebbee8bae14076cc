"""A cohort of four toy sections with originals, tokens, a labeling and a cell set."""

import pytest
from anndata import AnnData

from squint import datasets
from squint.library import token_naming
from tests.helpers.reports import Cohort, cohort_of, draw_set, name_cells, small_model


def _alone(toy: AnnData, name: str) -> AnnData:
    part = toy[toy.obs["section_id"] == name].copy()
    part.obs["section_id"] = part.obs["section_id"].cat.remove_unused_categories()
    part.obs["patient_id"] = part.obs["patient_id"].cat.remove_unused_categories()
    return part


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("reports")
    toy = datasets.toy(n_cells=640, n_sections=4)
    model = small_model(folder / "model", datasets.toy(n_cells=320))
    sections = {str(name): _alone(toy, str(name)) for name in toy.obs["section_id"].cat.categories}
    return cohort_of(folder / "home", folder / "originals", sections, model)


@pytest.fixture(scope="session")
def names(cohort: Cohort) -> tuple[str, str]:
    """Name a section of each patient; the cells of the second have a labeling, and a token has a name."""
    by_patient = {section.patient: name for name, section in cohort.sections.items()}
    first, second = by_patient.values()
    name_cells(cohort, second)
    token_naming.name(cohort.library, cohort.sha256, "0", "rim of the tumour", "")
    return first, second


@pytest.fixture(scope="session")
def set_id(cohort: Cohort, names: tuple[str, str]) -> str:
    return draw_set(cohort, "drawn", *names)
