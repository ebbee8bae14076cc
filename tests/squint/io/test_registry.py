"""Readers of other packages, found by entry points as an installed package has them."""

import subprocess
import sys
from pathlib import Path

PACKAGE = """
import pandas as pd
import numpy as np
from scipy.sparse import csr_matrix
from squint.io.content import Content, Reader


def reads(path):
    return (path / "beads.csv").exists()


def read(path, asked):
    beads = pd.read_csv(path / "beads.csv", index_col=0)
    genes = beads.drop(columns=["x", "y"])
    content = Content(
        counts=csr_matrix(genes.to_numpy(dtype=np.float32)),
        obs=pd.DataFrame({"puck": "P7"}, index=beads.index),
        var=pd.DataFrame(index=genes.columns),
        obsm={"spatial": beads[["x", "y"]].to_numpy(dtype=float)},
        um_per_unit=1.0, names=["beads.csv"],
    )
    content.findings.note("Read by beads.")
    return content


READER = Reader("beads", reads, read, lambda path: ["puck"])
"""
USE = """
import squint, squint.io
adata = squint.read(sys.argv[1], columns={"section_id": "puck"})
facts = adata.uns["squint"]
print(adata.n_obs, facts["unit"], adata.obs["section_id"].iloc[0], *facts["notes"])
print(*squint.io.obs_columns(sys.argv[1]), squint.io.is_large(sys.argv[1]))
print(len(squint.read(sys.argv[2])))
"""


def installed(folder: Path, code: str) -> None:
    """Lay out a package as pip does."""
    (folder / "beads.py").write_text(code)
    info = folder / "beads-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beads\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[squint.readers]\nbeads = beads:READER\n")


def use(packages: Path, *args: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(packages)!r})\n{USE}"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, check=False
    )


def test_a_folder_is_read_by_the_package_that_knows_it_and_h5ad_as_ever(section, saved, tmp_path):
    (packages := tmp_path / "packages").mkdir()
    installed(packages, PACKAGE)
    (folder := tmp_path / "run1").mkdir()
    lines = [f"b{i},{10.0 * i},{5.0 * (i % 3)},{i % 4},1" for i in range(12)]
    (folder / "beads.csv").write_text("\n".join([",x,y,A,B", *lines]))
    done = use(packages, folder, saved())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["12 um P7 Read by beads.", "puck False", str(section.n_obs)]


def test_a_package_that_cannot_be_loaded_is_named(saved, tmp_path):
    (packages := tmp_path / "packages").mkdir()
    installed(packages, "import no_such_module")
    done = use(packages, saved(), saved())
    assert "InputError: The reader 'beads' of the package 'beads' cannot be loaded" in done.stderr
