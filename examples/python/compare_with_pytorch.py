# %% [markdown]
# # The same network in PyTorch
#
# `dualprop.torch.to_torch` makes a module with the same weights; its gradients by autograd are those of `dualprop.backprop`, and those
# of dual propagation lie at a small angle to both. Needs PyTorch.

# %%
import numpy as np
import torch

import dualprop
from dualprop.torch import from_torch, to_torch

# %%
network = dualprop.Network((12, 12, 1), ["conv 8 pool", "conv 16 pool", "dense 10"], dtype="float64", seed=0)
module = to_torch(network)
print(module)

draw = np.random.default_rng(0)
x, y = draw.normal(size=(32, 12, 12, 1)), draw.integers(0, 10, 32)
images = torch.from_numpy(x).permute(0, 3, 1, 2)

# %% [markdown]
# ## Outputs and gradients

# %%
logits = module(images)
print("largest difference of an output:", float(np.abs(logits.detach().numpy() - network.predict(x)).max()))
torch.nn.functional.cross_entropy(logits, torch.from_numpy(y)).backward()
own = dualprop.backprop(network, x, y)
theirs = module[0].weight.grad.permute(2, 3, 1, 0).numpy()
np.testing.assert_allclose(own["kernel.0"], theirs, atol=1e-12)

# %% [markdown]
# ## Dual propagation beside them

# %%
for beta in (0.01, 0.1, 1.0):
    rows = dualprop.DualProp(alpha=0.0, beta=beta).alignment(network, x, y)
    print(f"beta = {beta:<5} angles to backpropagation: " + "  ".join(f"{row['angle_deg']:.2f}°" for row in rows))

# %% [markdown]
# ## A module that PyTorch has trained, measured here

# %%
optimizer = torch.optim.Adam(module.parameters(), 1e-3)
for _ in range(20):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(module(images), torch.from_numpy(y)).backward()
    optimizer.step()
trained = from_torch(module, network.input)
print("norms of the layers before:", np.round(network.spectral_norms()["gammas"], 3))
print("norms of the layers after: ", np.round(trained.spectral_norms()["gammas"], 3))
assert np.abs(trained.predict(x) - module(images).detach().numpy()).max() < 1e-10
