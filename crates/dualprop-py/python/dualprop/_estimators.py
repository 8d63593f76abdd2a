"""Estimators for scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ._estimator import PARAMETERS, Array, DualPropEstimator

__all__ = ["DualPropClassifier", "DualPropRegressor"]


class DualPropClassifier(ClassifierMixin, DualPropEstimator):  # type: ignore[misc]
    __doc__ = f"""A classifier that learns by dual propagation: a dense network with the cross-entropy.
{PARAMETERS}    classes_ : array
        The classes, in the order of the outputs.

    Examples
    --------
    >>> from dualprop import DualPropClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), DualPropClassifier(alpha=0.0, learning_rate_init=0.01, max_iter=500, random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _loss = "cross_entropy"

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Learn from these samples, one pass over them, going on from what has been learnt.

        Parameters
        ----------
        X : array, shape (n, features)
        y : array, shape (n,)
        classes : array
            All classes that there will ever be; for the first call only.
        sample_weight : array, shape (n,)
            What each sample counts; left out: all count alike.

        Returns
        -------
        self
        """
        _check_partial_fit_first_call(self, classes)
        return self._go_on(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """The most probable class of each sample.

        Parameters
        ----------
        X : array, shape (n, features)

        Returns
        -------
        array, shape (n,)
        """
        check_is_fitted(self, "network_")
        return np.asarray(self.classes_[self._logits(X).argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, by the softmax of the outputs.

        Parameters
        ----------
        X : array, shape (n, features)

        Returns
        -------
        array, shape (n, classes)
            In the order of ``classes_``.
        """
        logits = self._logits(X)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of the probabilities.

        Parameters
        ----------
        X : array, shape (n, features)

        Returns
        -------
        array, shape (n, classes)
        """
        logits = self._logits(X)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))

    def _validated(self, X: Any, y: Any, *, reset: bool, known: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32], order="C", multi_output=True)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if not known:
            self.classes_ = np.unique(y)
        elif len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(f"y has the classes {unknown.tolist()}, which are not in classes_ = {self.classes_.tolist()}")
        return X, y

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        return np.searchsorted(self.classes_, y)

    def _outputs(self, y: Array) -> int:
        return len(self.classes_)

    def _strata(self, y: Array) -> Array | None:
        return y

    def _score(self, X: Array, y: Array, sample_weight: Array | None) -> float:
        predicted = self.classes_[self.network_.predict(X, threads=self.n_threads).argmax(axis=1)]
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))


class DualPropRegressor(RegressorMixin, DualPropEstimator):  # type: ignore[misc]
    __doc__ = f"""A regressor that learns by dual propagation: a dense network with half the squared error.
{PARAMETERS}
    Examples
    --------
    >>> import numpy as np
    >>> from dualprop import DualPropRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = DualPropRegressor(learning_rate_init=0.01, max_iter=300, random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.9
    True
    """

    _loss = "half_squared_error"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Learn from these samples, one pass over them, going on from what has been learnt.

        Parameters
        ----------
        X : array, shape (n, features)
        y : array, shape (n,) or (n, outputs)
        sample_weight : array, shape (n,)
            What each sample counts; left out: all count alike.

        Returns
        -------
        self
        """
        return self._go_on(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """The outputs for each sample.

        Parameters
        ----------
        X : array, shape (n, features)

        Returns
        -------
        array, shape (n,), or (n, outputs) if it was fitted so
        """
        outputs = self._logits(X)
        return outputs.ravel() if self._is_flat else outputs

    def _validated(self, X: Any, y: Any, *, reset: bool, known: bool) -> tuple[Array, Array]:
        X, y = validate_data(
            self, X, y, reset=reset, dtype=[np.float64, np.float32], order="C", multi_output=True, y_numeric=True
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset:
            self._is_flat = y.ndim == 1
        return X, y

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        return np.ascontiguousarray(y.reshape(len(y), -1), dtype=dtype)

    def _outputs(self, y: Array) -> int:
        return 1 if y.ndim == 1 else y.shape[1]

    def _score(self, X: Array, y: Array, sample_weight: Array | None) -> float:
        predicted = self.network_.predict(X, threads=self.n_threads)
        return float(r2_score(y, predicted.ravel() if self._is_flat else predicted, sample_weight=sample_weight))
