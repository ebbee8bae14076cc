"""Products by oneDNN against those by torch."""

import pytest
import torch

from squint.nn import linear


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_onednn_is_used_where_there_is_a_cpu():
    assert linear._HAS_ONEDNN  # of the torch that squint is tested with


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (64,), (4, 6), ()])
@pytest.mark.parametrize("bias", [False, True])
def test_products_and_their_gradients_are_those_of_torch(shape, bias):
    layer = linear.Linear(5, 3, bias=bias)
    x = torch.randn(*shape, 5, requires_grad=True)
    upstream = torch.randn(*shape, 3)
    found = []
    for function in (layer, lambda x: torch.nn.functional.linear(x, layer.weight, layer.bias)):
        out = function(x)
        found.append([out, *torch.autograd.grad(out, [x, *layer.parameters()], upstream)])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(layer(x), found[0][0])


def test_rows_that_are_not_contiguous_are_multiplied_as_they_are():
    x, weight = torch.randn(6, 9).T, torch.randn(8, 6)[::2]
    assert torch.allclose(linear.product(x, weight), x @ weight.T, atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(RuntimeError):
        linear.product(torch.randn(4, 5), torch.randn(3, 6))


def test_without_onednn_and_in_other_precisions_torch_multiplies(monkeypatch):
    x, weight = torch.randn(4, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    assert torch.equal(linear.product(x, weight), x @ weight.T)
    monkeypatch.setattr(linear, "_multiply", None)
    monkeypatch.setattr(linear, "_HAS_ONEDNN", False)
    assert torch.allclose(linear.product(x.float(), weight.float()), (x @ weight.T).float(), atol=1e-6)
