import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from squint import io
from squint.errors import InputError
from squint.io import hdf5


@pytest.fixture
def path(section, tmp_path):
    """Give a valid file, to be spoilt."""
    section.write_h5ad(tmp_path / "file.h5ad", compression="gzip")
    return tmp_path / "file.h5ad"


def refusal(path):
    with pytest.raises(InputError) as error:
        io.read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_file_is_named(tmp_path):
    assert "absent.h5ad was not found" in refusal(tmp_path / "absent.h5ad")


@pytest.mark.parametrize("name", ["x" * 300, "nul\0.h5ad"])
def test_an_impossible_name_is_refused(tmp_path, name):
    assert "not a usable file name" in refusal(tmp_path / name)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "e.h5ad").touch()
    assert "file is empty" in refusal(tmp_path / "e.h5ad")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "not an .h5ad file"),
        (b"PK\x03\x04" + bytes(99), "is a zip archive. Name it .zip"),
        (b"x", "not an .h5ad file"),
    ],
)
def test_other_files_are_known_by_their_first_bytes(tmp_path, start, message):
    (tmp_path / "renamed.h5ad").write_bytes(start)
    assert message in refusal(tmp_path / "renamed.h5ad")


@pytest.mark.parametrize("name", ["empty.zarr", "xenium_outs"])
def test_a_folder_without_a_section_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "readme.txt").write_text("nothing")
    assert "nothing in this folder is a section" in refusal(tmp_path / name)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5ad")
    assert "is not a file" in refusal(tmp_path / "pipe.h5ad")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_incomplete(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "incomplete" in refusal(path)


def test_another_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["results/data"] = [1]
    assert "has no `obs`: it was not written by anndata" in refusal(tmp_path / "m.h5")


def test_no_crafted_storage_makes_hdf5_open_another_file(path, tmp_path):
    """The other file is a pipe without a writer: whoever opens it waits for ever."""
    decoy = tmp_path / "decoy"
    os.mkfifo(decoy)
    crafted = {}
    for place in ("obs", "X", "uns/x", "uns/a/b/c"):
        crafted[f"link_{place}"] = (place, lambda file, place: file.__setitem__(place, _external(decoy)))
    crafted["raw"] = ("uns/x", lambda file, place: _external_storage(file, place, decoy))
    crafted["virtual"] = ("uns/x", lambda file, place: _virtual(file, place, str(decoy)))
    crafted["virtual_series"] = ("uns/x", lambda file, place: _virtual_series(file, place, f"{decoy}%b"))
    crafted["itself"] = ("uns/x", lambda file, place: _virtual(file, place, "."))
    os.mkfifo(f"{decoy}0")
    for name, (place, craft) in crafted.items():
        spoilt = tmp_path / f"{name.replace('/', '_')}.h5ad"
        spoilt.write_bytes(path.read_bytes())
        with h5py.File(spoilt, "r+") as file:
            if place in file:
                del file[place]
            craft(file, place)
    code = (
        "import sys\nfrom squint import io\nfrom squint.errors import InputError\n"
        "for path in sys.argv[1:]:\n"
        "    try: io.read(path)\n"
        "    except InputError as error: print(error)\n"
    )
    files = sorted(tmp_path.glob("*_*.h5ad")) + [tmp_path / f"{n}.h5ad" for n in ("raw", "virtual", "itself")]
    run = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, check=True, text=True, timeout=60
    )
    lines = run.stdout.splitlines()
    assert len(lines) == len(crafted)
    assert sum("is a link, possibly to another file" in line for line in lines) == 4
    assert sum("lie in another file" in line for line in lines) == 4


def _external(decoy):
    return h5py.ExternalLink(str(decoy), "/secret")


def _external_storage(file, place, decoy):
    file.create_dataset(place, shape=(4,), dtype="u1", external=[(str(decoy), 0, 4)])


def _virtual(file, place, source):
    layout = h5py.VirtualLayout(shape=(4,), dtype="u1")
    layout[:] = h5py.VirtualSource(source, "secret", shape=(4,))
    file.create_virtual_dataset(place, layout)


def _virtual_series(file, place, source):
    plist = h5p.create(h5p.DATASET_CREATE)
    space = h5s.create_simple((4,), (h5s.UNLIMITED,))
    space.select_hyperslab((0,), (h5s.UNLIMITED,), (4,), (4,))
    plist.set_virtual(space, source.encode(), b"secret", h5s.create_simple((4,)))
    h5d.create(file.id, place.encode(), h5t.NATIVE_UINT8, space, dcpl=plist)


def test_soft_links_and_cycles_are_refused_at_once(path):
    start = time.perf_counter()
    for target in (h5py.SoftLink("/uns"), h5py.SoftLink("/uns/loop")):
        with h5py.File(path, "r+") as file:
            file["uns/loop"] = target
        assert "`uns/loop` is a link" in refusal(path)
        with h5py.File(path, "r+") as file:
            del file["uns/loop"]
    with h5py.File(path, "r+") as file:
        file["uns/loop"] = file["/"]
    assert "`uns/loop` is a second link" in refusal(path)
    assert time.perf_counter() - start < 3


def test_a_reference_to_what_is_no_table_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["obs/patient"].attrs["categories"] = file["obs"].ref
    assert "refers to something that is none of its tables" in refusal(path)


def test_references_as_data_are_refused(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("uns/refs", data=[file["obs"].ref], dtype=h5py.ref_dtype)
    assert "`uns/refs` holds references" in refusal(path)


def test_unknown_filters_are_refused_and_plugins_stay_unloaded(path, tmp_path):
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(path, "r+") as file:
        h5d.create(file.id, b"uns/zstd", h5t.NATIVE_UINT8, h5s.create_simple((4,)), dcpl=plist)
    assert "filter 32015" in refusal(path)
    h5py.h5pl.prepend(bytes(tmp_path))
    try:
        with hdf5._no_plugins():
            assert h5py.h5pl.size() == 0
        assert h5py.h5pl.get(0) == bytes(tmp_path)
    finally:
        h5py.h5pl.remove(0)


def test_declared_size_is_refused_from_metadata(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset(
            "uns/huge", shape=(10**6, 50_000), dtype="f8", chunks=(1000, 1000), compression="gzip"
        )
    code = (
        "import resource, sys\nfrom squint import io\nfrom squint.errors import InputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: io.read(sys.argv[1])\n"
        "except InputError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, text=True)
    message, growth = run.stdout.splitlines()
    assert "declares 400.0 GB" in message
    assert int(growth) < 100_000


def test_one_huge_chunk_counts_as_its_size(path):
    with h5py.File(path, "r+") as file:
        file.create_dataset("uns/c", shape=(1,), maxshape=(None,), dtype="u1", chunks=(2**31,))
        with pytest.raises(InputError, match=r"declares 2\.\d GB"):
            hdf5.check(file, "file", max_bytes=10**9)


def test_too_many_objects_are_refused_at_once(tmp_path):
    path = tmp_path / "many.h5ad"
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("uns")
        for i in range(hdf5.MAX_OBJECTS + 1):
            group.create_group(str(i))
    start = time.perf_counter()
    assert f"more than {hdf5.MAX_OBJECTS} objects" in refusal(path)
    assert time.perf_counter() - start < 1


def test_deep_nesting_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.create_group("uns/" + "/".join("a" * 1000))
    assert "nested deeper" in refusal(path)


def test_the_objects_of_a_sound_file_are_listed(path):
    with hdf5.open_checked(path) as (_, names):
        assert {"X/data", "obs/section/codes", "obsm/spatial"} <= set(names)


def test_flipped_bytes_are_read_or_refused_but_raise_nothing_else(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for _ in range(60):
        flipped = bytearray(content)
        flipped[rng.integers(len(flipped))] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            io.read(path)
        except InputError as error:
            refusals.append(str(error))
    assert refusals
    assert not any("\n" in refusal for refusal in refusals)
