"""Stacks: sections of one patient at several heights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from squint.library.store import Library, Section

ROW = "row"  # column of held-out cells: the cell's place among the cells of its section


Positions = Mapping[str, NDArray[np.float64]]  # id of a section -> (n, 2), where its cells lie once aligned


@dataclass(frozen=True)
class Stack:
    """Levels of one piece of tissue, the lowest first."""

    name: str
    levels: tuple[Section, ...]
    block: bool = False  # one section whose cells lie at all heights

    @property
    def simulated(self) -> bool:
        """Whether all levels are."""
        return all(level.simulated for level in self.levels)

    @property
    def heights(self) -> tuple[float, ...]:
        """Height of each level, um."""
        return tuple(level.z_um for level in self.levels if level.z_um is not None)

    @property
    def steps(self) -> tuple[float, ...]:
        """Distance of each level from the one below it, um."""
        return tuple(above - below for below, above in zip(self.heights, self.heights[1:], strict=False))


def find_stacks(sections: Sequence[Section]) -> list[Stack]:
    """Group sections into stacks: levels that came in one file, and else what one patient has at heights."""
    groups: dict[tuple[str, str], list[Section]] = {}
    for section in sections:
        if section.z_um is not None:
            groups.setdefault((section.patient, section.stack), []).append(section)
    found = []
    for (patient, name), levels in groups.items():
        if len({level.z_um for level in levels}) > 1:
            levels.sort(key=lambda level: (level.z_um, level.section))
            title = name if name.startswith(patient) else f"{patient} · {name or 'sections by height'}"
            found.append(Stack(title, tuple(levels)))
    # The stack with most levels is what a reader comes for, of their own sections if there are any.
    return sorted(found, key=lambda stack: (stack.simulated, -len(stack.levels), stack.name))


def find_blocks(library: Library, sections: Sequence[Section]) -> list[Stack]:
    """List the sections whose cells have heights of their own."""
    return [
        Stack(section.title, (section,), block=True) for section in sections if library.is_deep(section.id)
    ]


def name_sections(sections: Sequence[Section]) -> dict[str, str]:
    """Name sections by their titles, told apart by the id where two share one."""
    titles = [section.title for section in sections]
    return {
        section.id: section.title
        if titles.count(section.title) == 1
        else f"{section.title} ({section.id[:6]})"
        for section in sections
    }


def outside_stacks(sections: Sequence[Section]) -> list[Section]:
    """Those sections that did not come as a level of a stack; all of them where every one did."""
    return [section for section in sections if not section.stack] or list(sections)
