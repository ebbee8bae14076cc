"""Well-known marker genes of lineages, each with its source."""

from pathlib import Path

import pandas as pd

from squint.errors import InputError

SPECIES = ("human", "mouse")


def markers(species: str) -> pd.DataFrame:
    """Give well-known marker genes of lineages of human or mouse.

    Parameters
    ----------
    species
        ``"human"`` or ``"mouse"``.

    Returns
    -------
    One row per lineage and gene: ``lineage``; ``tissue``, the organ that has it, empty for those of most
    organs; ``kind``, ``"type"`` or ``"state"``, which cells of any type
    may be in; ``gene``, its symbol; ``source``, where it is listed as a marker.

    Raises
    ------
    InputError
        If the species is another.
    """
    if species not in SPECIES:
        raise InputError(f"There are markers of {' and '.join(SPECIES)}, not of {species!r}.")
    table = pd.read_csv(Path(__file__).with_name("markers.csv"), dtype=str, keep_default_na=False)
    own = table[table["species"] == species]
    return own.drop(columns="species").reset_index(drop=True)
