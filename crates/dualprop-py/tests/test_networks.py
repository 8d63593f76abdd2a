"""Networks and their parameters."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest

import dualprop


def same(a: dualprop.Network, b: dualprop.Network) -> bool:
    return repr(a) == repr(b) and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_network_is_a_mapping_of_its_parameters(image) -> None:
    network = image.network
    assert list(network) == network.keys() == [f"{kind}.{k}" for k in range(4) for kind in ("kernel", "bias")]
    shapes = {name: array.shape for name, array in dict(network).items()}
    assert shapes["kernel.0"] == (3, 3, 2, 4) and shapes["kernel.1"] == (5, 5, 4, 5) and shapes["kernel.2"] == (3 * 3 * 5, 8)
    assert len(network) == 8 and "bias.3" in network and "bias.4" not in network and 3 not in network
    assert sum(array.size for array in network.values()) == network.parameter_count
    assert all(array.dtype == network.dtype for _, array in network.items())


def test_reading_is_a_copy_and_writing_replaces(dense) -> None:
    network = dense.network
    before = network["kernel.1"]
    changed = network["kernel.1"]
    changed += 1
    assert np.array_equal(network["kernel.1"], before)
    network["kernel.1"] = changed
    assert np.array_equal(network["kernel.1"], changed)
    read_only = network["bias.0"]
    read_only.flags.writeable = False
    network["bias.0"] = read_only


def test_predictions_are_the_forward_pass(dense) -> None:
    network, x = dense.network, dense.x
    s = x
    for k in range(3):
        s = s @ network[f"kernel.{k}"] + network[f"bias.{k}"]
        s = np.tanh(s) if k < 2 else s
    np.testing.assert_allclose(network.predict(x), s, rtol=1e-5 if network.dtype == "float32" else 1e-12, atol=1e-6)


def test_predictions_do_not_depend_on_threads_or_on_how_many_there_are(problem) -> None:
    x = np.concatenate([problem.x] * 100)
    whole = problem.network.predict(x)
    assert np.array_equal(whole, problem.network.predict(x, threads=1))
    if problem.network.dtype == "float32":
        assert np.array_equal(whole[:3], problem.network.predict(x[:3]))


def test_images_may_be_flat(image) -> None:
    flat = image.x.reshape(len(image.x), -1)
    assert np.array_equal(image.network.predict(flat), image.network.predict(image.x))


def test_the_seed_draws_the_same_network_in_both_types() -> None:
    single, double = (dualprop.Network(4, [3], dtype=dtype, seed=5) for dtype in (np.float32, np.dtype("float64")))
    assert np.array_equal(double["kernel.0"].astype(np.float32), single["kernel.0"])
    assert not np.array_equal(single["kernel.0"], dualprop.Network(4, [3], seed=6)["kernel.0"])
    assert same(double.astype("float32"), single)


def test_copies_have_numbers_of_their_own(problem) -> None:
    network = problem.network
    for other in (network.copy(), copy.copy(network), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert same(network, other)
        other["bias.0"] = other["bias.0"] + 1
        assert not same(network, other)


def test_models_keep_every_bit(image, tmp_path) -> None:
    network = image.network
    shape = network.input
    network.preprocessing = (np.ones(shape, np.float32), np.full(shape, 2, np.float32))
    npz = tmp_path / "network.npz"
    dualprop.save_npz(network, npz)
    assert same(network, dualprop.load_npz(npz)) and dualprop.load_npz(npz).preprocessing is not None
    path = tmp_path / "model.safetensors"
    if network.dtype == "float64":
        with pytest.raises(ValueError, match="float64, and the file has float32"):
            network.save(path)
        network = network.astype("float32")
    network.save(path)
    again = dualprop.Network.load(path)
    assert same(network, again)
    pixels = np.full((1, *shape), 7, np.uint8)
    assert np.array_equal(again.inputs(pixels), np.full((1, *shape), 3, np.float32))
    pickled = pickle.loads(pickle.dumps(again))
    assert np.array_equal(pickled.inputs(pixels), again.inputs(pixels))


def test_a_file_that_is_no_network_is_told_so(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="missing.safetensors"):
        dualprop.Network.load(tmp_path / "missing.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no model")
    with pytest.raises(ValueError, match="broken.safetensors"):
        dualprop.Network.load(tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=r"expected a file that ends in .safetensors or .onnx"):
        dualprop.Network(2, [2]).save(tmp_path / "network.h5")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="no array `network`"):
        dualprop.load_npz(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", network=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        dualprop.load_npz(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("arguments", "keywords", "kind", "text"),
    [
        ((4, []), {}, ValueError, "at least one layer"),
        ((0, [2]), {}, ValueError, "network input"),
        ((4, ["dnse 3"]), {}, ValueError, r"layers\[0\] = \"dnse 3\""),
        ((4, [2.5]), {}, TypeError, r"layers\[0\] is 2.5"),
        ((4, ["conv 3 pool", 2]), {}, ValueError, "leaves nothing"),
        (("4", [2]), {}, TypeError, "input is 4"),
        ((4, [2], "rleu"), {}, ValueError, "did you mean `relu`"),
        ((4, [2]), {"dtype": "int32"}, TypeError, "expected float32 or float64"),
        ((4, [2]), {"initializer": "ones"}, ValueError, "unknown initializer"),
        ((1 << 40, [1 << 40]), {}, ValueError, "more elements than memory"),
        ((1 << 30, [1 << 15]), {}, MemoryError, "would need"),
        ((-1, [2]), {}, TypeError, "input is -1"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused(arguments, keywords, kind, text) -> None:
    with pytest.raises(kind, match=text):
        dualprop.Network(*arguments, **keywords)


def test_norms_are_those_of_numpy() -> None:
    network = dualprop.Network(5, [4, 3], dtype="float64")
    norms = network.spectral_norms()
    kernels = [network["kernel.0"], network["kernel.1"]]
    np.testing.assert_allclose(norms["gammas"], [np.linalg.norm(kernel, 2) for kernel in kernels], rtol=1e-12)
    np.testing.assert_allclose(norms["product"], np.linalg.norm(kernels[0] @ kernels[1], 2), rtol=1e-12)
    np.testing.assert_allclose(norms["dampings"], [max(0.0, (norms["gammas"][1] ** 2 - 1) / 2)], rtol=1e-12)


def test_networks_have_names() -> None:
    assert dualprop.Network.named("vgg16", (32, 32, 3), 10).depth == 16
    with pytest.raises(ValueError, match="did you mean `vgg16`"):
        dualprop.Network.named("vgg61", (32, 32, 3), 10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_a_fork_has_threads_of_its_own(dense) -> None:
    """The threads of a pool do not survive a fork; whoever waited for them would wait for ever."""
    expected = dense.network.predict(dense.x, threads=3)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(dense.network.predict(dense.x, threads=3), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
