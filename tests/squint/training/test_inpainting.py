"""In-painting learned after the training, against in-painting learned at its end."""

import json
from dataclasses import replace

import numpy as np
import pytest

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.model.card import CONFIG, WEIGHTS
from squint.training.data import records

pytestmark = pytest.mark.slow

MODEL = ModelConfig(n_codes=6, n_hidden=16, n_latent=8, covariates=(keys.CELL_TYPE,))
AT_ONCE = TrainConfig(n_epochs=2, batch_size=64, tile_size=16, context_steps=6, cells_held_out=0.1)
WITHOUT = replace(AT_ONCE, context_steps=0)


def cohort():
    """Give two files of two sections each."""
    first, second = (datasets.toy(seed=seed, n_cells=200) for seed in (0, 1))
    second.obs[keys.SECTION] = [f"other-{name}" for name in second.obs[keys.SECTION]]
    return [first, second]


def train(choices):
    mask = np.zeros(200, dtype=bool)
    mask[:20] = True  # beside those held out
    *_, last = squint.train(
        cohort(), model=MODEL, train=choices, hidden=[mask, np.zeros(200, dtype=bool)], device="cpu"
    )
    return last.bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a model that learned all at once, and one that cannot in-paint."""
    folder = tmp_path_factory.mktemp("models")
    train(AT_ONCE).save(folder / "at_once")
    train(WITHOUT).save(folder / "without")
    return folder


def test_what_is_learned_afterwards_is_what_is_learned_at_once(folder, tmp_path):
    bundle = squint.learn_to_inpaint(squint.Bundle.load(folder / "without"), cohort(), n_steps=6)
    bundle.save(tmp_path)
    for name in (WEIGHTS, CONFIG):
        assert (tmp_path / name).read_bytes() == (folder / "at_once" / name).read_bytes()
    cards = [json.loads((at / "card.json").read_text()) for at in (tmp_path, folder / "at_once")]
    assert cards[0]["sections"] == cards[1]["sections"]
    assert cards[0]["metrics"] == cards[1]["metrics"]


def test_the_order_of_files_cells_and_genes_does_not_matter(folder, tmp_path):
    first, second = cohort()
    turned = [second[::-1].copy(), first[:, ::-1].copy()]
    squint.learn_to_inpaint(squint.Bundle.load(folder / "without"), turned, n_steps=6).save(tmp_path)
    assert (tmp_path / WEIGHTS).read_bytes() == (folder / "at_once" / WEIGHTS).read_bytes()


def test_tokens_stay_what_they_were_and_the_model_in_paints(folder, tmp_path):
    before = squint.Bundle.load(folder / "without")
    squint.learn_to_inpaint(before, cohort(), n_steps=6).save(tmp_path)
    after = squint.Bundle.load(tmp_path)
    for adata in cohort():
        found = [tl.tokenize(adata, bundle, copy=True) for bundle in (before, after)]
        for key in (keys.TOKENS, keys.LATENT):
            assert np.array_equal(*(one.obsm[key] for one in found))
    assert before.sha256 != after.sha256  # the hash is that of all weights
    with pytest.raises(squint.InputError, match="cannot in-paint"):
        tl.inpaint(cohort()[0], before)
    painted = tl.inpaint(cohort()[0], after, copy=True)
    protocol = painted.uns[keys.PROVENANCE]["inpainting"]["protocol"]
    assert set(protocol.values()) == {"trained without these cells"}


def test_what_is_hidden_does_not_enter(folder):
    """The counts of a hidden cell, which the hash of its section covers, are changed on both sides."""
    bundle = squint.Bundle.load(folder / "without")
    sections = cohort()
    learned = squint.learn_to_inpaint(bundle, sections, n_steps=6)
    changed = cohort()
    dense = changed[0].X.toarray()
    dense[changed[0].obs_names == bundle.sections[0].hidden[0]] += 100
    changed[0].X = type(changed[0].X)(dense)
    listed = {record.name: record.hidden for record in bundle.sections}
    hidden = [
        np.array(
            [
                cell in listed[name]
                for cell, name in zip(adata.obs_names, adata.obs[keys.SECTION], strict=True)
            ]
        )
        for adata in changed
    ]
    told = replace(bundle, sections=records(changed, bundle.genes, hidden))
    again = squint.learn_to_inpaint(told, changed, n_steps=6)
    for name, tensor in learned.context.state_dict().items():
        assert (tensor == again.context.state_dict()[name]).all(), name


def test_other_sections_are_refused(folder):
    bundle = squint.Bundle.load(folder / "without")
    first, second = cohort()
    with pytest.raises(squint.InputError, match=r"other-.* too"):
        squint.learn_to_inpaint(bundle, first)
    with pytest.raises(squint.InputError, match="lack"):
        squint.learn_to_inpaint(bundle, [first, second[:, 1:].copy()])
    changed = second.copy()
    changed.X.data[0] += 1
    with pytest.raises(squint.InputError, match=r"was not trained on other-.* as it is here"):
        squint.learn_to_inpaint(bundle, [first, changed])
    renamed = first.copy()
    renamed.obs_names = [f"new-{name}" for name in renamed.obs_names]  # nobody knows what was hidden
    with pytest.raises(squint.InputError, match="hidden cells differ"):
        squint.learn_to_inpaint(bundle, [renamed, second])
    third = datasets.toy(seed=2, n_cells=200)
    third.obs[keys.SECTION] = [f"third-{name}" for name in third.obs[keys.SECTION]]
    with pytest.raises(squint.InputError, match="not trained on third-"):
        squint.learn_to_inpaint(bundle, [first, second, third])


def test_no_steps_and_too_few_cells_are_refused(folder):
    with pytest.raises(squint.InputError, match="n_steps"):
        squint.learn_to_inpaint(squint.Bundle.load(folder / "without"), cohort(), n_steps=0)
    few = datasets.toy(n_cells=60)[:20].copy()
    *_, last = squint.train(few, model=ModelConfig(n_codes=4), train=replace(WITHOUT, cells_held_out=0))
    with pytest.raises(squint.InputError, match="too few cells"):
        squint.learn_to_inpaint(last.bundle, few)
