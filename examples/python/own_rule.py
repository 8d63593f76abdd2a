# %% [markdown]
# # A rule of one's own
#
# `infer` gives the settled dyads, `gradients` what dual propagation learns from them. Here is another rule that learns from the same
# dyads: contrastive Hebbian learning, which strengthens what the two compartments of $s^+$ have in common and weakens what those of
# $s^-$ have,
#
# $$\frac{\partial J}{\partial W_{k-1}} = -\frac{1}{\beta}\left(s^+_{k-1} (s^+_k)^\top - s^-_{k-1} (s^-_k)^\top\right).$$
#
# With $s^\pm = \bar s \pm \frac12 \Delta$ the bracket is $\bar s_{k-1} \Delta_k^\top + \Delta_{k-1} \bar s_k^\top$: the rule of dual
# propagation, and a second term that changes the layer below.

# %%
from collections.abc import Callable

import numpy as np

import dualprop
from dualprop import DualProp, Network, Optimizer, datasets

# %%
digits = datasets.load("digits")
pixels, labels = digits.train
x = np.ascontiguousarray(pixels.reshape(len(pixels), -1).astype(np.float64) / digits.largest)
train, test = slice(0, 1400), slice(1400, None)


def contrastive(network: Network, dp: DualProp, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients of contrastive Hebbian learning: means over the batch."""
    states = dp.infer(network, x, y)
    gradients = {}
    for k in range(1, network.depth + 1):
        plus, minus = states.s_plus[k], states.s_minus[k]
        below_plus, below_minus = (x, x) if k == 1 else (states.s_plus[k - 1], states.s_minus[k - 1])
        scale = -1 / (dp.beta * len(x))
        gradients[f"kernel.{k - 1}"] = scale * (below_plus.T @ plus - below_minus.T @ minus)
        gradients[f"bias.{k - 1}"] = scale * (plus - minus).sum(axis=0)
    return gradients


# %% [markdown]
# ## How far is it from backpropagation?


# %%
def angle(a: dict[str, np.ndarray], b: dict[str, np.ndarray], name: str) -> float:
    g, h = a[name].ravel(), b[name].ravel()
    return float(np.degrees(np.arccos(np.clip(g @ h / np.sqrt(g @ g * (h @ h)), -1, 1))))


network = Network(64, [64, 64, 10], dtype="float64", seed=0)
dp = DualProp(alpha=0.5, beta=0.1)
batch = (network, x[:100], labels[:100])
own, dual, backprop = contrastive(network, dp, *batch[1:]), dp.gradients(*batch), dualprop.backprop(*batch)
for name in ("kernel.0", "kernel.1", "kernel.2"):
    print(f"{name}: contrastive {angle(own, backprop, name):5.1f}°, dual propagation {angle(dual, backprop, name):5.1f}°")

# %% [markdown]
# The first layer has no $\Delta_0$, and both rules agree there; above it, the second term leads the contrastive rule away.

# %%
np.testing.assert_allclose(own["kernel.0"], dual["kernel.0"], atol=1e-12)

# %% [markdown]
# ## Does it learn?


# %%
def accuracy(rule: Callable[..., dict[str, np.ndarray]], epochs: int = 4) -> float:
    network, optimizer, draw = Network(64, [64, 64, 10], dtype="float64", seed=0), Optimizer("adam", 0.003), np.random.default_rng(0)
    for _ in range(epochs):
        for chosen in np.array_split(draw.permutation(train.stop), train.stop // 50):
            optimizer.step(network, rule(network, x[chosen], labels[chosen]))
    return float((network.predict(x[test]).argmax(axis=1) == labels[test]).mean())


results = {
    "dual propagation": accuracy(dp.gradients),
    "contrastive": accuracy(lambda network, x, y: contrastive(network, dp, x, y)),
    "backpropagation": accuracy(dualprop.backprop),
}
for name, value in results.items():
    print(f"{name:<18} {100 * value:.1f} %")
assert results["dual propagation"] > 0.85
