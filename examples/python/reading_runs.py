# %% [markdown]
# # From a run directory to figures
#
# `Trainer` does what `dualprop train` does, to the same bits, and leaves the same folder. This reads two of them and draws what the
# paper draws: accuracy, angles to backpropagation by layer, and the norms of the layers.

# %%
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import dualprop

# %%
folder = Path(tempfile.mkdtemp())
runs = {}
for alpha in (0.0, 0.5):
    settings = {"learning.alpha": alpha, "learning.beta": 0.5, "training.epochs": 5, "training.alignment_every": 5}
    runs[alpha] = dualprop.Trainer("digits", settings).fit(runs=folder, name=f"alpha-{alpha}")
    summary = runs[alpha].summary
    assert summary is not None
    print(f"alpha = {alpha}: {summary['test_accuracy']:.2f} % on the test samples")

# %% [markdown]
# ## Learning curves, angles and norms

# %%
figure, (accuracy, angles, norms) = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for (alpha, run), style in zip(runs.items(), ("-", "--")):
    epochs = run.epochs
    at = [line["epoch"] for line in epochs]
    accuracy.plot(at, [line["validation_accuracy"] for line in epochs], style, color="black", label=rf"$\alpha$ = {alpha}")
    for layer in range(2):
        label = f"layer {layer + 1}" if style == "-" else None
        angles.plot(at, [line["angles_deg"][layer] for line in epochs], style, color=f"C{layer}", label=label)
        norms.plot(at, [line["gammas"][layer] for line in epochs], style, color=f"C{layer}", label=label)
for axes, title in ((accuracy, "accuracy on validation (%)"), (angles, "angle to backpropagation (°)"), (norms, r"$\|W_k\|_2$")):
    axes.set(xlabel="epoch", title=title, xticks=at)
    axes.legend(frameon=False)
figure.savefig(folder / "curves.pdf")

# %% [markdown]
# ## The heat map of angles
#
# Every measured step has a line of its own, with the angle of each layer.

# %%
steps = runs[0.0].steps
by_layer = list(zip(*[line["angles_deg"] for line in steps]))
figure, axes = plt.subplots(figsize=(6, 2), layout="constrained")
extent = (steps[0]["step"], steps[-1]["step"], len(by_layer) + 0.5, 0.5)
image = axes.imshow(by_layer, aspect="auto", extent=extent, cmap="viridis")
axes.set(xlabel="weight updates", ylabel="layer", yticks=range(1, len(by_layer) + 1))
figure.colorbar(image, label="angle to backpropagation (°)")
figure.savefig(folder / "angles.pdf")
print(sorted(path.name for path in folder.glob("*.pdf")))

# %% [markdown]
# ## The first layer
#
# `Run.network` has the parameters best on validation; rows of the first kernel are pixels.

# %%
kernel = runs[0.0].network["kernel.0"]
figure, grid = plt.subplots(2, 8, figsize=(8, 2.2), layout="constrained")
for axes, weights in zip(grid.flat, kernel.T):
    axes.imshow(weights.reshape(8, 8), cmap="RdBu", vmin=-abs(kernel).max(), vmax=abs(kernel).max())
    axes.axis("off")
figure.savefig(folder / "filters.pdf")
assert len(list(folder.glob("*.pdf"))) == 3
