"""What is no such array is told so: by the right exception, never by a panic or a copy in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import dualprop

NETWORK = dualprop.Network(4, [3])
DP = dualprop.DualProp()
X = np.ones((5, 4), np.float32)
Y = np.arange(5) % 3


@pytest.mark.parametrize(
    ("x", "kind", "text"),
    [
        ([[1.0] * 4], TypeError, "x is of type list, expected a NumPy array"),
        (None, TypeError, "x is of type NoneType"),
        (X.astype(np.float64), TypeError, "x has dtype float64, expected float32; convert it with x.astype"),
        (X.astype(int), TypeError, "x has dtype"),
        (X.astype(object), TypeError, "x has dtype object, expected float32"),
        (X.astype(">f4"), TypeError, "expected float32 in this machine's order of bytes"),
        (X.astype(np.float16), TypeError, "x has dtype"),
        (X.astype(complex), TypeError, "x has dtype"),
        (np.asfortranarray(X), ValueError, "not contiguous"),
        (X[:, ::-1], ValueError, "not contiguous"),
        (np.ones((5, 8), np.float32)[:, ::2], ValueError, "not contiguous"),
        (X[0], ValueError, r"x has shape \[4\], expected \[n, 4\]"),
        (X[:, :3].copy(), ValueError, r"x has shape \[5, 3\], expected \[n, 4\]"),
        (X[:0], ValueError, "x has no samples"),
        (np.float32(1.0), TypeError, "x is of type"),
        (np.array(1.0, np.float32), ValueError, "x has shape"),
        (np.where(np.eye(5, 4) > 0, np.float32(np.nan), X), ValueError, r"x\[0, 0\] is NaN, expected finite"),
        (np.where(np.arange(20).reshape(5, 4) == 13, np.float32(np.inf), X), ValueError, r"x\[3, 1\] is inf"),
    ],
)
def test_inputs_that_are_none(x, kind, text) -> None:
    for call in (lambda: NETWORK.predict(x), lambda: DP.infer(NETWORK, x, Y), lambda: DP.gradients(NETWORK, x, Y)):
        with pytest.raises(kind, match=text):
            call()


@pytest.mark.parametrize(
    ("y", "kind", "text"),
    [
        (list(Y), TypeError, "y is of type list"),
        (Y.astype(float), TypeError, "expected integers 0 to 2 as labels"),
        (Y[:4], ValueError, r"y has shape \[4\], expected \[5\] \(labels\) or \[5, 3\]"),
        (Y + 1, ValueError, r"y\[2\] is 3, expected a class from 0 to 2"),
        (Y - 1, ValueError, r"y\[0\] is -1"),
        (Y.astype(np.uint64) + np.uint64(1 << 63), ValueError, "expected a class"),
        (np.eye(3)[Y], TypeError, "y has dtype"),
        (np.full((5, 3), np.nan, np.float32), ValueError, "expected finite"),
        (Y.astype("U1"), TypeError, "y has dtype"),
        (Y.astype(object), TypeError, "y has dtype"),
    ],
)
def test_targets_that_are_none(y, kind, text) -> None:
    with pytest.raises(kind, match=text):
        DP.infer(NETWORK, X, y)


def test_labels_may_be_integers_of_any_kind() -> None:
    expected = DP.gradients(NETWORK, X, Y)
    rows = np.ascontiguousarray(np.eye(3, dtype=np.float32)[Y])
    for y in (Y.astype(np.uint8), Y.astype(">i4"), np.repeat(Y, 2)[::2], rows):
        found = DP.gradients(NETWORK, X, y)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("weights", "kind", "text"),
    [
        (np.ones(4), ValueError, r"sample_weight has shape \[4\], expected \[5\]"),
        ([1.0] * 5, TypeError, "sample_weight is of type list"),
        (-np.ones(5), ValueError, "weight of sample 0 = -1"),
        (np.zeros(5), ValueError, "mean sample weight = 0"),
        (np.full(5, np.nan), ValueError, "weight of sample 0 = NaN"),
        (np.array(list("abcde")), TypeError, "expected numbers"),
    ],
)
def test_weights_that_are_none(weights, kind, text) -> None:
    with pytest.raises(kind, match=text):
        DP.gradients(NETWORK, X, Y, sample_weight=weights)


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (np.ones((4, 2), np.float32), ValueError, r"kernel.0 has shape \[4, 2\], expected \[4, 3\]"),
        (np.ones((4, 3)), TypeError, "kernel.0 has dtype"),
        (np.full((4, 3), np.inf, np.float32), ValueError, r"kernel.0\[0, 0\] is inf"),
        ("weights", TypeError, "kernel.0 is of type str"),
    ],
)
def test_parameters_that_are_none(values, kind, text) -> None:
    network = NETWORK.copy()
    with pytest.raises(kind, match=text):
        network["kernel.0"] = values
    assert np.array_equal(network["kernel.0"], NETWORK["kernel.0"])


def test_a_parameter_that_there_is_not() -> None:
    with pytest.raises(KeyError, match="there are kernel.0, bias.0"):
        NETWORK["kernel.1"]
    with pytest.raises(KeyError):
        NETWORK.copy()["weights"] = np.zeros(3, np.float32)
    with pytest.raises(TypeError):
        NETWORK[0]


def test_read_only_arrays_are_read() -> None:
    x = X.copy()
    x.flags.writeable = False
    assert np.array_equal(NETWORK.predict(x), NETWORK.predict(X))


ANY_ARRAY = arrays.arrays(
    dtype=st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(object))),
    shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    elements=None,
    fill=st.nothing(),
)


@settings(max_examples=300, deadline=None)
@given(x=st.one_of(ANY_ARRAY.filter(lambda a: a.dtype != object), arrays.arrays(np.float32, (5, 4))), y=ANY_ARRAY)
def test_no_array_makes_it_panic(x, y) -> None:
    for call in (lambda: NETWORK.predict(x), lambda: DP.infer(NETWORK, x, y), lambda: DP.infer(NETWORK, X, y)):
        try:
            call()
        except (TypeError, ValueError) as error:
            assert str(error)
