"""Sections of different panels: which do not belong together is said by name."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from app.tasks.gather import join
from squint.errors import InputError


def part(genes: str, name: str) -> AnnData:
    obs = pd.DataFrame(index=[f"{name}-{i}" for i in range(2)])
    return AnnData(np.ones((2, len(genes)), dtype=np.float32), obs=obs, var=pd.DataFrame(index=list(genes)))


def test_only_genes_that_all_measure_are_kept() -> None:
    together = join([part("ABC", "one"), part("BCD", "two")], ["one", "two"])
    assert list(together.var_names) == ["B", "C"]
    assert together.n_obs == 4


@pytest.mark.parametrize(
    ("panels", "said"),
    [
        (("AB", "BC", "XY"), "^S3 shares no gene with S1, S2. Leave it out"),
        (("XY", "AB", "BC", "Z"), "^S1, S4 share no gene with S2, S3. Leave them out"),
        (("AB", "BC", "CA"), "^No gene is measured in all of S1, S2, S3"),
    ],
)
def test_the_odd_sections_are_named(panels: tuple[str, ...], said: str) -> None:
    titles = [f"S{i + 1}" for i in range(len(panels))]
    with pytest.raises(InputError, match=said):
        join([part(genes, title) for genes, title in zip(panels, titles, strict=True)], titles)
