# What the native part has, for type checkers; its docstrings say what each is. `stubtest` holds it against the module.

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "DivergedError",
    "DualProp",
    "Learner",
    "Network",
    "Optimizer",
    "Plan",
    "States",
    "__version__",
    "backprop",
    "data_sets",
    "fetch_data",
    "import_arrays",
    "load_data",
    "recipe",
    "recipe_values",
    "recipes",
    "train",
]

_Array = npt.NDArray[Any]
_Path = str | os.PathLike[str]
_PerLayer = float | Sequence[float]

__version__: Final[str]

class DivergedError(ArithmeticError): ...

@final
class Network:
    def __new__(
        cls,
        input: int | tuple[int, int, int],
        layers: Sequence[int | str],
        activation: str = "relu",
        *,
        pool_order: str = "before_activation",
        initializer: str = "lecun_normal",
        bias_initializer: str = "zero",
        feedback: bool = False,
        dtype: npt.DTypeLike | None = None,
        seed: int = 0,
    ) -> Network: ...
    @staticmethod
    def named(
        name: str, input: int | tuple[int, int, int], classes: int, *, dtype: npt.DTypeLike | None = None, seed: int = 0
    ) -> Network: ...
    @staticmethod
    def load(path: _Path) -> Network: ...
    def save(self, path: _Path) -> None: ...
    def predict(self, x: _Array, *, threads: int = 0) -> _Array: ...
    def inputs(self, pixels: _Array) -> _Array: ...
    def spectral_norms(self) -> dict[str, Any]: ...
    def copy(self) -> Network: ...
    def astype(self, dtype: npt.DTypeLike) -> Network: ...
    @property
    def preprocessing(self) -> tuple[_Array, _Array] | None: ...
    @preprocessing.setter
    def preprocessing(self, pair: tuple[_Array, _Array] | None) -> None: ...
    @property
    def dtype(self) -> Literal["float32", "float64"]: ...
    @property
    def input(self) -> tuple[int, int, int]: ...
    @property
    def layers(self) -> list[str]: ...
    @property
    def activation(self) -> str: ...
    @property
    def pool_order(self) -> str: ...
    @property
    def feedback(self) -> bool: ...
    @property
    def depth(self) -> int: ...
    @property
    def parameter_count(self) -> int: ...
    def keys(self) -> list[str]: ...
    def values(self) -> list[_Array]: ...
    def items(self) -> list[tuple[str, _Array]]: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __getitem__(self, name: str, /) -> _Array: ...
    def __setitem__(self, name: str, values: _Array, /) -> None: ...
    def __copy__(self) -> Network: ...
    def __deepcopy__(self, _memo: Any) -> Network: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _restore(of: Any, values: Any, preprocessing: Any) -> Network: ...

@final
class DualProp:
    def __new__(
        cls,
        rule: str = "dp_transpose",
        *,
        alpha: _PerLayer | None = None,
        beta: float | None = None,
        loss: str | None = None,
        nudge: str | None = None,
        schedule: str | None = None,
        passes: int | None = None,
        alpha_feedback: _PerLayer | None = None,
        output_alpha: float | None = None,
        gain: _PerLayer | None = None,
        divide_gain: bool | None = None,
        damping: Sequence[float] | None = None,
        damped: bool | None = None,
        power_iterations: int | None = None,
        damping_asymmetry: bool | None = None,
        nudge_from_pass: int | None = None,
        start: str | None = None,
        pool_routing: str | None = None,
        feedback: str | None = None,
        disturbance: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> DualProp: ...
    def infer(self, network: Network, x: _Array, y: _Array, *, batch: int = 0, threads: int = 0) -> States: ...
    def gradients(
        self,
        network: Network,
        x: _Array,
        y: _Array,
        *,
        sample_weight: _Array | None = None,
        batch: int = 0,
        threads: int = 0,
    ) -> dict[str, _Array]: ...
    def alignment(self, network: Network, x: _Array, y: _Array, *, threads: int = 0) -> list[dict[str, Any]]: ...
    def objectives(
        self, network: Network, x: _Array, y: _Array, *, sweeps: int = 100_000, tolerance: float = 1e-10, threads: int = 0
    ) -> list[dict[str, Any]]: ...
    def plan(self, network: Network) -> Plan: ...
    @property
    def rule(self) -> str: ...
    @property
    def beta(self) -> float: ...
    @property
    def loss(self) -> str: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _restore(rule: str, settings: Any) -> DualProp: ...

def backprop(
    network: Network,
    x: _Array,
    y: _Array,
    *,
    loss: str = "cross_entropy",
    sample_weight: _Array | None = None,
    threads: int = 0,
) -> dict[str, _Array]: ...

@final
class States:
    @property
    def mean(self) -> dict[int, _Array]: ...
    @property
    def difference(self) -> dict[int, _Array]: ...
    @property
    def s_plus(self) -> dict[int, _Array]: ...
    @property
    def s_minus(self) -> dict[int, _Array]: ...
    @property
    def logits(self) -> _Array: ...
    @property
    def loss(self) -> float: ...
    def __len__(self) -> int: ...

@final
class Plan:
    @property
    def operations(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def passes(self) -> int: ...
    @property
    def warnings(self) -> list[str]: ...
    def multiply_adds(self, samples: int = 1) -> int: ...
    def multiply_adds_saved(self, samples: int = 1) -> int: ...
    def memory(self, samples: int, element: int = 4) -> int: ...

@final
class Optimizer:
    def __new__(
        cls,
        kind: str = "adam",
        learning_rate: float = 0.001,
        *,
        momentum: float | None = None,
        weight_decay: float | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        epsilon: float | None = None,
    ) -> Optimizer: ...
    def step(self, network: Network, gradients: Mapping[str, _Array], *, learning_rate: float | None = None) -> None: ...
    @property
    def steps(self) -> int: ...

@final
class Learner:
    def __new__(
        cls,
        network: Network,
        dual_prop: DualProp,
        batch_size: int,
        *,
        optimizer: str,
        learning_rate: float,
        constants: Mapping[str, Any] | None = None,
        threads: int = 0,
    ) -> Learner: ...
    def epoch(
        self,
        x: _Array,
        y: _Array,
        *,
        sample_weight: _Array | None = None,
        shuffle: bool = True,
        seed: int = 0,
        epoch: int = 1,
        threads: int = 0,
    ) -> float: ...
    def state(self) -> tuple[int, dict[tuple[str, str], _Array]]: ...
    def restore(self, state: tuple[int, dict[tuple[str, str], _Array]]) -> None: ...

def data_sets() -> list[dict[str, Any]]: ...
def load_data(name: str, data_dir: _Path | None = None) -> dict[str, Any]: ...
def fetch_data(name: str, data_dir: _Path | None, mirrors: list[str], only_mirrors: bool) -> list[str]: ...
def import_arrays(
    name: str,
    train: tuple[_Path, _Path],
    test: tuple[_Path, _Path] | None,
    classes: int,
    folder: _Path,
) -> list[tuple[str, int]]: ...
def recipes() -> list[tuple[str, str]]: ...
def recipe(name_or_path: str, settings: Mapping[str, Any]) -> str: ...
def recipe_values(path: str) -> str: ...
def train(
    text: str,
    listener: Callable[[str, Any], bool],
    *,
    steps: bool,
    data_dir: _Path | None = None,
    runs: _Path | None = None,
    name: str | None = None,
    force: bool = False,
    again: _Path | None = None,
    threads: int | None = None,
) -> str | None: ...
