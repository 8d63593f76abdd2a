"""The pickled versions of CIFAR-10, CIFAR-100 and ImageNet 32 x 32, read without trusting them."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core


class _Dtype:
    """A type of numbers in a pickle: what ``numpy.dtype`` is to it."""

    def __init__(self, code: Any, *_: Any) -> None:
        found = np.dtype(code) if isinstance(code, str) else np.dtype(object)
        if found.kind not in "biuf":
            raise pickle.UnpicklingError(f"it has an array of {code!r}; expected arrays of numbers")
        self.dtype: np.dtype[Any] = found

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array in a pickle: what ``numpy.ndarray`` is to it. NumPy's own would believe whatever a file says of its memory."""

    def __init__(self, *_: Any) -> None:
        self.array: npt.NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        raw = content.encode("latin1") if isinstance(content, str) else content
        if not isinstance(kind, _Dtype) or not isinstance(raw, bytes):
            raise pickle.UnpicklingError("it has an array that is not made of bytes; expected arrays of numbers")
        self.array = np.frombuffer(raw, dtype=kind.dtype).reshape(shape, order="F" if is_fortran else "C")


def _from_buffer(buffer: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """How protocol 5 has an array."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(buffer)))
    return array


def _encode(text: Any, encoding: Any) -> bytes:
    """How the bytes of Python 2 stand in a pickle of Python 3."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"it wants to encode by {encoding!r}; expected latin1")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that can build arrays, texts, numbers, lists and dicts, and call nothing else.

    A pickle is a program. What it may call is written above, and nothing of that runs code of the file's.
    """

    _CALLABLE: dict[tuple[str, str], Any] = {
        (module, name): own
        for home in ("numpy.core", "numpy._core")
        for module, name, own in (
            (f"{home}.multiarray", "_reconstruct", _Array),
            (f"{home}.numeric", "_frombuffer", _from_buffer),
            ("numpy", "ndarray", _Array),
            ("numpy", "dtype", _Dtype),
            ("_codecs", "encode", _encode),
        )
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._CALLABLE[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it wants to build {module}.{name}; expected nothing but arrays, texts, numbers, lists and dicts"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside; expected nothing but arrays, texts, numbers, lists and dicts")


def _load(path: Path) -> dict[str, Any]:
    """The dict in a pickled batch, its keys as texts."""
    try:
        with open(path, "rb") as file:
            batch = _ArraysOnly(file, encoding="latin1").load()
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: no pickled batch: {error}") from error
    if not isinstance(batch, dict):
        raise ValueError(f"{path}: its content is a {type(batch).__name__}, expected a dict")
    plain = {key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in batch.items()}
    return {key: value.array if isinstance(value, _Array) else value for key, value in plain.items()}


class _Version:
    """A data set as it was pickled."""

    def __init__(self, classes: int, labels: str, first_label: int, train: list[str], test: list[str]) -> None:
        self.classes, self.labels, self.first_label, self.files = classes, labels, first_label, (train, test)


_VERSIONS = {
    "cifar-10": _Version(10, "labels", 0, [f"data_batch_{i}" for i in range(1, 6)], ["test_batch"]),
    "cifar-100": _Version(100, "fine_labels", 0, ["train"], ["test"]),
    "imagenet32": _Version(1000, "labels", 1, [f"train_data_batch_{i}" for i in range(1, 11)], ["val_data"]),
}


def convert(name: str, source: str | os.PathLike[str], folder: str | os.PathLike[str]) -> dict[str, int]:
    """Import the pickled version of a data set ("for Python") into the format that training reads in place.

    The pickles are read by an unpickler that can build nothing but arrays: they may come from anywhere.

    Parameters
    ----------
    name : str
        "cifar-10", "cifar-100" or "imagenet32".
    source : str or path
        The folder of the pickled files: ``data_batch_1`` ... and ``test_batch``; ``train`` and ``test``; ``train_data_batch_1`` ...
        and ``val_data``.
    folder : str or path
        Where ``train.safetensors`` and ``test.safetensors`` are put; as ``data.dataset`` it is what a recipe takes.

    Returns
    -------
    dict of str to int
        How many samples each part has.

    Raises
    ------
    ValueError
        For an unknown name, and for a file that is no such batch, or whose pickle wants to build anything else.
    OSError
        If a file cannot be read or written.
    """
    if name not in _VERSIONS:
        raise ValueError(f"unknown pickled data set {name!r}; known: {', '.join(_VERSIONS)}")
    version, place = _VERSIONS[name], Path(source)
    missing = [file for files in version.files for file in files if not (place / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{place}: no {', '.join(missing)} in it; expected the pickled version of {name}")
    with tempfile.TemporaryDirectory(dir=_created(folder)) as scratch:
        parts = [_arrays(version, [place / file for file in files], Path(scratch) / part) for part, files in zip(("train", "test"), version.files)]
        written = _core.import_arrays(name, parts[0], parts[1], version.classes, Path(folder))
    return {Path(path).stem: samples for path, samples in written}


def _created(folder: str | os.PathLike[str]) -> Path:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    return place


def _arrays(version: _Version, files: list[Path], stem: Path) -> tuple[Path, Path]:
    """The batches of a part as two NPY files, one batch in memory at a time."""
    counts = [_samples(version, path, batch) for path, batch in _batches(files)]
    images = np.lib.format.open_memmap(stem.with_name(f"{stem.name}-images.npy"), "w+", np.uint8, (sum(counts), 32, 32, 3))
    labels = np.empty(sum(counts), np.uint32)
    start = 0
    for (path, batch), count in zip(_batches(files), counts):
        # Pixels are kept plane by plane: red, green, blue.
        images[start : start + count] = batch["data"].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)
        found = np.asarray(batch[version.labels]) - version.first_label
        if found.min() < 0 or found.max() >= version.classes:
            first, last = version.first_label, version.first_label + version.classes - 1
            raise ValueError(f"{path}: its labels go from {found.min() + first} to {found.max() + first}, expected {first} to {last}")
        labels[start : start + count] = found
        start += count
    images.flush()
    places = Path(str(images.filename)), stem.with_name(f"{stem.name}-labels.npy")
    np.save(places[1], labels)
    return places


def _batches(files: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    return ((path, _load(path)) for path in files)


def _samples(version: _Version, path: Path, batch: dict[str, Any]) -> int:
    """How many samples a batch has, if it is one."""
    data, labels = batch.get("data"), batch.get(version.labels)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        found = f"{data.dtype} of shape {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ValueError(f"{path}: `data` is {found}, expected uint8 of shape (n, 3072)")
    listed = np.asarray(labels) if isinstance(labels, (list, np.ndarray)) else np.empty(0)
    if listed.shape != (len(data),) or listed.dtype.kind not in "iu" or len(data) == 0:
        raise ValueError(f"{path}: `{version.labels}` are not {len(data)} whole numbers, one for each sample")
    return len(data)
