"""Networks in PyTorch and back."""

from __future__ import annotations

import numpy as np
import pytest

import dualprop

torch = pytest.importorskip("torch", reason="SKIPPED: PyTorch is not installed; `make test-torch` installs it")
nn = torch.nn

from dualprop.torch import from_torch, to_torch  # noqa: E402

ACTIVATIONS = ["relu", "leaky_relu", "hard_sigmoid", "sigmoid", "tanh", "identity"]
NETWORKS = [
    (5, [7, 6, 3]),
    ((4, 3, 2), [7, 3]),
    ((7, 6, 2), ["conv 4 pool", "conv 5 5x5", "conv 6 pool", "dense 8", "dense 3"]),
    ((9, 9, 1), ["conv 3 1x1", "conv 4 pool", "dense 3"]),
]


def images(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2) if x.ndim == 4 else torch.from_numpy(x)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("order", ["before_activation", "after_activation"])
@pytest.mark.parametrize(("input", "layers"), NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back(input, layers, activation, order, dtype) -> None:
    network = dualprop.Network(input, layers, activation, pool_order=order, bias_initializer="normal", dtype=dtype)
    shape = (5, input) if isinstance(input, int) else (5, *input)
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    module = to_torch(network)
    found = module(images(x)).detach().numpy()
    np.testing.assert_allclose(found, network.predict(x), atol=1e-5 if dtype == "float32" else 1e-12)
    again = from_torch(module, input)
    assert again.dtype == dtype and all(np.array_equal(again[name], network[name]) for name in network)
    assert np.array_equal(again.predict(x), network.predict(x))


def test_gradients_of_backpropagation_agree() -> None:
    network = dualprop.Network((7, 6, 2), ["conv 4 pool", "dense 8", "dense 3"], "tanh", dtype="float64")
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(5, 7, 6, 2)), np.array([0, 1, 2, 1, 0])
    module = to_torch(network)
    nn.functional.cross_entropy(module(images(x)), torch.from_numpy(y)).backward()
    own = dualprop.backprop(network, x, y)
    convolution = module[0]
    np.testing.assert_allclose(own["kernel.0"], convolution.weight.grad.permute(2, 3, 1, 0).numpy(), atol=1e-12)
    np.testing.assert_allclose(own["bias.2"], module[-1].bias.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "input", "text"),
    [
        ([nn.Linear(4, 3), nn.Softmax(1)], 4, "module 1, Softmax.*no counterpart"),
        ([nn.Linear(4, 3), nn.ReLU()], 4, "after which there is an activation"),
        ([nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)], 4, "different activations, relu, tanh"),
        ([nn.Linear(4, 3)], 5, "takes 4 inputs, but below it are 1 x 1 x 5"),
        ([nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 2)], (4, 4, 2), "keep its size"),
        ([nn.Conv2d(2, 3, 3, padding=1, stride=2), nn.Flatten(), nn.Linear(3, 2)], (4, 4, 2), "stride 1"),
        ([nn.ReLU()], 4, "expected a Linear or Conv2d before it"),
        ([nn.BatchNorm1d(4), nn.Linear(4, 3)], 4, "expected a Linear or Conv2d before it"),
        ([nn.Conv2d(2, 3, 3, padding=1), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(3, 2)], (4, 4, 2), r"expected one MaxPool2d\(2\)"),
        ([nn.LeakyReLU(0.2)], 4, "expected"),
        ([], 4, "no Linear or Conv2d"),
    ],
)  # fmt: skip
def test_modules_that_are_none(parts, input, text) -> None:
    with pytest.raises(ValueError, match=text):
        from_torch(nn.Sequential(*parts), input)
    with pytest.raises(ValueError, match="expected a torch.nn.Sequential"):
        from_torch(nn.Linear(2, 2), 2)


def test_layers_without_bias_and_shared_activations_are_understood() -> None:
    act = nn.ReLU()
    module = nn.Sequential(nn.Linear(4, 5, bias=False), act, nn.Dropout(0.5), nn.Linear(5, 5), act, nn.Sequential(nn.Linear(5, 3)))
    network = from_torch(module, 4)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(network.predict(x), module.eval()(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
    assert not network["bias.0"].any()
