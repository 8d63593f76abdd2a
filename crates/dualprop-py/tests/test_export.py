"""Networks as ONNX, checked by ONNX itself and run by its own runtime."""

from __future__ import annotations

import numpy as np
import pytest

import dualprop

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NETWORKS = [
    (5, [7, 6, 3]),
    ((4, 3, 2), [7, 3]),
    ((7, 6, 2), ["conv 4 pool", "conv 5 5x5", "conv 6 pool", "dense 8", "dense 3"]),
]


def run(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    images = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x
    (logits,) = session.run(None, {entry.name: images})
    return entry.name, logits


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "hard_sigmoid", "sigmoid", "tanh", "identity"])
@pytest.mark.parametrize("order", ["before_activation", "after_activation"])
@pytest.mark.parametrize(("input", "layers"), NETWORKS)
def test_the_runtime_predicts_the_same(input, layers, order, activation, tmp_path) -> None:
    network = dualprop.Network(input, layers, activation, pool_order=order, bias_initializer="normal")
    path, shape = tmp_path / "network.onnx", (5, input) if isinstance(input, int) else (5, *input)
    network.save(path)
    onnx.checker.check_model(str(path), full_check=True)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    name, logits = run(path, x)
    assert name == "x"
    np.testing.assert_allclose(logits, network.predict(x), rtol=1e-5, atol=1e-5)


def test_a_trained_model_takes_pixels(tmp_path) -> None:
    settings = {"training.epochs": 2, "data.normalization": "standardize"}
    network = dualprop.Trainer("digits", settings).fit(runs=tmp_path).network
    pixels = dualprop.datasets.load("digits").train.images[:50]
    network.save(tmp_path / "digits.onnx")
    name, logits = run(tmp_path / "digits.onnx", pixels.astype(np.float32))
    assert name == "pixels"
    np.testing.assert_allclose(logits, network.predict(network.inputs(pixels)), rtol=1e-4, atol=1e-4)


def test_float64_is_not_rounded_in_silence(tmp_path) -> None:
    network = dualprop.Network(4, [3], dtype="float64")
    with pytest.raises(ValueError, match="float64, and the file has float32"):
        network.save(tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()
