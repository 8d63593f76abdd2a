# %% [markdown]
# # First steps
#
# Dual propagation as an estimator of scikit-learn, and one level below it: a network, a batch, and the states of its dyads.
# The cells of this file are those of a notebook: any editor that knows `# %%` runs them one by one.

# %%
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dualprop
from dualprop import DualPropClassifier

# %% [markdown]
# ## An estimator
#
# `alpha` says which of the two compartments carries the forward pass: at 0 that is $s^-$, at 1 $s^+$, and at 1/2 both are nudged
# alike. `beta` is the strength of the nudge.

# %%
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(
    StandardScaler(),
    DualPropClassifier((128, 128), alpha=0.0, beta=0.1, learning_rate_init=0.005, max_iter=15, tol=0.0, random_state=0),
)
model.fit(X_train, y_train)
print(f"accuracy on test samples: {100 * model.score(X_test, y_test):.1f} %")

# %% [markdown]
# ## What happens in a batch
#
# The network that has been learnt is an attribute of the estimator. `DualProp.infer` settles the dyads of a batch and shows them:
# the mean travels up, the difference travels down.

# %%
network = model[-1].network_
x = model[0].transform(X_test[:100])
labels = y_test[:100]
dp = dualprop.DualProp("dp_transpose", alpha=0.0, beta=0.1)
states = dp.infer(network, x, labels)
for k in states.difference:
    mean, difference = states.mean[k], states.difference[k]
    print(f"layer {k}: mean {np.linalg.norm(mean):8.2f}, difference {np.linalg.norm(difference):8.4f}")

# %% [markdown]
# Each weight learns from the difference above it times the mean below it. How far that is from backpropagation:

# %%
for layer in dp.alignment(network, x, labels):
    print(f"layer {layer['layer']}: {layer['angle_deg']:.1f} degrees to backpropagation")

# %% [markdown]
# ## What a schedule costs
#
# Sixteen passes up the network, of which all but one sweep up and one down are proved redundant before anything runs:

# %%
print(dualprop.DualProp(alpha=0.0, schedule="forward", passes=16).plan(network))

# %% [markdown]
# ## A loop of one's own

# %%
network = dualprop.Network(64, [128, 10], dtype="float64", seed=1)
inputs, optimizer = model[0].transform(X_train), dualprop.Optimizer("adam", 0.005)
draw = np.random.default_rng(0)
for epoch in range(5):
    for batch in np.array_split(draw.permutation(len(inputs)), 20):
        optimizer.step(network, dp.gradients(network, inputs[batch], y_train[batch]))
right = network.predict(model[0].transform(X_test)).argmax(axis=1) == y_test
print(f"accuracy of the loop: {100 * right.mean():.1f} %")
assert right.mean() > 0.9
