import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import squint
from squint import datasets, keys
from squint.config import ModelConfig, TrainConfig
from squint.model.bundle import Bundle
from squint.model.card import CARD, CONFIG, WEIGHTS
from squint.model.section_hash import section_sha256


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Give a folder with a small trained bundle; tests that damage it copy it first."""
    folder = tmp_path_factory.mktemp("bundle")
    *_, last = squint.train(
        datasets.toy(n_cells=200),
        model=ModelConfig(n_codes=5, n_hidden=16, n_latent=8),
        train=TrainConfig(n_epochs=2, context_steps=10),
    )
    last.bundle.save(folder)
    return folder


@pytest.fixture
def bundle_folder(saved, tmp_path):
    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_a_saved_bundle_gives_the_same_tokens_when_loaded_again(saved, tmp_path):
    first, second = datasets.toy(n_cells=200), datasets.toy(n_cells=200)
    bundle = Bundle.load(saved)
    squint.tl.tokenize(first, bundle)
    bundle.save(tmp_path)
    squint.tl.tokenize(second, Bundle.load(tmp_path))
    assert (first.obs[keys.TOKEN] == second.obs[keys.TOKEN]).all()
    assert first.uns[keys.PROVENANCE]["model_sha256"] == second.uns[keys.PROVENANCE]["model_sha256"]


def test_a_bundle_is_three_files_without_pickle(saved):
    assert sorted(file.name for file in saved.iterdir()) == sorted([WEIGHTS, CONFIG, CARD])
    config = json.loads((saved / CONFIG).read_text())
    assert {"model", "train", "genes", "sections"} <= set(config)
    card = json.loads((saved / CARD).read_text())
    assert {"sections", "metrics", "protocol", "created", "licence", "intended_use"} <= set(card)
    assert card["sections"][0]["sha256"] == _sha256_of_first_section()


def _sha256_of_first_section():
    section = datasets.toy(n_cells=200)
    first = section.obs[keys.SECTION].astype(str) == str(section.obs[keys.SECTION].iloc[0])
    return section_sha256(section[first.to_numpy()])


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, CARD])
def test_a_missing_file_is_named(bundle_folder, name):
    (bundle_folder / name).unlink()
    with pytest.raises(squint.InputError, match=name):
        Bundle.load(bundle_folder)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, CARD])
def test_a_truncated_file_is_refused(bundle_folder, name):
    content = (bundle_folder / name).read_bytes()
    (bundle_folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(squint.InputError, match="damaged"):
        Bundle.load(bundle_folder)


def test_weights_of_another_shape_are_refused(bundle_folder):
    weights = load_file(bundle_folder / WEIGHTS)
    weights["codebook.codes"] = torch.zeros(9, 8)
    save_file(weights, bundle_folder / WEIGHTS)
    with pytest.raises(squint.InputError, match="do not fit together"):
        Bundle.load(bundle_folder)


def test_weights_that_are_not_finite_are_refused(bundle_folder):
    weights = load_file(bundle_folder / WEIGHTS)
    weights["codebook.codes"][0, 0] = np.nan
    save_file(weights, bundle_folder / WEIGHTS)
    with pytest.raises(squint.InputError, match="not finite"):
        Bundle.load(bundle_folder)


@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, np.nan, 1e7])
def test_weights_that_no_training_gives_are_refused_by_name(bundle_folder, value):
    weights = load_file(bundle_folder / WEIGHTS)
    weights["encoder.first.weight"][0, 0] = value
    save_file(weights, bundle_folder / WEIGHTS)
    with pytest.raises(squint.InputError, match=r"damaged: the weights encoder\.first\.weight"):
        Bundle.load(bundle_folder)


def test_latents_that_overflow_give_no_tokens(saved):
    """Each weight may be sound, and what they make together not."""
    bundle, adata = Bundle.load(saved), datasets.toy(n_cells=200)
    with torch.no_grad():
        for weights in bundle.model.encoder.parameters():
            weights.fill_(1e20)
    with pytest.raises(squint.InputError, match="latents that are not finite"):
        squint.tl.tokenize(adata, bundle)
    assert keys.TOKEN not in adata.obs


def test_a_model_of_another_size_is_refused_before_it_is_made(bundle_folder):
    """Made in full, its weights would fill four terabytes."""
    config = json.loads((bundle_folder / CONFIG).read_text())
    config["model"] |= {"n_hidden": 1_000_000, "n_latent": 1_000_000}
    (bundle_folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(squint.InputError, match=r"the weights .* are .*, not "):
        Bundle.load(bundle_folder)


def test_weights_of_another_kind_are_refused(bundle_folder):
    weights = load_file(bundle_folder / WEIGHTS)
    weights["encoder.first.bias"] = weights["encoder.first.bias"].long()
    save_file(weights, bundle_folder / WEIGHTS)
    with pytest.raises(squint.InputError, match=r"encoder\.first\.bias are \(16,\) torch\.int64"):
        Bundle.load(bundle_folder)


def test_unknown_choices_are_refused(bundle_folder):
    config = json.loads((bundle_folder / CONFIG).read_text())
    config["model"]["n_wings"] = 2
    (bundle_folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(squint.InputError, match="n_wings"):
        Bundle.load(bundle_folder)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, CARD])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", "a folder"])
def test_what_is_said_of_a_bad_bundle_does_not_say_where_it_lies(bundle_folder, name, content):
    (bundle_folder / name).unlink()
    if isinstance(content, bytes):
        (bundle_folder / name).write_bytes(content)
    elif content is not None:
        (bundle_folder / name).mkdir()
    with pytest.raises(squint.InputError) as refused:
        Bundle.load(bundle_folder)
    assert bundle_folder.name in str(refused.value)
    assert str(bundle_folder.parent) not in str(refused.value)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(squint.InputError, match="not a model bundle"):
        Bundle.load(tmp_path / "nowhere")
