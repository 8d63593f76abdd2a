"""What the estimators for scikit-learn have in common: a dense network that learns from arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ._core import DualProp, Learner, Network

Array = npt.NDArray[Any]

#: What both estimators have in common, for their docstrings.
PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(100,)
        Neurons of each hidden layer.
    activation : {"relu", "leaky_relu", "hard_sigmoid", "sigmoid", "tanh", "identity"}, default="relu"
        Of the hidden layers.
    rule : str, default="dp_transpose"
        What is fed back: "dp_transpose", "dp", "dp_damped", "lpom", "adversarial", or "backprop".
    alpha : float, default=None
        The weight of s_plus in the mean of a dyad, from 0 to 1; None: 0 of "dp_transpose", which settles in one sweep there, and what
        recipes have of other rules. No regularisation: that is ``weight_decay``.
    beta : float, default=0.1
        The strength of the nudge.
    schedule : str, default="forward_backward"
        The order in which layers are updated.
    passes : int, default=1
        Passes of the schedule.
    nudge : str, default=None
        "linearised_frozen", "linearised_live" or "proximal"; None: the rule's own.
    solver : {"adam", "adamw", "sgd"}, default="adam"
        The optimiser.
    learning_rate_init : float, default=0.001
        The learning rate.
    momentum : float, default=0.9
        Of "sgd".
    weight_decay : float, default=0.0
        Of "sgd" and "adamw".
    batch_size : int or "auto", default="auto"
        Samples per weight update; "auto": min(200, n).
    max_iter : int, default=200
        The most epochs.
    shuffle : bool, default=True
        Whether the samples are shuffled in every epoch.
    random_state : int, RandomState or None, default=None
        Draws the first weights and the orders of the samples. The weights do not depend on how many samples there are.
    tol : float, default=1e-4
        The training ends when the loss (or, with ``early_stopping``, the score on validation) has not improved by so much in
        ``n_iter_no_change`` epochs.
    n_iter_no_change : int, default=10
        How many epochs that are.
    early_stopping : bool, default=False
        Whether a part of the samples is kept to validate; the weights best on it are those of the estimator.
    validation_fraction : float, default=0.1
        How large that part is.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the fit before.
    verbose : bool, default=False
        Whether the loss of every epoch is printed.
    n_threads : int, default=1
        Threads that compute; 0: one per core. Never changes a result.

    Attributes
    ----------
    network_ : Network
        The network, in the type of numbers of X.
    dual_prop_ : DualProp
        The inference that it learns by.
    loss_curve_ : list of float
        The mean loss of every epoch, before its updates.
    loss_, best_loss_ : float
        The last and the lowest of them; with ``early_stopping`` the latter is None.
    validation_scores_ : list of float
        With ``early_stopping``, the score on validation after every epoch; else None.
    n_iter_ : int
        Epochs.
    t_ : int
        Samples seen.
    coefs_, intercepts_ : list of array
        Copies of kernels (inputs, outputs) and biases, from the first layer to the output.
    n_features_in_ : int
        Features of a sample.
    feature_names_in_ : array of str
        Their names, where X has some.
"""


class DualPropEstimator(BaseEstimator):  # type: ignore[misc]
    """A dense network that learns by dual propagation."""

    _loss: str

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        rule: str = "dp_transpose",
        alpha: float | None = None,
        beta: float = 0.1,
        schedule: str = "forward_backward",
        passes: int = 1,
        nudge: str | None = None,
        solver: str = "adam",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        verbose: bool = False,
        n_threads: int = 1,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.rule = rule
        self.alpha = alpha
        self.beta = beta
        self.schedule = schedule
        self.passes = passes
        self.nudge = nudge
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads

    # What the two kinds do differently.

    def _validated(self, X: Any, y: Any, *, reset: bool, known: bool) -> tuple[Array, Array]:
        raise NotImplementedError

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        raise NotImplementedError

    def _outputs(self, y: Array) -> int:
        raise NotImplementedError

    def _score(self, X: Array, y: Array, sample_weight: Array | None) -> float:
        raise NotImplementedError

    def _strata(self, y: Array) -> Array | None:
        return None

    # What they have in common.

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Learn from samples.

        Parameters
        ----------
        X : array, shape (n, features)
            float32 is learnt in float32, everything else in float64.
        y : array, shape (n,), or (n, outputs) of a regressor
        sample_weight : array, shape (n,)
            What each sample counts; left out: all count alike.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For samples or parameters that cannot be used.
        DivergedError
            If a number stops being finite.
        KeyboardInterrupt
            On Ctrl-C, after the present batch; what was learnt so far stays, and ``warm_start`` goes on from it.
        """
        again = self.warm_start and hasattr(self, "network_")
        X, y = self._validated(X, y, reset=not again, known=again)
        weights = self._weights(sample_weight, X)
        self._check_counts()
        if again:
            self._check_network(y)
            X = X.astype(self.network_.dtype, copy=False)
        else:
            self._begin(X, y)
        held = None
        if self.early_stopping:
            X, y, weights, held = self._split(X, y, weights)
        self._learn(X, self._targets(y, X.dtype), weights, held)
        return self

    def _go_on(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """One pass over these samples, from what has been learnt."""
        first = not hasattr(self, "network_")
        X, y = self._validated(X, y, reset=first, known=True)
        weights = self._weights(sample_weight, X)
        self._check_counts()
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True: it has no samples to keep for validation")
        if first:
            self._begin(X, y)
        self._check_network(y)
        X = X.astype(self.network_.dtype, copy=False)
        self._epoch(self._learner(len(X)), X, self._targets(y, X.dtype), weights)
        return self

    def _weights(self, sample_weight: Any, X: Array) -> Array | None:
        if sample_weight is None:
            return None
        return np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))

    def _check_counts(self) -> None:
        for name, least in (("max_iter", 1), ("n_iter_no_change", 1)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} = {value!r}: expected a whole number of at least {least}")
        if isinstance(self.batch_size, str) and self.batch_size != "auto":
            raise ValueError(f"batch_size = {self.batch_size!r}: expected a whole number, or 'auto'")
        if not isinstance(self.batch_size, str) and (not isinstance(self.batch_size, (int, np.integer)) or self.batch_size < 1):
            raise ValueError(f"batch_size = {self.batch_size!r}: expected a whole number of at least 1, or 'auto'")
        if not 0.0 < self.validation_fraction < 1.0:
            raise ValueError(f"validation_fraction = {self.validation_fraction!r}: expected a number above 0 and below 1")

    def _begin(self, X: Array, y: Array) -> None:
        """A new network, whose weights depend on nothing but its shape and the random state."""
        draw = check_random_state(self.random_state)
        self._seed = int(draw.randint(np.iinfo(np.int32).max))
        # First, since a rule that there is not must leave no network.
        self.dual_prop_, layers = self._dual_prop(), self._layers(y)
        self.network_ = Network(X.shape[1], layers, self.activation, initializer="glorot_uniform", dtype=X.dtype, seed=self._seed)
        self._moments: tuple[int, dict[tuple[str, str], Array]] | None = None
        self._kept: tuple[Any, Any] | None = None
        self.n_layers_, self.n_outputs_ = len(layers) + 1, layers[-1]
        self.n_iter_, self.t_ = 0, 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_: float | None = None

    def _layers(self, y: Array) -> list[int]:
        sizes = self.hidden_layer_sizes
        hidden = [int(sizes)] if isinstance(sizes, (int, np.integer)) else [int(size) for size in sizes]
        return [*hidden, self._outputs(y)]

    def _check_network(self, y: Array) -> None:
        """That what goes on learning is still the network that is asked for."""
        layers = [f"dense {neurons}" for neurons in self._layers(y)]
        if (layers, self.activation) != (self.network_.layers, self.network_.activation):
            raise ValueError(
                f"the network that has learnt so far is {self.network_.layers} with {self.network_.activation}, and now {layers} with "
                f"{self.activation} is asked for; fit it anew, with warm_start=False"
            )

    def _dual_prop(self) -> DualProp:
        alpha = 0.0 if self.alpha is None and self.rule == "dp_transpose" else self.alpha
        return DualProp(
            self.rule, alpha=alpha, beta=self.beta, loss=self._loss, schedule=self.schedule, passes=self.passes, nudge=self.nudge
        )

    def _learner(self, n: int) -> Any:
        """The loop over batches, with the moments that it had when the estimator was last kept."""
        size = min(200, n) if self.batch_size == "auto" else min(int(self.batch_size), n)
        constants = {"sgd": {"momentum": self.momentum, "weight_decay": self.weight_decay}, "adamw": {"weight_decay": self.weight_decay}}
        dual_prop = self._dual_prop()
        chosen = (size, self.solver, self.learning_rate_init, constants.get(self.solver, {}), self.n_threads, repr(dual_prop))
        if self._kept is not None and self._kept[0] == chosen:
            return self._kept[1]
        moments = self._moments if self._kept is None else self._kept[1].state()
        self.dual_prop_ = dual_prop
        learner = Learner(
            self.network_, dual_prop, size, optimizer=self.solver, learning_rate=float(self.learning_rate_init),
            constants=chosen[3], threads=self.n_threads,
        )  # fmt: skip
        if moments is not None:
            learner.restore(moments)
        self._kept = (chosen, learner)
        return learner

    def _epoch(self, learner: Any, X: Array, targets: Array, weights: Array | None) -> float:
        loss: float = learner.epoch(
            X, targets, sample_weight=weights, shuffle=bool(self.shuffle), seed=self._seed, epoch=self.n_iter_ + 1, threads=self.n_threads
        )
        self.n_iter_ += 1
        self.t_ += len(X)
        self.loss_ = loss
        self.loss_curve_.append(loss)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {loss:.8f}")
        return loss

    def _learn(self, X: Array, targets: Array, weights: Array | None, held: tuple[Array, Array, Array | None] | None) -> None:
        learner = self._learner(len(X))
        best, idle = -np.inf, 0
        if held is not None and self.validation_scores_ is None:
            self.validation_scores_ = []
        best_network: Network | None = None
        for _ in range(self.max_iter):
            loss = self._epoch(learner, X, targets, weights)
            # What is to grow.
            merit = -loss
            if held is not None and self.validation_scores_ is not None:
                merit = self._score(*held)
                self.validation_scores_.append(merit)
                if merit > best:
                    best_network = self.network_.copy()
            elif self.best_loss_ is not None:
                self.best_loss_ = min(self.best_loss_, loss)
            idle = 0 if merit >= best + self.tol else idle + 1
            best = max(best, merit)
            if idle > self.n_iter_no_change:
                break
        else:
            text = f"{self.max_iter} epochs are over and the training has not settled; raise max_iter, or tol"
            warnings.warn(text, ConvergenceWarning, stacklevel=3)
        if best_network is not None:
            self.best_validation_score_ = best
            for name in best_network:
                self.network_[name] = best_network[name]

    def _split(self, X: Array, y: Array, weights: Array | None) -> tuple[Array, Array, Array | None, tuple[Array, Array, Array | None]]:
        """What is learnt from, and what validates."""
        parts = [X, y] if weights is None else [X, y, weights]
        split = train_test_split(*parts, test_size=self.validation_fraction, random_state=self._seed, stratify=self._strata(y))
        train, test = [np.ascontiguousarray(part) for part in split[::2]], split[1::2]
        return (
            train[0], train[1], None if weights is None else train[2],
            (np.ascontiguousarray(test[0]), test[1], None if weights is None else test[2]),
        )  # fmt: skip

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self, "network_")
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], order="C")
        own = np.dtype(self.network_.dtype)
        return self.network_.predict(X.astype(own, copy=False), threads=self.n_threads)

    @property
    def coefs_(self) -> list[Array]:
        """Copies of the kernels (inputs, outputs), from the first layer to the output."""
        check_is_fitted(self, "network_")
        return [self.network_[f"kernel.{k}"] for k in range(self.network_.depth)]

    @property
    def intercepts_(self) -> list[Array]:
        """Copies of the biases, from the first layer to the output."""
        check_is_fitted(self, "network_")
        return [self.network_[f"bias.{k}"] for k in range(self.network_.depth)]

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if state.get("_kept") is not None:
            # Engines cannot be kept; what the optimiser remembers can.
            state["_moments"] = state["_kept"][1].state()
        if "_kept" in state:
            state["_kept"] = None
        return state
