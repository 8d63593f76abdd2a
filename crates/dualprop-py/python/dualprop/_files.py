"""Networks in NumPy's own files."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from ._core import Network

_ABOUT = "network"
_PREPROCESSING = ("input.mean", "input.scale")


def save_npz(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network to an ``.npz`` file, to the bit in both types of numbers.

    Parameters
    ----------
    network : Network
    path : str or path
        The file, which is replaced if it is there. It has an array for each parameter, by its name, the two of the preprocessing
        where there is one, and ``network``, a text of JSON with what the network is.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import dualprop, os, tempfile
    >>> network = dualprop.Network(4, [3], dtype="float64")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "network.npz")
    ...     dualprop.save_npz(network, path)
    ...     again = dualprop.load_npz(path)
    >>> bool((again["kernel.0"] == network["kernel.0"]).all())
    True
    """
    about = {
        "format": 1,
        "input": network.input,
        "layers": network.layers,
        "activation": network.activation,
        "pool_order": network.pool_order,
        "feedback": network.feedback,
        "dtype": network.dtype,
    }
    arrays: dict[str, Any] = dict(network.items())
    if network.preprocessing is not None:
        arrays.update(zip(_PREPROCESSING, network.preprocessing))
    arrays[_ABOUT] = np.array(json.dumps(about))
    target = os.fspath(path)
    partial = f"{target}.{os.getpid()}.part"
    try:
        with open(partial, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise


def load_npz(path: str | os.PathLike[str]) -> Network:
    """Read a network that ``save_npz`` has written.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Network

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file. Nothing in it is executed: arrays of objects are refused.
    """
    with np.load(path, allow_pickle=False) as arrays:
        if not hasattr(arrays, "files") or _ABOUT not in arrays.files:
            raise ValueError(f"{os.fspath(path)}: no array `{_ABOUT}`, which says what the network is; expected a file of dualprop.save_npz")
        try:
            about = json.loads(str(arrays[_ABOUT]))
            of = (about["format"], about["input"], about["layers"], about["activation"])
            rest = {key: about[key] for key in ("pool_order", "feedback", "dtype")}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: the text `{_ABOUT}` does not say what the network is: {error!r}") from error
        if of[0] != 1:
            raise ValueError(f"{os.fspath(path)}: format {of[0]}, expected 1")
        network = Network(tuple(of[1]), of[2], of[3], **rest)
        for name in network:
            if name not in arrays.files:
                raise ValueError(f"{os.fspath(path)}: no array `{name}`")
            network[name] = arrays[name]
        if all(name in arrays.files for name in _PREPROCESSING):
            mean, scale = (np.ascontiguousarray(arrays[name]) for name in _PREPROCESSING)
            network.preprocessing = (mean, scale)
    return network
