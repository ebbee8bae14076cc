"""Who is in which of two groups of cells."""

import pandas as pd

from app.cell_sets.split import GROUP, LEVEL, REFERENCE, Split, assign, count
from squint import keys

CELLS = pd.DataFrame(
    {
        keys.PATIENT: ["A", "A", "A", "B", "B", "B"],
        keys.CELL_TYPE: ["tumour", "tumour", "stroma", "tumour", None, "tumour"],
        keys.TOKEN: ["1", "2", "1", "3", "3", None],
        keys.ACTIVATION: [0.9, 0.1, 0.8, 0.5, 0.9, 0.2],
        "n_counts": [5.0] * 6,
    }
)


def _groups(split: Split) -> list[str]:
    return [arm[0] if isinstance(arm, str) else "-" for arm in assign(CELLS, split)]


def test_levels_of_the_score_within_a_cell_type() -> None:
    assert _groups(Split(LEVEL, ("high",), ("low",))) == ["g", "r", "g", "-", "g", "r"]
    assert _groups(Split(LEVEL, ("high",), ("low",), types=("tumour",))) == ["g", "r", "-", "-", "-", "r"]
    assert _groups(Split(LEVEL, ("high",), ("low",), low=0.15, high=0.85)) == ["g", "r", "-", "-", "g", "-"]


def test_without_a_reference_all_other_labelled_cells_are_compared() -> None:
    assert _groups(Split(keys.TOKEN, ("1",))) == ["g", "r", "g", "r", "r", "-"]
    assert _groups(Split(keys.TOKEN, ("1",), ("2", "1"))) == ["g", "r", "g", "-", "-", "-"]


def test_a_section_without_such_labels_is_in_neither_group() -> None:
    bare = CELLS.drop(columns=keys.CELL_TYPE)
    assert assign(bare, Split(keys.CELL_TYPE, ("tumour",))).isna().all()
    assert assign(bare, Split(keys.TOKEN, ("1",), types=("tumour",))).isna().all()


def test_a_cell_without_counts_is_in_neither_group() -> None:
    cells = CELLS.assign(n_counts=[0.0, 5, 5, 5, 5, 0])
    for split in (Split(LEVEL, ("high",), ("low",)), Split(keys.TOKEN, ("1",))):
        arm = assign(cells, split)
        assert arm.isna().tolist()[::5] == [True, True]
        pd.testing.assert_series_equal(arm[1:5], assign(CELLS, split)[1:5])


def test_cells_of_both_groups_are_counted_by_patient() -> None:
    arm = assign(CELLS, Split(LEVEL, ("high",), ("low",)))
    counts = count(CELLS, arm, [keys.PATIENT])
    assert counts.loc["A"].to_dict() == {GROUP: 2, REFERENCE: 1}
    assert counts.loc["B"].to_dict() == {GROUP: 1, REFERENCE: 1}
