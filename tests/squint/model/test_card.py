"""What a bundle says in JSON, and the hash of its weights."""

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint.errors import InputError
from squint.model import archive
from squint.model.about import parse_about
from squint.model.bundle import Bundle
from squint.model.card import CARD, CONFIG, WEIGHTS, BundleCard, read_card, read_records, weights_sha256
from tests.helpers.bundles import ABOUT, content_of, save_bundle
from tests.helpers.paths import ROOT

SHIPPED = [ROOT / "data_samples" / name for name in ("pretrained", "stack_model")]
JUNK = st.sampled_from([None, True, -1, 0, 1e300, "", "x", [], [1], ["x"], {}, {"a": "b"}])


def parts(node, path=()):
    """Give the path to every value within some JSON, no more than three of a list."""
    if path:
        yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node[:3]) if isinstance(node, list) else ()
    for key, value in inner:
        yield from parts(value, (*path, key))


PLACES = [
    (name, path) for name in (CONFIG, CARD) for path in parts(json.loads((SHIPPED[1] / name).read_text()))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED[1], tmp_path / "model"))


@pytest.mark.parametrize("shipped", SHIPPED)
def test_a_card_says_what_the_bundle_holds(shipped):
    bundle, card = Bundle.load(shipped), read_card(shipped)
    assert (card.model, card.train, card.genes) == (bundle.model_config, bundle.train_config, bundle.genes)
    assert (card.sections, card.categories) == (bundle.sections, bundle.categories)
    assert (card.distance_p99, card.depth) == (bundle.distance_p99, bundle.scale.depth)
    assert card.in_paints == (bundle.context is not None)
    assert card.n_shared([*bundle.genes[:5], "no gene of it"]) == 5
    assert weights_sha256(shipped) == bundle.sha256
    assert read_records(shipped) == card.sections


@pytest.mark.parametrize("shipped", SHIPPED)
def test_what_is_read_is_written_again_byte_for_byte(shipped, tmp_path):
    bundle = Bundle.load(shipped)
    bundle.save(tmp_path)
    assert (tmp_path / CONFIG).read_bytes() == (shipped / CONFIG).read_bytes()
    card, before = (json.loads((folder / CARD).read_text()) for folder in (tmp_path, shipped))
    assert list(card) == list(before)
    assert {**card, "versions": before["versions"]} == before
    assert (tmp_path / WEIGHTS).read_bytes() == (shipped / WEIGHTS).read_bytes()


def test_a_card_of_before_states_no_organ(folder):
    card = json.loads((folder / CARD).read_text())
    assert read_card(folder).organs == card.pop("organs") == ["kidney"]
    (folder / CARD).write_text(json.dumps(card))
    assert read_card(folder).organs == []


def test_a_card_of_before_says_nothing_of_its_data(folder):
    assert read_card(folder).about is None
    assert "about" not in json.loads((folder / CARD).read_text())
    assert "about" not in Bundle.load(folder).card


def test_what_is_said_of_the_data_stays_with_the_model(tmp_path):
    about = parse_about(ABOUT)
    folder = save_bundle(tmp_path / "model", about=about)
    assert read_card(folder).about == about
    assert json.loads((folder / CARD).read_text())["about"] == ABOUT
    archive.export(folder, tmp_path / "model.zip")
    other = archive.unpack(tmp_path / "model.zip", tmp_path / "other")
    assert Bundle.load(other).about == about
    assert content_of(other) == content_of(folder)


@pytest.mark.parametrize("junk", [None, [], "x", {}, {**ABOUT, "licence": 1}, {**ABOUT, "more": "x"}])
def test_a_card_that_says_something_else_of_its_data_is_refused(tmp_path, junk):
    folder = save_bundle(tmp_path / "model", about=parse_about(ABOUT))
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "about": junk}))
    with pytest.raises(InputError, match="do not fit together: about"):
        read_card(folder)


def test_cards_are_read_without_torch():
    code = (
        "import sys; from pathlib import Path; from squint.model.card import read_card, weights_sha256; "
        f"read_card(Path({str(SHIPPED[0])!r})); print({{'torch', 'anndata'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.sampled_from(PLACES), junk=JUNK)
def test_whatever_stands_in_a_file_it_is_read_or_refused(folder, place, junk):
    name, (*path, last) = place
    original = (SHIPPED[1] / name).read_text()
    changed = copy.deepcopy(json.loads(original))
    at = changed
    for key in path:
        at = at[key]
    at[last] = junk
    (folder / name).write_text(json.dumps(changed))
    with suppress(InputError):
        assert isinstance(read_card(folder), BundleCard)
    (folder / name).write_text(original)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b'{"sections": '])
@pytest.mark.parametrize("name", [CONFIG, CARD])
def test_a_file_that_holds_something_else_is_refused(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"damaged|do not fit together"):
        read_card(folder)


def test_files_of_two_models_do_not_fit_together(folder):
    shutil.copy(SHIPPED[0] / CARD, folder)
    with pytest.raises(InputError, match="name other sections"):
        read_card(folder)


def test_the_sections_of_a_broken_bundle_are_still_known(folder):
    (folder / CONFIG).write_text("broken")
    (folder / WEIGHTS).unlink()
    assert [record.name for record in read_records(folder)][:1] == ["SIM-H-stack-00"]
    (folder / CARD).unlink()
    with pytest.raises(InputError, match="damaged"):
        read_records(folder)


def test_weights_are_hashed_once_and_again_when_they_change(folder):
    path = folder / WEIGHTS
    first, written = weights_sha256(folder), path.stat()
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open("r+b") as file:  # in place, its size and time kept: whoever reads it again would see
        file.write(b"\0")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert weights_sha256(folder) == first
    path.write_bytes(b"other weights")
    assert weights_sha256(folder) == hashlib.sha256(b"other weights").hexdigest()
    path.unlink()
    with pytest.raises(InputError, match="not a model bundle"):
        weights_sha256(folder)


NAN, HUGE = float("nan"), 10**29
WRONG = [  # file, place, value, what is said of it
    (CONFIG, ("model", "dropout"), 5, "dropout"),
    (CONFIG, ("model", "dropout"), "0.1", "dropout"),
    (CONFIG, ("model", "dropout"), NAN, "dropout"),
    (CONFIG, ("model", "n_hidden"), "256", "n_hidden"),
    (CONFIG, ("model", "n_hidden"), True, "n_hidden"),
    (CONFIG, ("model", "n_hidden"), 256.5, "n_hidden"),
    (CONFIG, ("model", "n_hidden"), HUGE, "n_hidden"),
    (CONFIG, ("model", "n_genes"), [1000], "n_genes"),
    (CONFIG, ("model", "backbone"), ["sage"], "backbone"),
    (CONFIG, ("model", "covariates"), "position", "covariates"),
    (CONFIG, ("model", "covariates"), [3], "covariates"),
    (CONFIG, ("model", "covariates"), ["sex"], "categories"),
    (CONFIG, ("model", "learned_mask"), 1, "learned_mask"),
    (CONFIG, ("model", "decay"), None, "decay"),
    (CONFIG, ("model",), [], "model: a table"),
    (CONFIG, ("train",), "x", "train: a table"),
    (CONFIG, ("train", "learning_rate"), NAN, "learning_rate"),
    (CONFIG, ("train", "mask_noise"), -1, "mask_noise"),
    (CONFIG, ("train", "n_epochs"), "30", "n_epochs"),
    (CONFIG, ("train", "seed"), -1, "seed"),
    (CONFIG, ("depth",), 0, "depth"),
    (CONFIG, ("depth",), -1.0, "depth"),
    (CONFIG, ("depth",), NAN, "depth"),
    (CONFIG, ("depth",), 1e300, "depth"),
    (CONFIG, ("depth",), "151", "depth"),
    (CONFIG, ("depth",), None, "depth"),
    (CONFIG, ("genes",), "genes", "genes"),
    (CONFIG, ("genes",), {}, "genes"),
    (CONFIG, ("genes", 1), "NPHS1", "genes"),
    (CONFIG, ("genes", 1), 7, "genes"),
    (CONFIG, ("gene_shares",), [1.0], "gene_shares"),
    (CONFIG, ("gene_shares", 0), NAN, r"gene_shares\[0\]"),
    (CONFIG, ("gene_shares", 2), -0.1, r"gene_shares\[2\]"),
    (CONFIG, ("gene_shares", 2), 0, r"gene_shares\[2\]"),
    (CONFIG, ("gene_shares", 2), 0.5, "gene_shares: they add up to"),
    (CONFIG, ("gene_shares", 2), "0.1", r"gene_shares\[2\]"),
    (CONFIG, ("categories",), [], "categories"),
    (CONFIG, ("categories",), {"sex": ["f"]}, "categories"),
    (CONFIG, ("distance_p99",), -0.1, "distance_p99"),
    (CONFIG, ("distance_p99",), 1e30, "distance_p99"),
    (CONFIG, ("distance_p99",), None, "distance_p99"),
    (CONFIG, ("context_components",), 1.5, "context_components"),
    (CONFIG, ("context_components",), -1, "context_components"),
    (CONFIG, ("context_components",), 10**6, "context_components"),
    (CARD, ("sections",), {}, "sections"),
    (CARD, ("sections", 0), [], r"sections\[0\]"),
    (CARD, ("sections", 0, "name"), 3, r"sections\[0\].name"),
    (CARD, ("sections", 0, "sha256"), "0", r"sections\[0\].sha256"),
    (CARD, ("sections", 0, "n_cells"), -1, r"sections\[0\].n_cells"),
    (CARD, ("sections", 0, "n_cells"), "9", r"sections\[0\].n_cells"),
    (CARD, ("sections", 0, "n_cells"), 2, r"sections\[0\].hidden"),
    (CARD, ("sections", 0, "hidden"), "cells", r"sections\[0\].hidden"),
    (CARD, ("sections", 0, "wings"), 2, r"sections\[0\]: .wings"),
    (CARD, ("metrics",), [], "metrics"),
    (CARD, ("metrics", "perplexity"), "high", "metrics.perplexity"),
    (CARD, ("metrics", "perplexity"), float("inf"), "metrics.perplexity"),
    (CARD, ("created",), 3, "created"),
    (CARD, ("created",), "yesterday", "created"),
    (CARD, ("simulated",), "no", "simulated"),
    (CARD, ("simulated",), 0, "simulated"),
    (CARD, ("organs",), "kidney", "organs: a list of names"),
    (CARD, ("organs",), [1], "organs: a list of names"),
    (CARD, ("organs",), ["kidney", "kidney"], "organs"),
]


def put(folder, name, path, value):
    """Change one value of a JSON file of a bundle."""
    content = json.loads((SHIPPED[1] / name).read_text())
    *way, last = path
    at = content
    for key in way:
        at = at[key]
    at[last] = value
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(("name", "path", "value", "said"), WRONG)
def test_a_value_that_no_training_writes_is_refused_by_its_name(folder, name, path, value, said):
    put(folder, name, path, value)
    with pytest.raises(InputError, match=rf"^[^\n]*: {said}[^\n]*$"):
        read_card(folder)


@pytest.mark.parametrize("missing", ["depth", "genes", "gene_shares", "model", "train", "categories"])
def test_a_value_that_is_missing_is_named(folder, missing):
    config = json.loads((folder / CONFIG).read_text())
    del config[missing]
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"'{missing}' is missing"):
        read_card(folder)


def test_what_was_not_measured_is_no_fault(folder):
    put(folder, CONFIG, ("distance_p99",), NAN)
    put(folder, CARD, ("metrics", "perplexity"), NAN)
    assert read_card(folder).distance_p99 != read_card(folder).distance_p99


def test_a_folder_of_an_impossible_name_is_no_bundle():
    with pytest.raises(InputError, match="is not a model bundle"):
        read_card(Path("x" * 5_000))
