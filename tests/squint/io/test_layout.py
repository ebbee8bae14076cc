"""The layout of a section is held against its positions."""

import numpy as np
import pytest

from squint import io
from squint.io.findings import AskedError
from tests.helpers.tables_of_cells import cells, facts, saved, tissue


@pytest.mark.parametrize("n_fields", [2, 6])
def test_fields_that_count_from_their_own_corner_are_asked_about(tmp_path, n_fields):
    fields = [tissue(seed=seed, spacing=65) for seed in range(n_fields)]
    fov = np.repeat(np.arange(n_fields), 400)
    types = np.random.default_rng(0).choice(["T", "B"], len(fov))
    path = saved(cells(np.concatenate(fields), fov=fov, cell_type=types), tmp_path)
    with pytest.raises(AskedError, match=r"obs\['fov'\] lie on top of each other") as error:
        io.read(path)
    assert error.value.question.choices[0] == "fov"
    assert "--column section_id=COLUMN" in str(error.value)
    assert len(facts(path, columns={"section_id": "fov"}).sections) == n_fields
    assert len(facts(path, columns={"section_id": ""}).sections) == 1  # the user's word


def test_types_mixed_in_one_tissue_and_fields_side_by_side_are_no_reason_to_ask(tmp_path):
    rng = np.random.default_rng(1)
    positions = tissue(2500)
    fov = (positions[:, 0] // 100).astype(int)
    types = rng.choice(["a", "b", "c", "d"], 2500, p=[0.6, 0.2, 0.15, 0.05])
    assert facts(saved(cells(positions, fov=fov, cell_type=types, cluster=types), tmp_path)).n_cells == 2500


def test_sections_of_hardly_any_cells_are_asked_about(tmp_path):
    path = saved(cells(tissue(1000), section=np.arange(1000) // 2), tmp_path)
    with pytest.raises(AskedError, match="500 sections of 2 cells"):
        io.read(path)


def test_many_cells_at_one_position_are_said(tmp_path):
    positions = tissue()
    positions[:30] = positions[0]
    assert "30 cells share their position" in " ".join(facts(saved(cells(positions), tmp_path)).notes)
