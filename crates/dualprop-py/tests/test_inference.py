"""States, gradients and what is measured of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import dualprop
from dualprop import DualProp

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def close(found, expected, dtype, factor: float = 1.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=factor * TOLERANCE[dtype], atol=factor * TOLERANCE[dtype])


def one_hot(y, classes, dtype):
    return np.eye(classes, dtype=dtype)[y]


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_states_are_those_of_the_equations(dense, alpha) -> None:
    """One downward sweep of DP-transpose from a forward pass, in NumPy; the nudge is the gradient at the first prediction."""
    network, beta, dtype = dense.network, 0.5, dense.network.dtype
    w = [network[f"kernel.{k}"].astype(float) for k in range(3)]
    b = [network[f"bias.{k}"].astype(float) for k in range(3)]
    mean = [dense.x.astype(float)]
    for k in range(3):
        a = mean[-1] @ w[k] + b[k]
        mean.append(np.tanh(a) if k < 2 else a)
    z = mean[3]
    p = np.exp(z - z.max(1, keepdims=True))
    difference = {3: -beta * (p / p.sum(1, keepdims=True) - one_hot(dense.y, 3, float))}
    s_plus, s_minus = {}, {}
    for k in (2, 1):
        a, fed = mean[k - 1] @ w[k - 1] + b[k - 1], difference[k + 1] @ w[k].T
        s_plus[k], s_minus[k] = np.tanh(a + (1 - alpha) * fed), np.tanh(a - alpha * fed)
        difference[k] = s_plus[k] - s_minus[k]
    states = DualProp("dp_transpose", alpha=alpha, beta=beta).infer(network, dense.x, dense.y)
    for k in (1, 2):
        close(states.s_plus[k], s_plus[k], dtype)
        close(states.s_minus[k], s_minus[k], dtype)
        close(states.mean[k], alpha * s_plus[k] + (1 - alpha) * s_minus[k], dtype)
    for k in (1, 2, 3):
        close(states.difference[k], difference[k], dtype)
    assert np.array_equal(states.mean[0], dense.x) and len(states) == 3
    close(states.logits, z, dtype)
    close(states.loss, -np.log((p / p.sum(1, keepdims=True))[np.arange(6), dense.y]).mean(), dtype)


def test_gradients_are_differences_times_means(dense) -> None:
    dp = DualProp("dp", alpha=0.25, beta=0.5, passes=3)
    states, gradients = (make(dense.network, dense.x, dense.y) for make in (dp.infer, dp.gradients))
    for k in (1, 2, 3):
        expected = -states.mean[k - 1].T @ states.difference[k] / (0.5 * len(dense.x))
        close(gradients[f"kernel.{k - 1}"], expected, dense.network.dtype, 10)
        close(gradients[f"bias.{k - 1}"], -states.difference[k].mean(0) / 0.5, dense.network.dtype, 10)


def test_backpropagation_is_the_limit_of_weak_nudges() -> None:
    network = dualprop.Network((6, 6, 1), ["conv 3 pool", 8, 3], "tanh", dtype="float64")
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(4, 6, 6, 1)), np.array([0, 1, 2, 1])
    limit = dualprop.backprop(network, x, y)
    errors = []
    for beta in (1e-2, 1e-3):
        found = DualProp(alpha=0.0, beta=beta).gradients(network, x, y)
        errors.append(max(np.abs(found[name] - limit[name]).max() for name in limit))
    assert errors[1] < errors[0] / 9
    assert DualProp(alpha=0.0, beta=1e-3).alignment(network, x, y)[0]["angle_deg"] < 0.1


def test_backpropagation_is_the_slope_of_the_loss(image) -> None:
    network = image.network.astype("float64")
    x, gradients = image.x.astype(float), dualprop.backprop(network, image.x.astype(float), image.y)
    loss = DualProp("backprop", beta=1.0)
    draw, step = np.random.default_rng(3), 1e-6
    for name in network:
        direction = draw.normal(size=network[name].shape)
        values = []
        for sign in (1, -1):
            moved = network.copy()
            moved[name] = network[name] + sign * step * direction
            values.append(loss.infer(moved, x, image.y).loss)
        slope = (values[0] - values[1]) / (2 * step)
        assert abs(slope - (gradients[name] * direction).sum()) < 1e-6 * max(1, abs(slope))


def test_weights_of_samples_are_repetitions(problem) -> None:
    dp, dtype = DualProp(alpha=0.3), problem.network.dtype
    weights = np.array([2, 0, 1, 3, 0, 1])
    repeated = np.repeat(np.arange(6), weights)
    expected = dp.gradients(problem.network, np.ascontiguousarray(problem.x[repeated]), problem.y[repeated])
    found = dp.gradients(problem.network, problem.x, problem.y, sample_weight=weights)
    plain = dp.gradients(problem.network, problem.x, problem.y)
    ones = dp.gradients(problem.network, problem.x, problem.y, sample_weight=np.ones(6))
    for name in expected:
        close(found[name], expected[name], dtype, 10)
        assert np.array_equal(plain[name], ones[name])


def test_engines_are_used_again_without_a_trace(problem) -> None:
    dp = DualProp(alpha=0.3, passes=2)
    fresh = {n: DualProp(alpha=0.3, passes=2).gradients(problem.network, problem.x[:n], problem.y[:n]) for n in (6, 2, 5)}
    for n in (6, 2, 5, 6, 2):
        found = dp.gradients(problem.network, problem.x[:n], problem.y[:n])
        assert all(np.array_equal(found[name], fresh[n][name]) for name in found)
    other = dualprop.Network(5, [3, 3], dtype=problem.network.dtype)
    x = np.ones((6, 5), problem.network.dtype)
    assert dp.infer(other, x, problem.y).loss == DualProp(alpha=0.3, passes=2).infer(other, x, problem.y).loss


def test_plans_tell_what_is_redundant() -> None:
    network = dualprop.Network(784, [512, 512, 10])
    plan = DualProp(alpha=0.0, schedule="forward", passes=16).plan(network)
    assert plan.removed > 0 and plan.passes == 16 and "proved redundant" in str(plan)
    assert plan.multiply_adds(50) < 50 * 3 * network.parameter_count and plan.multiply_adds_saved() > 0
    assert plan.memory(50) < plan.memory(50, 8) and plan.warnings == []
    undamped = DualProp("dp", alpha=0.3, schedule="forward", passes=16).plan(network)
    assert undamped.multiply_adds() > 5 * plan.multiply_adds()


def test_objectives_come_as_rows(dense) -> None:
    rows = DualProp(alpha=0.5, beta=0.1, loss="half_squared_error").objectives(dense.network, dense.x, dense.y)
    value = {row["objective"]: row["value"] for row in rows if row["term"] == "value"}
    assert value["adversarial"] > value["loss"] > value["optimistic"]
    assert {row["layer"] for row in rows} == {None, 1, 2, 3}


def test_alignment_compares_with_backpropagation(dense) -> None:
    dp = DualProp(alpha=1.0, beta=0.5)
    rows = dp.alignment(dense.network, dense.x, dense.y)
    own, limit = dp.gradients(dense.network, dense.x, dense.y), dualprop.backprop(dense.network, dense.x, dense.y)
    for row in rows:
        k = row["layer"] - 1
        g, b = (np.concatenate([of[f"kernel.{k}"].ravel(), of[f"bias.{k}"]]).astype(float) for of in (own, limit))
        assert abs(row["cosine"] - g @ b / np.sqrt(g @ g * (b @ b))) < 1e-6
        assert abs(row["norm_ratio"] - np.linalg.norm(g) / np.linalg.norm(b)) < 1e-6
    assert rows[2]["angle_deg"] < 0.1


def test_disturbances_and_feedback_kernels_are_those_of_recipes() -> None:
    network = dualprop.Network(5, [7, 3], feedback=True, dtype="float64")
    x, y = np.ones((2, 5)), np.array([0, 1])
    assert "feedback.1" in network and network.feedback
    random = DualProp(alpha=0.5, feedback="random").gradients(network, x, y)
    assert "feedback.1" not in random and not np.array_equal(random["kernel.0"], DualProp(alpha=0.5).gradients(network, x, y)["kernel.0"])
    with pytest.raises(ValueError, match="feedback"):
        DualProp(feedback="random").infer(dualprop.Network(5, [7, 3], dtype="float64"), x, y)
    noisy = DualProp(alpha=0.5, disturbance={"state_noise": 0.1}, seed=3)
    plain = DualProp(alpha=0.5)
    first, again, second = (noisy.infer(network, x, y, batch=batch).mean[1] for batch in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, second)
    assert not np.array_equal(first, plain.infer(network, x, y).mean[1])


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"alhpa": 0.5}, TypeError, "unknown setting `alhpa`; did you mean `alpha`"),
        ({"rule": "dpt"}, ValueError, "unknown learning.rule `dpt`"),
        ({"beta": "strong"}, ValueError, "expected a number"),
        ({"beta": object()}, TypeError, "beta is of type object"),
        ({"multistep": 2}, TypeError, "unknown setting `multistep`"),
        ({"start": "previous"}, ValueError, "no states are kept"),
        ({"disturbance": {"weight_bits": 4}}, ValueError, "weight_bits"),
        ({"disturbance": {"noise": 4}}, ValueError, "unknown key of .disturbance. `noise`"),
        ({"nudge": "strong"}, ValueError, "unknown learning.nudge"),
        ({"damping": [1.0], "rule": "dp"}, ValueError, "learning.damping"),
    ],
)
def test_settings_that_are_none(settings, kind, text) -> None:
    network, x, y = dualprop.Network(4, [3, 3]), np.ones((1, 4), np.float32), np.array([0])
    with pytest.raises(kind, match=text):
        DualProp(**settings).infer(network, x, y)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"alpha": 1.5}, "learning.alpha = 1.5: expected a number from 0 to 1"),
        ({"alpha": [0.5, 0.5, 0.5]}, "learning.alpha"),
        ({"beta": 0.0}, "learning.beta = 0"),
        ({"beta": float("nan")}, "learning.beta"),
        ({"passes": 0}, "learning.passes"),
    ],
)
def test_settings_that_do_not_fit_are_found_with_the_network(settings, text) -> None:
    network = dualprop.Network(4, [3, 3])
    with pytest.raises(ValueError, match=text):
        DualProp(**settings).plan(network)


def test_settings_survive_pickling(dense) -> None:
    dp = DualProp("dp_damped", alpha=[0.2, 0.4], beta=0.3, damping=[1.0, 2.0], passes=3)
    again = pickle.loads(pickle.dumps(dp))
    assert repr(again) == repr(dp) == "DualProp(\"dp_damped\", alpha=[0.2, 0.4], beta=0.3, damping=[1.0, 2.0], passes=3)"
    assert again.infer(dense.network, dense.x, dense.y).loss == dp.infer(dense.network, dense.x, dense.y).loss
    assert (dp.rule, dp.beta, dp.loss) == ("dp_damped", 0.3, "cross_entropy")


def test_optimisers_are_those_of_the_books(dense) -> None:
    network, rate = dense.network, 0.1
    gradients = DualProp().gradients(network, dense.x, dense.y)
    before = dict(network.items())
    dualprop.Optimizer("sgd", rate).step(network, gradients)
    for name in before:
        close(network[name], before[name] - rate * gradients[name], network.dtype)
    adam = dualprop.Optimizer("adam", rate, epsilon=1e-3)
    before = dict(network.items())
    adam.step(network, gradients)
    for name in before:
        g = gradients[name]
        close(network[name], before[name] - rate * g / (np.abs(g) + 1e-3), network.dtype)
    adam.step(network, {"bias.0": gradients["bias.0"]}, learning_rate=0.0)
    assert adam.steps == 2


@pytest.mark.parametrize(
    ("gradients", "kind", "text"),
    [
        ({"bias.7": np.zeros(3)}, ValueError, "'bias.7' is no parameter|\"bias.7\" is no parameter"),
        ({"bias.2": np.zeros(4)}, ValueError, "bias.2 has shape"),
        ({"bias.2": np.full(3, np.nan)}, ValueError, r"bias.2\[0\] is NaN"),
        ({"bias.2": [0.0] * 3}, TypeError, "bias.2 is of type list"),
        ({2: np.zeros(3)}, TypeError, "int"),
    ],
)
def test_gradients_that_are_none_change_nothing(gradients, kind, text) -> None:
    network = dualprop.Network(5, [7, 6, 3], dtype="float64")
    before = dict(network.items())
    with pytest.raises(kind, match=text):
        dualprop.Optimizer().step(network, {"bias.0": np.ones(7), **gradients})
    assert all(np.array_equal(network[name], before[name]) for name in before)


def test_an_optimiser_has_one_network() -> None:
    adam = dualprop.Optimizer()
    adam.step(dualprop.Network(2, [2]), {})
    with pytest.raises(ValueError, match="of another network"):
        adam.step(dualprop.Network(3, [2]), {})
    with pytest.raises(ValueError, match="optimizer.momentum"):
        dualprop.Optimizer("adam", momentum=0.9)
    with pytest.raises(ValueError, match="optimizer.kind"):
        dualprop.Optimizer("adamm")
