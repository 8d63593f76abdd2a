"""What the tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualprop


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Problem:
    """A small network with a batch."""

    def __init__(self, network: dualprop.Network, samples: int = 6) -> None:
        draw = np.random.default_rng(1)
        self.network = network
        height, width, channels = network.input
        shape = (samples, channels) if (height, width) == (1, 1) else (samples, height, width, channels)
        self.x: Any = draw.normal(size=shape).astype(network.dtype)
        self.y: Any = draw.integers(0, 3, samples)


def dense_problem(dtype: str) -> Problem:
    return Problem(dualprop.Network(5, [7, 6, 3], "tanh", bias_initializer="normal", dtype=dtype))


def image_problem(dtype: str) -> Problem:
    layers = ["conv 4 pool", "conv 5 5x5", "dense 8", "dense 3"]
    return Problem(dualprop.Network((7, 6, 2), layers, bias_initializer="normal", dtype=dtype))


@pytest.fixture
def dense(dtype: str) -> Problem:
    return dense_problem(dtype)


@pytest.fixture
def image(dtype: str) -> Problem:
    return image_problem(dtype)


@pytest.fixture(params=[dense_problem, image_problem], ids=["dense", "image"])
def problem(request: pytest.FixtureRequest, dtype: str) -> Problem:
    found: Problem = request.param(dtype)
    return found
