"""Dual propagation: deep networks that learn without backpropagation.

Every neuron is a dyad of two compartments; their mean travels up, their difference travels down, and each weight learns from the
difference above it times the mean below it (R. Høier and C. Zach, ICML 2024).

Three levels, each on its own:

* ``DualPropClassifier`` and ``DualPropRegressor``, estimators for scikit-learn;
* ``Network``, ``DualProp``, ``Optimizer``, ``Trainer``, ``Run``, ``datasets``: the whole engine, from the states of a dyad to the
  training of a recipe;
* ``torch``, files, ONNX: the same networks in other programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import datasets
from ._core import DivergedError, DualProp, Network, Optimizer, Plan, States, __version__, backprop
from ._files import load_npz, save_npz
from ._run import Run
from ._trainer import Callback, StopTraining, Trainer, recipes

if TYPE_CHECKING:
    from ._estimators import DualPropClassifier as DualPropClassifier
    from ._estimators import DualPropRegressor as DualPropRegressor

__all__ = [
    "Callback",
    "DivergedError",
    "DualProp",
    "DualPropClassifier",
    "DualPropRegressor",
    "Network",
    "Optimizer",
    "Plan",
    "Run",
    "States",
    "StopTraining",
    "Trainer",
    "__version__",
    "backprop",
    "datasets",
    "load_npz",
    "recipes",
    "save_npz",
]

_ESTIMATORS = ("DualPropClassifier", "DualPropRegressor")


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: they need scikit-learn, and nothing else does."""
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import _estimators
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "sklearn":
            raise
        raise ImportError(f"dualprop.{name} is an estimator for scikit-learn, which is not installed: pip install scikit-learn") from error
    return getattr(_estimators, name)


def __dir__() -> list[str]:
    return sorted(__all__)
