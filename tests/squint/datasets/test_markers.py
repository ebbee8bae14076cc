import re

import pytest

from squint import datasets
from squint.errors import InputError


@pytest.mark.parametrize("species", ["human", "mouse"])
def test_every_marker_is_listed_once_for_its_lineage_with_a_source_that_can_be_looked_up(species):
    table = datasets.markers(species)
    assert not table.duplicated(["lineage", "gene"]).any()
    assert table["source"].str.contains(r"\((?:20\d\d)\).*doi:10\.\d{4,}/\S+$").all()
    assert set(table["kind"]) == {"type", "state"}
    assert (table.groupby("lineage")[["kind", "tissue"]].nunique() == 1).all(axis=None)
    assert (table.groupby("lineage").size() >= 4).all()


def test_both_species_have_the_same_lineages():
    human, mouse = (datasets.markers(species) for species in ("human", "mouse"))
    assert list(human["lineage"].unique()) == list(mouse["lineage"].unique())


def test_genes_are_written_as_of_their_species():
    assert all(re.fullmatch(r"[A-Z0-9-]+", gene) for gene in datasets.markers("human")["gene"])
    assert all(
        re.fullmatch(r"[A-Z][a-z0-9A-Z]*(-[a-z0-9]+)?", gene) for gene in datasets.markers("mouse")["gene"]
    )
    assert not datasets.markers("mouse")["gene"].str.isupper().any()


def test_other_species_are_refused():
    with pytest.raises(InputError, match="human and mouse, not of 'rat'"):
        datasets.markers("rat")
