"""Colours of cell types that stay with a type, whatever sections are shown beside."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from squint import keys
from squint.library.store import CELLS, Library
from squint.pl import LIGHT


def type_colours(library: Library, shown: Sequence[str]) -> dict[str, str]:
    """Give each of at most eight cell types a colour.

    The eight types with the most cells in the library have one each. Any other type has that of its rank
    where it is free beside those shown, and else the next that is.
    """
    total: Counter[str] = Counter()
    for section in library.sections():
        if section.named and not section.named.file:
            continue
        path = library.path(section.id, section.named.file if section.named else CELLS)
        total.update(dict(_counts(path, path.stat().st_mtime_ns)))
    rank = {name: place for place, (name, _) in enumerate(total.most_common())}
    palette = LIGHT.categories
    colours: dict[str, str] = {}
    for name in sorted(shown, key=lambda name: rank.get(name, len(rank))):
        place = rank.get(name, 0)
        wanted = (palette[(place + step) % len(palette)] for step in range(len(palette)))
        colours[name] = next(colour for colour in wanted if colour not in colours.values())
    return colours


@lru_cache(maxsize=4096)
def _counts(path: Path, written: int) -> tuple[tuple[str, int], ...]:
    """Count the cells of each type in a table of cells or types; a file written anew is another."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only where cells are shown

    del written
    if keys.CELL_TYPE not in pq.read_schema(path).names:
        return ()
    counted = pd.Categorical(pq.read_table(path, columns=[keys.CELL_TYPE])[keys.CELL_TYPE].to_pandas())
    return tuple((str(name), int(n)) for name, n in counted.value_counts().items() if n)
