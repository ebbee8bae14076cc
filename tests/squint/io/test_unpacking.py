"""Files that unpack to far more than they take on the disk."""

import subprocess
import sys

import anndata
import h5py
import numpy as np
import pytest

from squint import io
from squint.errors import InputError
from squint.io import hdf5, unpacking
from tests.helpers.bombs import fill, repeat_text

MEGA = 10**6
N_CELLS = 30  # of the section that bombs are put into


def dense(file, value, dtype, n_values):
    """Put a dense matrix of so many values in the place of the counts, with as many genes as that takes."""
    n_cells = file["X"].attrs["shape"][0]
    n_genes = n_values // n_cells
    del file["X"], file["var/_index"]
    stored = fill(file, "X", (n_cells, n_genes), (1, n_genes), value, dtype)
    stored.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    names = np.array([b"G%d" % i for i in range(n_genes)])
    stored = file["var"].create_dataset("_index", data=names, compression="gzip")
    stored.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def csr(file, n_values):
    """Put as many values of one byte in the place of the counts, all in the first gene."""
    for name, value in (("data", 1), ("indices", 0)):
        del file[f"X/{name}"]
        fill(file, f"X/{name}", (n_values,), (10 * MEGA,), value, "u1")
    del file["X/indptr"]
    file["X/indptr"] = np.linspace(0, n_values, N_CELLS + 1).astype(np.int64)


def column(file, name, n_values=8_000):
    repeat_text(file, name, n_values, 400_000)


def attribute(file):
    """Give a group as many references to one text as an attribute holds."""
    texts = np.array(["x" * MEGA] + [""] * 3_000, dtype=object)
    file["obs"].attrs.create("column-order", texts, dtype=h5py.string_dtype())


BOMBS = {
    "zeros": (lambda file: dense(file, 0, "i4", 690 * MEGA), "unpack to 0.7 GB"),
    "ones": (lambda file: dense(file, 1, "u1", 240 * MEGA), "unpack to 0.5 GB"),
    "sparse": (lambda file: csr(file, 250 * MEGA), "unpack to 4.0 GB"),
    "text": (lambda file: column(file, "obs/patient"), "texts of `obs/patient` repeat"),
    "labels": (lambda file: fill(file, "obs/age", (200 * MEGA,), (10 * MEGA,), 1, "u1"), "unpack to 12.8 GB"),
    "positions": (
        lambda file: fill(file, "obsm/p", (N_CELLS, 9 * MEGA), (1, 9 * MEGA), 1, "i1"),
        "to 2.2 GB",
    ),
    "attribute": (attribute, "attribute of `obs` holds too many texts"),
}


def many(section, n_copies):
    """Put copies of a section behind one another."""
    keys = [str(i) for i in range(n_copies)]
    return anndata.concat([section.copy() for _ in keys], index_unique="-", keys=keys)


@pytest.fixture
def bomb(section, tmp_path):
    """Put a bomb into a sound file, and give its path."""

    def make(kind):
        path = tmp_path / f"{kind}.h5ad"
        (many(section, 60) if kind in {"zeros", "ones"} else section).write_h5ad(path, compression="gzip")
        with h5py.File(path, "r+") as file:
            if kind == "text":
                del file["obs/patient"]
            BOMBS[kind][0](file)
        return path

    return make


def test_no_bomb_fills_the_memory(bomb):
    """All are read by one process, whose memory may grow by what a small section needs."""
    paths = [bomb(kind) for kind in BOMBS]
    assert max(path.stat().st_size for path in paths) < 5 * MEGA
    code = (
        "import sys\nfrom pathlib import Path\nfrom squint import io\nfrom squint.errors import InputError\n"
        "def peak():\n"
        "    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1000\n"
        "before = peak()\n"
        "for path in sys.argv[1:]:\n"
        "    try: io.read_and_validate(path)\n"
        "    except InputError as error: print(error)\n"
        "    else: print('accepted')\n"
        "    print(path, peak() - before, 'MB', file=sys.stderr)\n"
        "print(peak() - before)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, *paths]
    run = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120)
    *lines, growth = run.stdout.splitlines()
    print(run.stderr)  # noqa: T201 - what each of them took, where it fails
    for (_, said), line in zip(BOMBS.values(), lines, strict=True):
        assert said in line
    assert int(growth) < 1_200  # MB


def test_what_is_repeated_a_little_is_read(section, tmp_path):
    """Equal labels, a column of zeros and a dense matrix: nothing is odd in it."""
    adata = many(section, 200)
    adata.obs["note"] = "the same words for each cell of the section, and rather many of them"
    adata.obs["zero"] = 0.0
    adata.X = adata.X.toarray()
    adata.write_h5ad(tmp_path / "many.h5ad", compression="gzip")
    read = io.read(tmp_path / "many.h5ad")
    assert (read.n_obs, read.obs["note"].nunique()) == (6_000, 1)
    assert (read.X.toarray() == adata.X).all()


def test_texts_of_many_columns_are_added_up(section, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "FLOOR", 3 * MEGA)
    monkeypatch.setattr(unpacking, "RATIO", 1)
    path = tmp_path / "file.h5ad"
    section.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        for i in range(9):
            repeat_text(file, f"uns/squint_{i}", 20, 40_000)  # 0.8 MB each
    with pytest.raises(InputError, match=r"texts of `uns/squint_\d` repeat"):
        io.read(path)


def test_texts_are_read_so_few_at_a_time_that_they_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "FLOOR", 8 * MEGA)
    monkeypatch.setattr(unpacking, "RATIO", 1)
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        repeat_text(file, "texts", 10_000, 100_000)
    taken = []
    count = unpacking._n_bytes

    def note(values):
        taken.append(count(values))
        return taken[-1]

    monkeypatch.setattr(unpacking, "_n_bytes", note)
    with hdf5.open_checked(path) as (file, _), pytest.raises(InputError, match="`texts` repeat"):
        hdf5.read_slot(file, "texts")
    assert max(taken) <= 2 * MEGA
    assert sum(taken) <= 10 * MEGA


@pytest.mark.parametrize(("most", "is_read"), [(MEGA, True), (MEGA // 2, False)])
def test_texts_alone_are_counted_too(section, tmp_path, most, is_read):
    section.uns["squint"] = {"note": "x" * 400_000, "other": "y" * 400_000}
    section.write_h5ad(tmp_path / "file.h5ad")
    with hdf5.open_checked(tmp_path / "file.h5ad") as (file, _):
        unpacking._texts[file].most = most
        if is_read:
            assert set(hdf5.read_slot(file, "uns/squint")) == {"note", "other"}
        else:
            with pytest.raises(InputError, match="texts of `uns/squint"):
                hdf5.read_slot(file, "uns/squint")


def test_a_text_that_fills_what_was_not_written_counts_each_time(tmp_path):
    """A data set may name a text for all that it does not hold."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "texts", shape=(40 * MEGA,), dtype=h5py.string_dtype(), chunks=(MEGA,), fillvalue="x" * 500_000
        )
    with pytest.raises(InputError, match="refused"), hdf5.open_checked(path) as (file, _):
        hdf5.read_slot(file, "texts")


def test_out_of_memory_is_not_said_to_be_damage(section, tmp_path, monkeypatch):
    section.write_h5ad(tmp_path / "file.h5ad")

    def fill_memory(_):
        raise MemoryError

    monkeypatch.setattr(hdf5, "read_elem", fill_memory)
    with pytest.raises(InputError, match="needs more memory to be read than may be used here"):
        io.read(tmp_path / "file.h5ad")
