"""A training that was ended, anyhow and anywhere, against one that was not."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save

import squint
from squint import datasets, keys
from squint.config import ModelConfig, TrainConfig
from squint.model.card import WEIGHTS
from squint.training import checkpoint
from squint.training.run import Run
from tests.helpers.small_disk import small_disk

pytestmark = pytest.mark.slow

MODEL = ModelConfig(n_codes=6, n_hidden=16, n_latent=8)
TRAIN = TrainConfig(
    n_epochs=6, batch_size=64, tile_size=16, continuous_fraction=0.5, context_steps=4, cells_held_out=0.1
)
CODEBOOK = 3  # epochs before it
CHILD = """
import sys, squint, torch
from squint.config import ModelConfig, TrainConfig

torch.set_num_threads({threads})  # sums have their last bit from how they are shared out
section = squint.datasets.toy(n_cells=160)
choices = {choices}
for epoch in squint.train(section, **choices, device="cpu", checkpoint=sys.argv[1]):
    print(epoch.number, flush=True)
"""


def section(seed=0):
    return datasets.toy(seed=seed, n_cells=160)


def train(folder, sections=None, **choices):
    given = {"model": MODEL, "train": TRAIN, "device": "cpu", "checkpoint": folder, **choices}
    return squint.train(section() if sections is None else sections, **given)


def end_after(folder, number, **choices):
    """Begin a training, and end it after an epoch; chance is left elsewhere than where it was."""
    training = train(folder, **choices)
    for epoch in training:
        if epoch.number == number:
            break
    training.close()
    torch.manual_seed(99)


def saved(bundle, folder):
    """Give all that a bundle holds, but when it was made."""
    bundle.save(folder)
    card = json.loads((folder / "card.json").read_text())
    del card["created"]
    return (folder / WEIGHTS).read_bytes(), (folder / "config.json").read_text(), card


def facts(epoch):
    return {**epoch._asdict(), "seconds": None, "bundle": None}


def kept(folder):
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    epochs = list(train(None))
    return [facts(epoch) for epoch in epochs], saved(epochs[-1].bundle, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("number", [1, CODEBOOK - 1, CODEBOOK, CODEBOOK + 1, TRAIN.n_epochs - 1])
def test_a_training_goes_on_after_any_epoch_as_if_it_had_not_ended(number, uninterrupted, tmp_path):
    end_after(tmp_path / "kept", number)
    epochs = list(train(tmp_path / "kept"))
    assert [epoch.number for epoch in epochs] == list(range(number + 1, TRAIN.n_epochs + 1))
    whole, bundle = uninterrupted
    assert [facts(epoch) for epoch in epochs] == whole[number:]
    assert saved(epochs[-1].bundle, tmp_path / "model") == bundle


def test_a_training_that_ends_after_each_epoch_ends_with_the_same_model(uninterrupted, tmp_path):
    for number in range(1, TRAIN.n_epochs):
        end_after(tmp_path / "kept", number)
    (last,) = train(tmp_path / "kept")
    assert saved(last.bundle, tmp_path / "model") == uninterrupted[1]


def test_after_the_last_epoch_it_is_given_again_until_the_caller_removes_it(uninterrupted, tmp_path):
    list(train(tmp_path / "kept"))
    again = list(train(tmp_path / "kept"))
    assert [facts(epoch) for epoch in again] == uninterrupted[0][-1:]
    assert saved(again[0].bundle, tmp_path / "model") == uninterrupted[1]
    (tmp_path / "kept" / f".{'0' * 32}.tmp").write_bytes(b"of a write that was killed")
    checkpoint.remove(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    checkpoint.remove(tmp_path / "kept")  # nothing is there, and nothing happens


def test_only_what_squint_kept_is_removed(tmp_path):
    end_after(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("mine")
    checkpoint.remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_one_file_is_kept_and_it_holds_no_pickle(tmp_path):
    end_after(tmp_path, 2)
    content = kept(tmp_path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])  # nothing but JSON, then numbers
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    assert len(content) == 8 + length + max(ends)
    assert json.loads(header["__metadata__"]["squint"])["epoch"]["number"] == 2


@pytest.mark.parametrize("number", [1, CODEBOOK + 1])
def test_a_killed_process_is_taken_up(number, uninterrupted, tmp_path):
    code = CHILD.format(choices={"model": MODEL, "train": TRAIN}, threads=torch.get_num_threads())
    command = [sys.executable, "-c", code, str(tmp_path / "kept")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == number:
                os.kill(child.pid, signal.SIGKILL)
                break
    assert child.wait() == -signal.SIGKILL
    epochs = list(train(tmp_path / "kept"))
    assert number < epochs[0].number <= number + 2  # it may have kept one more before it died
    assert saved(epochs[-1].bundle, tmp_path / "model") == uninterrupted[1]


@pytest.mark.parametrize("at", [0, 20, 3000, -1])
def test_a_damaged_checkpoint_is_not_used(at, uninterrupted, tmp_path, caplog):
    end_after(tmp_path / "kept", 2)
    path = kept(tmp_path / "kept")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert_begins_anew(uninterrupted, tmp_path, caplog)


@pytest.mark.parametrize("share", [0, 0.5])
def test_half_a_checkpoint_is_not_used(share, uninterrupted, tmp_path, caplog):
    end_after(tmp_path / "kept", 2)
    path = kept(tmp_path / "kept")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_begins_anew(uninterrupted, tmp_path, caplog)


def assert_begins_anew(uninterrupted, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "squint"):
        epochs = list(train(tmp_path / "kept"))
    (said,) = caplog.messages
    assert "damaged, and is not used" in said
    assert [facts(epoch) for epoch in epochs] == uninterrupted[0]
    assert saved(epochs[-1].bundle, tmp_path / "model") == uninterrupted[1]
    assert kept(tmp_path / "kept").name.startswith(f"epoch-{TRAIN.n_epochs}.")


def test_of_two_checkpoints_the_later_sound_one_counts(tmp_path, caplog):
    """A kill between writing one and removing the other leaves both."""
    end_after(tmp_path, 1)
    first = kept(tmp_path)
    content = first.read_bytes()
    end_after(tmp_path, 2)
    second = kept(tmp_path)
    first.write_bytes(content)
    assert next(train(tmp_path)).number == 3
    for path in tmp_path.iterdir():
        path.unlink()
    first.write_bytes(content)
    second.write_bytes(content)  # not what its name says
    assert next(train(tmp_path)).number == 2
    assert "damaged" in caplog.text


def turned():
    adata = section()
    return adata[::-1].copy()


def counted_again():
    adata = section()
    adata.X.data[0] += 1
    return adata


def hidden(number):
    mask = np.zeros(160, dtype=bool)
    mask[number] = True
    return [mask]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"model": replace(MODEL, n_codes=7)}, "choices of the model"),
        ({"train": replace(TRAIN, seed=1)}, "choices of the training"),
        ({"train": replace(TRAIN, n_epochs=7)}, "choices of the training"),
        ({"sections": section(seed=1)}, "sections or hidden cells"),
        ({"sections": counted_again()}, "sections or hidden cells"),
        ({"hidden": hidden(3)}, "sections or hidden cells"),
        ({"sections": turned()}, "order or labels of the cells"),
    ],
)
def test_another_training_does_not_go_on_from_it_nor_touch_it(other, words, tmp_path):
    end_after(tmp_path, 2)
    before = kept(tmp_path)
    content = before.read_bytes()
    with pytest.raises(squint.InputError, match=words):
        next(train(tmp_path, **other))
    assert kept(tmp_path) == before
    assert before.read_bytes() == content


def test_another_version_does_not_go_on_from_it(tmp_path, monkeypatch):
    end_after(tmp_path, 2)
    monkeypatch.setattr("squint.model.bundle.__version__", "9.9.9")
    with pytest.raises(squint.InputError, match="versions of squint"):
        next(train(tmp_path))


def test_another_way_of_training_is_refused(tmp_path, monkeypatch):
    end_after(tmp_path, 1)
    monkeypatch.setattr("squint.training.checkpoint.FORM", 3)
    with pytest.raises(squint.InputError, match="the way in which squint trains"):
        next(train(tmp_path))


def test_other_labels_are_another_training(tmp_path):
    model = replace(MODEL, covariates=(keys.CELL_TYPE,))
    end_after(tmp_path, 1, model=model)
    adata = section()
    types = adata.obs[keys.CELL_TYPE].astype(str).to_numpy()
    adata.obs[keys.CELL_TYPE] = types[::-1]
    with pytest.raises(squint.InputError, match="order or labels of the cells"):
        next(train(tmp_path, adata, model=model))


@pytest.mark.parametrize("change", ["codebook.codes", "optimiser.0.exp_avg", "recent.0", "chance.drawn"])
def test_a_checkpoint_that_fits_by_its_hash_alone_is_refused(change, tmp_path):
    """What only somebody who writes the hash himself can make: no traceback, and no half a state."""
    end_after(tmp_path, CODEBOOK + 1)
    path = kept(tmp_path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    (name,) = (name for name in tensors if name.endswith(change))
    tensors[name] = torch.zeros(3, 3, dtype=tensors[name].dtype)
    content = save(tensors, metadata)
    path.unlink()
    (tmp_path / f"epoch-4.{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    with pytest.raises(squint.InputError, match="not one that squint wrote"):
        next(train(tmp_path))


@pytest.mark.parametrize("metadata", [None, {"other": "{}"}, {"squint": "[]"}, {"squint": "{"}])
def test_tensors_that_say_nothing_of_their_training_are_not_used(metadata, tmp_path, caplog):
    content = save({"model.codebook.codes": torch.zeros(3)}, metadata)
    (tmp_path / f"epoch-2.{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    assert next(train(tmp_path)).number == 1
    assert "is damaged, and is not used" in caplog.text


def test_where_the_disk_is_full_the_checkpoint_of_before_stays(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        folder = disk.folder / "kept"
        end_after(folder, 1)
        before = kept(folder)
        disk.leave(4096)
        with pytest.raises(squint.InputError, match="disk is full"):
            list(train(folder))
        assert kept(folder) == before
        disk.clear()
        assert next(train(folder)).number == 2


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(squint.InputError, match="cannot be made"):
        next(train(tmp_path / "file"))


def test_several_processes_keep_no_checkpoint(tmp_path):
    with pytest.raises(squint.InputError, match="several processes"):
        next(train(tmp_path / "kept", fabric=Fabric(accelerator="cpu", devices=1)))
    assert not (tmp_path / "kept").exists()


def test_all_that_changes_from_epoch_to_epoch_is_kept():
    """Whoever adds to the state of a training is told to keep it too."""
    run = Run([section()], MODEL, TRAIN, None, torch.device("cpu"))
    assert set(vars(run)) == {
        *("bundle", "model", "optimiser", "forward", "rng", "generator", "recent"),  # kept, or made of it
        *("cohort", "own", "weight", "edges", "steps"),  # made of the sections and the seed
        *("choices", "n_epochs", "n_continuous", "fabric", "rank"),  # said
    }
