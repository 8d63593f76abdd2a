"""Data sets as arrays, and the pickled versions of CIFAR and ImageNet 32 x 32 for everyone else.

Examples
--------
>>> from dualprop import datasets
>>> digits = datasets.load("digits")
>>> digits.train.images.shape, digits.train.images.dtype.name, digits.classes
((1797, 8, 8, 1), 'uint8', 10)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core
from ._pickles import convert

__all__ = ["Dataset", "Part", "convert", "fetch", "known", "load"]


class Part(NamedTuple):
    """Samples of a data set: images (n, height, width, channels) as bytes, and labels (n,) from 0."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes
    ----------
    name : str
    input : (int, int, int)
        Height, width and channels of an image.
    classes : int
    largest : int
        The largest value that a pixel can have.
    train : Part
    test : Part or None
        None where it has no test part of its own.
    """

    name: str
    input: tuple[int, int, int]
    classes: int
    largest: int
    train: Part
    test: Part | None


def load(name: str, *, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set by its name, or an imported one by the path of its folder.

    Parameters
    ----------
    name : str
        "digits" comes with the package; of others ``known`` tells, and ``fetch`` gets them. A path has at least a ``/`` in it.
    data_dir : str or path
        The folder that has the data sets; left out: ``$DUALPROP_DATA``, then the cache of the program.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        For an unknown name, and for files that are damaged or missing, with what was looked for and where.
    OSError
        If a file cannot be read.
    """
    found = _core.load_data(name, data_dir)
    test = found["test"]
    height, width, channels = found["input"]
    return Dataset(
        name=found["name"],
        input=(height, width, channels),
        classes=found["classes"],
        largest=found["largest"],
        train=Part(*found["train"]),
        test=None if test is None else Part(*test),
    )


def fetch(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    mirrors: Sequence[str] = (),
    only_mirrors: bool = False,
) -> list[Path]:
    """Download a data set, once: a file that is here and right is not fetched again.

    Parameters
    ----------
    name : str
        One of ``known``; their licences and what to cite stand there too.
    data_dir : str or path
        The folder of data sets that takes it; left out: ``$DUALPROP_DATA``, or the cache of the program.
    mirrors : sequence of str
        Addresses up to the files' names, tried before the known ones.
    only_mirrors : bool
        Whether no other address is tried.

    Returns
    -------
    list of Path
        Its files. Each has its name only because its SHA-256 is the published one.

    Raises
    ------
    ValueError
        For an unknown name.
    OSError
        If a file can be had from no address, with the reason of each, or cannot be written. What is here of it is kept, and the
        next call goes on from there, as it does after Ctrl-C.
    """
    return [Path(path) for path in _core.fetch_data(name, data_dir, list(mirrors), only_mirrors)]


def known() -> list[dict[str, Any]]:
    """What data sets there are by name.

    Returns
    -------
    list of dict
        ``name``, ``about``, ``input``, ``classes``, in ``samples`` how many were published for training and for the test, and
        ``licence`` and ``citation``, None of what needs not be fetched.

    Examples
    --------
    >>> from dualprop import datasets
    >>> [entry["name"] for entry in datasets.known()][:2]
    ['digits', 'mnist']
    """
    return _core.data_sets()
