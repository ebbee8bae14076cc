"""Twenty reports of the simulated cohort, replayed by the command: each in an empty library.

Each differs from the others in sections, reference, number of codes, thresholds, groups, test, cell sets,
labelings or parts; one number of threads computes the first tables, another the second.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from squint.library import place
from squint.report.recipe import Activation, Comparison, GeneSet
from tests.helpers.paths import ROOT
from tests.helpers.reports import (
    ALL,
    Cohort,
    cohort_of,
    draw_set,
    name_cells,
    read_sections,
    requests,
    zip_of,
)

pytestmark = pytest.mark.benchmark
N_RECIPES, SEED = 20, 20261128


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cohort]:
    folder, threads = tmp_path_factory.mktemp("reports"), torch.get_num_threads()
    torch.set_num_threads(1)
    sections = read_sections(place.SAMPLES)
    yield cohort_of(folder / "home", folder / "originals", sections, place.SAMPLES / "pretrained")
    torch.set_num_threads(threads)


def test_twenty_recipes_give_equal_tables(cohort: Cohort, tmp_path: Path) -> None:
    names = sorted(cohort.sections)
    name_cells(cohort, names[-1])
    asked = list(
        requests(cohort, names[0], names[-1], draw_set(cohort, "drawn", names[0], names[-1])).values()
    )
    chance = random.Random(SEED)  # noqa: S311 - fixed, so that the recipes are
    patients = sorted({section.patient for section in cohort.sections.values()})
    while len(asked) < N_RECIPES:
        some = chance.sample(names, chance.randint(1, 3))
        reference, against = chance.sample(patients, 2)
        low, high = sorted(chance.sample([0.1, 0.2, 0.3, 0.5, 0.6, 0.8], 2))
        score = Activation(reference, chance.choice([against, None]), chance.randint(1, 9), low, high, 13)
        asked.append(
            replace(
                asked[0],
                ids=cohort.ids(*some),
                title=f"Report {len(asked)}",
                activation=score,
                parts=tuple(chance.sample(ALL, chance.randint(2, 5))),
                comparison=chance.choice(
                    [
                        Comparison(types=("tumour",)),
                        Comparison(test="t-test", min_cells=5),
                        Comparison("token", ("3", "41"), ("45",)),
                        Comparison("region", ("tumour",), ()),
                        Comparison("cell_type", ("macrophage",), ("fibroblast",), pseudo_count=0.5),
                    ]
                ),
                gene_sets=(GeneSet("a set", ("LDHA", "MMP14", "CD8A")),),
            )
        )
    equal, began = 0, time.perf_counter()
    for number, one in enumerate(asked):
        packed, out = zip_of(cohort.make(one)), tmp_path / str(number)
        words = ["report", str(packed), "--originals", str(cohort.originals), "--model", str(cohort.model)]
        words += ["--out", str(out), "--library", str(tmp_path / f"empty-{number}"), "--check", str(packed)]
        done = subprocess.run(
            [sys.executable, "-m", "squint", *words],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "2"},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout.splitlines()[0] if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
        print(f"{number + 1}: {said.partition('.zip: ')[2] or said}", flush=True)
        equal += done.returncode == 0
    print(f"\n{equal} of {len(asked)} recipes give equal tables, in {time.perf_counter() - began:.0f} s.")
    assert equal == len(asked) == N_RECIPES
