"""Bundles that travel: the same bytes on the other side, and nothing that was not looked at."""

import hashlib
import json
import pickle
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from squint.errors import InputError
from squint.io import archives
from squint.model import archive
from squint.model.archive import SUMS
from squint.model.card import CARD, CONFIG, WEIGHTS
from tests.helpers.bundles import content_of, save_bundle

Content = dict[str, bytes]


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bundle(tmp_path_factory.mktemp("bundle"))


def packed(path: Path, files: Content) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in files.items():
            packing.writestr(name, content)
    return path


def refused(path: Path, *words: str) -> str:
    """See that an archive is refused in one line that names no other path, and that nothing of it stays."""
    before = set(path.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        archive.unpack(path, path.parent / "out")
    said = str(error.value)
    assert "\n" not in said
    assert str(path.parent) not in said
    assert all(word in said for word in words), said
    assert set(path.parent.rglob("*")) == before
    return said


def test_a_bundle_comes_out_byte_by_byte(bundle_folder: Path, tmp_path: Path) -> None:
    archive.export(bundle_folder, tmp_path / "a.zip")
    out = archive.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert out == tmp_path / "out"
    assert content_of(out) == content_of(bundle_folder)
    archive.export(out, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip", "out"]


def test_the_list_of_hashes_is_that_of_sha256sum(bundle_folder: Path, tmp_path: Path) -> None:
    archive.export(bundle_folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packing:
        lines = packing.read(SUMS).decode().splitlines()
        assert packing.testzip() is None
    wanted = {name: hashlib.sha256(data).hexdigest() for name, data in content_of(bundle_folder).items()}
    assert sorted(lines) == sorted(f"{digest}  {name}" for name, digest in wanted.items())


def test_nothing_is_written_over_and_no_broken_bundle_is_exported(
    bundle_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there already"):
        archive.export(bundle_folder, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == b"mine"
    with pytest.raises(InputError, match="not a model bundle"):
        archive.export(tmp_path, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def by_hand(files: Content) -> Content:
    return files


def in_a_folder(files: Content) -> Content:
    return {f"model/{name}": content for name, content in files.items()}


def by_a_mac(files: Content) -> Content:
    return {**in_a_folder(files), "__MACOSX/model/._card.json": b"x", "model/.DS_Store": b"x"}


@pytest.mark.parametrize("pack", [by_hand, in_a_folder, by_a_mac])
def test_a_folder_packed_by_hand_is_taken(
    bundle_folder: Path, tmp_path: Path, pack: Callable[[Content], Content]
) -> None:
    path = packed(tmp_path / "a.zip", pack(content_of(bundle_folder)))
    assert content_of(archive.unpack(path, tmp_path / "out")) == content_of(bundle_folder)


def test_a_folder_is_taken_as_an_archive_is(bundle_folder: Path, tmp_path: Path) -> None:
    archive.export(bundle_folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packing:
        packing.extractall(tmp_path / "unpacked")
    before = content_of(tmp_path / "unpacked")
    assert content_of(archive.unpack(tmp_path / "unpacked", tmp_path / "out")) == content_of(bundle_folder)
    assert content_of(tmp_path / "unpacked") == before
    (tmp_path / "unpacked" / CARD).write_bytes(before[CARD] + b" ")
    refused(tmp_path / "unpacked", "card.json is not what SHA256SUMS says")
    (tmp_path / "unpacked" / CARD).unlink()
    (tmp_path / "unpacked" / CARD).symlink_to("/etc/passwd")
    refused(tmp_path / "unpacked", "'card.json' is a link")


def with_changes(**changes: bytes | None) -> Callable[[Content], Content]:
    """Give what changes files by their name, without ending; None takes one out."""
    names = {Path(name).stem: name for name in (WEIGHTS, CONFIG, CARD)}

    def change(files: Content) -> Content:
        changed: dict[str, bytes | None] = {**files, **{names[key]: new for key, new in changes.items()}}
        return {name: content for name, content in changed.items() if content is not None}

    return change


def added(name: str, content: bytes = b"x") -> Callable[[Content], Content]:
    return lambda files: {**files, name: content}


def with_sums(text: str) -> Callable[[Content], Content]:
    return added(SUMS, text.encode())


def wrong_sums(files: Content) -> Content:
    lines = [f"{'0' * 64}  {name}" for name in files]
    return {**files, SUMS: "\n".join(lines).encode()}


def sums_of_two(files: Content) -> Content:
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in (WEIGHTS, CARD)]
    return {**files, SUMS: "\n".join(lines).encode()}


def two_folders(files: Content) -> Content:
    return {f"{'a' if name == WEIGHTS else 'b'}/{name}": content for name, content in files.items()}


def too_deep(files: Content) -> Content:
    return {f"a/b/{name}": content for name, content in files.items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (added("../evil"), "no fit name"),
        (added("/etc/evil"), "no fit name"),
        (added("C:/evil"), "no fit name"),
        (added("a\\evil"), "no fit name"),
        (added("a\nb"), "no fit name"),
        (added("CARD.json"), "have one name"),
        (added("readme.txt"), "'readme.txt' is no file of a model"),
        (added("reads.bam"), "'reads.bam' is no file of a model"),
        (added("weights.pt"), "pickled Python, which can run any program"),
        (added("more/data.PKL"), "pickled Python"),
        (with_changes(weights=pickle.dumps({"a": 1}, protocol=4)), "pickled Python"),
        (with_changes(weights=pickle.dumps({"a": 1}, protocol=2)), "pickled Python"),
        (with_changes(weights=None), "weights.safetensors is missing"),
        (with_changes(config=None), "config.json is missing"),
        (with_changes(card=None), "card.json is missing"),
        (lambda _: {"__MACOSX/._x": b""}, "config.json is missing"),
        (with_changes(weights=b""), "a.zip is damaged"),
        (with_changes(weights=b"\xff" * 99), "a.zip is damaged"),
        (with_changes(card=b"{"), "a.zip is damaged"),
        (with_changes(card=b"[" * 100_000), "a.zip is damaged"),
        (with_changes(config=b"{}"), "do not fit together: 'sections' is missing"),
        (two_folders, "do not lie in one folder"),
        (too_deep, "do not lie in one folder"),
        (wrong_sums, "is not what SHA256SUMS says"),
        (sums_of_two, "does not name each file"),
        (with_sums(""), "does not name each file"),
        (with_sums("\0\xff"), "does not name each file"),
        (added(SUMS, b"\xff" * 20_000), "SHA256SUMS has 20,000 bytes, and at most 10,000"),
        (with_changes(card=b" " * 30_000_000), "unpacks to more than"),
    ],
)
def test_what_is_no_bundle_is_refused(
    bundle_folder: Path, tmp_path: Path, change: Callable[[Content], Content], words: str
) -> None:
    refused(packed(tmp_path / "a.zip", change(content_of(bundle_folder))), words)


def test_an_archive_of_torch_is_refused_in_words(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "a.zip")
    refused(tmp_path / "a.zip", "pickled Python, which can run any program when it is opened")
    (tmp_path / "a.zip").rename(tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "'model.pt' is pickled Python")
    (tmp_path / "b.zip").write_bytes(pickle.dumps({"a": 1}))
    refused(tmp_path / "b.zip", "it holds pickled Python")


def test_weights_that_torch_packed_are_refused_in_words(bundle_folder: Path, tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "weights")
    weights = (tmp_path / "weights").read_bytes()
    change = with_changes(weights=weights)
    refused(packed(tmp_path / "a.zip", change(content_of(bundle_folder))), "it holds pickled Python")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", content_of(bundle_folder))
    with zipfile.ZipFile(path, "a") as packing:
        packing.writestr(CARD, b"{}")
    refused(path, "have one name")


def test_a_link_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    files = content_of(bundle_folder)
    link = zipfile.ZipInfo(CARD)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = packed(tmp_path / "a.zip", {name: files[name] for name in (WEIGHTS, CONFIG)})
    with zipfile.ZipFile(path, "a") as packing:
        packing.writestr(link, "/etc/passwd")
    refused(path, "'card.json' is a link")


def test_a_file_beyond_its_size_is_refused_from_what_it_declares(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.zip", content_of(bundle_folder))
    monkeypatch.setitem(archive.MOST_BYTES, CONFIG, 100)
    monkeypatch.setattr(archives, "unpack", None)  # never comes so far
    refused(path, "config.json has", "at most")


def changed_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


def has_nan(weights: dict[str, torch.Tensor]) -> None:
    weights["codebook.codes"][0, 0] = torch.nan


def has_infinity(weights: dict[str, torch.Tensor]) -> None:
    weights["codebook.codes"][0, 0] = torch.inf


def has_other_codes(weights: dict[str, torch.Tensor]) -> None:
    weights["codebook.codes"] = torch.zeros(9, 8)


def has_another_shape(weights: dict[str, torch.Tensor]) -> None:
    weights["encoder.first.weight"] = torch.zeros(2, 2)


def has_one_more(weights: dict[str, torch.Tensor]) -> None:
    weights["more"] = torch.zeros(1)


def has_one_less(weights: dict[str, torch.Tensor]) -> None:
    del weights["codebook.codes"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (has_nan, "the weights codebook.codes are not finite"),
        (has_infinity, "the weights codebook.codes are not finite"),
        (has_other_codes, "the weights codebook.codes are (9, 8)"),
        (has_another_shape, "the weights encoder.first.weight are (2, 2)"),
        (has_one_more, "the weights more are not of this model"),
        (has_one_less, "the weights codebook.codes are missing"),
    ],
)
def test_weights_that_do_not_fit_are_refused_whatever_their_hash(
    bundle_folder: Path,
    tmp_path: Path,
    change: Callable[[dict[str, torch.Tensor]], object],
    words: str,
) -> None:
    folder = Path(shutil.copytree(bundle_folder, tmp_path / "elsewhere"))
    changed_weights(folder, change)
    archive.export(folder, tmp_path / "a.zip")
    shutil.rmtree(folder)
    refused(tmp_path / "a.zip", "a.zip", words)


def test_a_model_of_another_size_is_refused_before_it_is_made(bundle_folder: Path, tmp_path: Path) -> None:
    files = content_of(bundle_folder)
    config = json.loads(files[CONFIG])
    config["model"] |= {"n_hidden": 1_000_000, "n_latent": 1_000_000}
    refused(packed(tmp_path / "a.zip", {**files, CONFIG: json.dumps(config).encode()}), "not (1000000")


def test_what_is_in_the_way_stays(bundle_folder: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", content_of(bundle_folder))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(InputError, match="cannot be made"):
        archive.unpack(path, tmp_path / "out")
    assert content_of(tmp_path / "out") == {"mine": b"mine"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=3))
def test_flipped_bytes_are_refused_or_harmless(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    archive.export(bundle_folder, folder / "a.zip")
    content = bytearray((folder / "a.zip").read_bytes())
    for at, value in flips:
        content[at % len(content)] = value
    (folder / "a.zip").write_bytes(content)
    try:
        out = archive.unpack(folder / "a.zip", folder / "out")
    except InputError:
        assert [path.name for path in folder.iterdir()] == ["a.zip"]
    else:
        assert content_of(out) == content_of(bundle_folder)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([WEIGHTS, CONFIG, CARD, SUMS, "x"]), st.binary(max_size=60)))
def test_any_content_is_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, files: Content) -> None:
    folder = tmp_path_factory.mktemp("any")
    refused(packed(folder / "a.zip", files))
