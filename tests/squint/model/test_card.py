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
from squint.model.bundle import Bundle
from squint.model.card import CARD, CONFIG, WEIGHTS, BundleCard, read_card, read_records, weights_sha256
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
