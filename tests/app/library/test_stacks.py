"""Levels of one piece of tissue are found, named and kept out of what they would outweigh."""

from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData

from squint import keys
from squint.library import ingest
from squint.library.stacks import find_stacks, name_sections, outside_stacks
from squint.library.store import Library, Section

PLAIN = Section("a", "a", "one", "P1", "", "", "", 10, 5, 0, "um", "counts", 1.0, simulated=False)


def _level(name: str, z_um: float | None, stack: str = "", patient: str = "P1") -> Section:
    return replace(PLAIN, id=name, section=name, z_um=z_um, stack=stack, patient=patient)


def test_a_stack_is_levels_of_one_patient_at_several_heights_lowest_first() -> None:
    found = find_stacks(
        [
            _level("b", 60, "S"),
            _level("a", 0, "S"),
            _level("c", 180, "S"),
            _level("single", 0, "other"),
            _level("flat", None),
            _level("elsewhere", 60, "S", patient="P2"),
        ]
    )
    assert [[level.section for level in stack.levels] for stack in found] == [["a", "b", "c"]]
    assert (*found[0].heights, *found[0].steps) == (0, 60, 180, 60, 120)


def test_sections_of_a_patient_at_heights_are_a_stack_too_but_not_mixed_with_one_that_came_whole() -> None:
    found = find_stacks(
        [_level("x", 0), _level("y", 250), *(_level(f"s{i}", 60 * i, "P1-stack") for i in range(3))]
    )
    assert [stack.name for stack in found] == ["P1-stack", "P1 · sections by height"]


def test_levels_of_a_stack_are_left_out_unless_there_is_nothing_else() -> None:
    levels = [_level("a", 0, "S"), _level("b", 60, "S")]
    assert outside_stacks([*levels, PLAIN]) == [PLAIN]
    assert outside_stacks(levels) == levels


def test_sections_of_one_title_are_told_apart() -> None:
    twice = [replace(PLAIN, id=identity) for identity in ("a" * 16, "b" * 16)]
    other = replace(PLAIN, id="c" * 16, section="two")
    names = name_sections([*twice, other])
    assert len(set(names.values())) == 3
    assert names[other.id] == other.title


@pytest.mark.parametrize(
    ("names", "name"), [(("K7-l01", "K7-l02"), "K7-l"), (("x", "y"), "stack"), (("Jo-1", "Jo-2"), "P-9")]
)
def test_levels_of_one_file_get_the_name_they_share_without_what_names_a_person(
    library: Library, section: AnnData, names: tuple[str, str], name: str
) -> None:
    section.obs["section"] = section.obs["section"].map({"left": names[0], "right": names[1]})
    section.obs["patient"] = "Jo"
    section.obs["z_um"] = np.repeat([0.0, 40.0], 15)
    adata = section.copy()
    adata.obs = adata.obs.rename(columns={"section": keys.SECTION, "patient": keys.PATIENT}).astype(
        {keys.SECTION: "category", keys.PATIENT: "category"}
    )
    adata.uns[keys.PROVENANCE] = {"unit": "um", "values": "counts", "notes": []}
    labels = ingest.Labels({"Jo": "P-9"}, {})
    kept = [ingest.add(library, part, labels)[0] for part in ingest.clean(adata, labels)]
    assert [level.z_um for level in kept] == [0.0, 40.0]
    assert {level.stack for level in kept} == {name}
    assert [stack.name for stack in find_stacks(library.sections())] == (
        [name] if name.startswith("P-9") else [f"P-9 · {name}"]
    )
