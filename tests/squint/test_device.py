"""Which device computes where there is no GPU, or where its driver is too old, which is the same to torch."""

import logging

import pytest
import torch

from squint.device import pick_device
from squint.errors import InputError


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_without_a_gpu_that_can_be_used_the_cpu_computes_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")  # the torch that is made for GPUs
    with caplog.at_level(logging.WARNING):
        assert pick_device("auto") == torch.device("cpu")
    assert "finds no GPU that it can use" in caplog.text


def test_a_gpu_that_is_asked_for_and_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="Take --device cpu or auto"):
        pick_device("cuda")
    with pytest.raises(InputError, match="auto, cpu or cuda"):
        pick_device("tpu")
