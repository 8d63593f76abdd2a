"""Data sets, and pickles that are not trusted."""

from __future__ import annotations

import http.server
import os
import pickle
import threading

import numpy as np
import pytest

from dualprop import Trainer, datasets


def test_the_digits_are_there() -> None:
    digits = datasets.load("digits")
    assert digits.train.images.shape == (1797, 8, 8, 1) and digits.train.images.dtype == np.uint8 and digits.largest == 16
    assert digits.train.labels.min() == 0 and digits.train.labels.max() == 9 and digits.test is None
    assert digits.train.images.flags.writeable and digits.input == (8, 8, 1)


def test_what_is_not_there_is_told_so(tmp_path) -> None:
    with pytest.raises(ValueError, match="did you mean `mnist`"):
        datasets.load("mnits")
    with pytest.raises((ValueError, OSError), match="mnist"):
        datasets.load("mnist", data_dir=tmp_path)
    assert {entry["name"] for entry in datasets.known()} >= {"digits", "mnist", "cifar-10", "imagenet32"}


class Nothing(http.server.BaseHTTPRequestHandler):
    """A server that has no file."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *arguments) -> None:
        pass


def test_a_fetch_that_fails_names_every_address(tmp_path) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/mnist/"
        with pytest.raises(OSError, match=f"{address}train-images-idx3-ubyte.gz.*404"):
            datasets.fetch("mnist", data_dir=tmp_path, mirrors=[address], only_mirrors=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    with pytest.raises(ValueError, match="did you mean `mnist`"):
        datasets.fetch("mnits", data_dir=tmp_path)
    with pytest.raises(OSError, match="cannot be fetched without you"):
        datasets.fetch("imagenet32", data_dir=tmp_path)


def batch(samples: int, classes: int, seed: int, labels: str = "labels", first: int = 0) -> dict:
    draw = np.random.default_rng(seed)
    data = draw.integers(0, 256, (samples, 3072), dtype=np.uint8)
    return {"data": data, labels: [int(label) + first for label in draw.integers(0, classes, samples)], "batch_label": "x"}


def cifar(folder, protocol: int = 2, **changed) -> list[dict]:
    """A CIFAR-10 of 21 samples, as its authors pickled it."""
    batches = [batch(4 if i < 6 else 1, 10, i) | changed for i in range(1, 7)]
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name, content in zip(names, batches):
        (folder / name).write_bytes(pickle.dumps({key.encode(): value for key, value in content.items()}, protocol=protocol))
    return batches


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_become_what_training_reads(tmp_path, protocol) -> None:
    batches = cifar(tmp_path, protocol)
    out = tmp_path / "imported" / "cifar"
    assert datasets.convert("cifar-10", tmp_path, out) == {"train": 20, "test": 1}
    assert sorted(os.listdir(out)) == ["test.safetensors", "train.safetensors"]
    found = datasets.load(str(out))
    assert found.name == "cifar-10" and found.test is not None and found.input == (32, 32, 3)
    first = batches[0]["data"][0].reshape(3, 32, 32)
    assert np.array_equal(found.train.images[0], first.transpose(1, 2, 0))
    assert found.train.labels[:4].tolist() == batches[0]["labels"] and found.test.labels.tolist() == batches[5]["labels"]
    settings = {"data.dataset": str(out), "data.validation": 4, "data.split": "last", "training.epochs": 1, "training.batch_size": 4,
                "network.layers": ["dense 10"]}  # fmt: skip
    assert Trainer("digits", settings).fit(runs=tmp_path).summary is not None


def test_labels_of_imagenet_begin_with_one(tmp_path) -> None:
    for i in range(1, 11):
        content = batch(2, 1000, i, first=1)
        (tmp_path / f"train_data_batch_{i}").write_bytes(pickle.dumps(content | {"mean": np.zeros(3072)}))
    (tmp_path / "val_data").write_bytes(pickle.dumps(batch(3, 1000, 0, first=1)))
    datasets.convert("imagenet32", tmp_path, tmp_path / "out")
    found = datasets.load(str(tmp_path / "out"))
    assert found.test is not None and found.test.labels.tolist() == [label - 1 for label in batch(3, 1000, 0, first=1)["labels"]]


class Evil:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (Evil(), "it wants to build (posix|nt).system; expected nothing but arrays"),
        ({"data": Evil()}, "it wants to build"),
        ({"data": np.array([Evil()], dtype=object)}, "expected arrays of numbers|wants to build"),
        ({"data": np.zeros(3, dtype=[("a", "u1")])}, "expected arrays of numbers|it wants to build"),
        ({"data": np.zeros((1, 3072))}, "`data` is float64 of shape"),
        ({"data": np.zeros((1, 5), np.uint8)}, r"expected uint8 of shape \(n, 3072\)"),
        ({"data": "text"}, "`data` is str"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "`labels` are not 1 whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0, 1]}, "`labels` are not 1 whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]}, "`labels` are not 1 whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}, "its labels go from 10 to 10, expected 0 to 9"),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, "are not 0 whole numbers"),
        ([1, 2], "its content is a list, expected a dict"),
    ],
)  # fmt: skip
def test_pickles_that_are_none(tmp_path, monkeypatch, content, text) -> None:
    monkeypatch.chdir(tmp_path)
    cifar(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=text) as raised:
        datasets.convert("cifar-10", tmp_path, tmp_path / "out")
    assert "data_batch_3" in str(raised.value)
    assert not (tmp_path / "harmed").exists() and os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"cos\nsystem\n(S'touch harmed'\ntR."])
def test_bytes_that_are_no_pickle(tmp_path, monkeypatch, content) -> None:
    monkeypatch.chdir(tmp_path)
    cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(ValueError, match="test_batch: no pickled batch"):
        datasets.convert("cifar-10", tmp_path, tmp_path / "out")
    assert not (tmp_path / "harmed").exists()


def test_missing_batches_are_named(tmp_path) -> None:
    cifar(tmp_path)
    (tmp_path / "data_batch_2").unlink()
    with pytest.raises(FileNotFoundError, match="no data_batch_2 in it"):
        datasets.convert("cifar-10", tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="unknown pickled data set 'cifar'"):
        datasets.convert("cifar", tmp_path, tmp_path / "out")
