"""The estimators, by scikit-learn's own checks and by what its users do with them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from dualprop import DivergedError, DualPropClassifier, DualPropRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CHECKS = [check for model in (DualPropClassifier(), DualPropRegressor()) for check in estimator_checks_generator(model)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model", "check"), CHECKS, ids=[f"{type(model).__name__}-{getattr(check, 'func', check).__name__}" for model, check in CHECKS]
)
def test_scikit_learns_own_checks(model, check) -> None:
    # Never xfail: what it cannot do is a defect.
    check(model)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


QUICK = {"learning_rate_init": 0.01, "max_iter": 30, "random_state": 0}


def test_it_classifies_digits() -> None:
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), DualPropClassifier(alpha=0.0, max_iter=20, random_state=0, learning_rate_init=0.005))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9


@pytest.mark.parametrize("rule", ["dp_transpose", "dp", "dp_damped", "backprop"])
def test_every_rule_learns(iris, rule) -> None:
    assert DualPropClassifier(rule=rule, **QUICK).fit(*iris).score(*iris) > 0.9


def test_it_predicts_numbers() -> None:
    X, y = make_regression(200, 5, n_targets=2, noise=1.0, random_state=0)
    y = y / y.std()
    model = DualPropRegressor(hidden_layer_sizes=(50, 20), learning_rate_init=0.01, max_iter=200, random_state=0).fit(X, y)
    assert model.predict(X).shape == (200, 2) and model.score(X, y) > 0.95
    single = DualPropRegressor(random_state=0).fit(X, y[:, 0])
    assert single.predict(X).shape == (200,)


def test_grid_search_clones_and_pickles_in_processes_of_its_own(iris) -> None:
    search = GridSearchCV(DualPropClassifier(**QUICK), {"alpha": [0.0, 1.0], "beta": [0.1, 0.5]}, cv=2, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(*iris)
    assert search.best_score_ > 0.8


def test_the_same_seed_gives_the_same_bits_whatever_the_threads(iris) -> None:
    fits = [DualPropClassifier(n_threads=threads, batch_size=40, **QUICK).fit(*iris) for threads in (1, 2, 3)]
    for other in fits[1:]:
        assert np.array_equal(fits[0].predict_proba(iris[0]), other.predict_proba(iris[0]))
        assert fits[0].loss_curve_ == other.loss_curve_
    drawn = DualPropClassifier(**(QUICK | {"random_state": np.random.RandomState(0)})).fit(*iris)
    assert np.array_equal(drawn.coefs_[0], DualPropClassifier(**QUICK).fit(*iris).coefs_[0])


def test_the_first_weights_do_not_depend_on_how_many_samples_there_are(iris) -> None:
    frozen = QUICK | {"max_iter": 1, "learning_rate_init": 1e-30}
    whole, part = (DualPropClassifier(**frozen).fit(iris[0][::step], iris[1][::step]) for step in (1, 3))
    assert np.allclose(whole.coefs_[0], part.coefs_[0], rtol=0, atol=1e-25)


@pytest.mark.parametrize(("given", "own"), [(np.float32, "float32"), (np.float64, "float64"), (np.int64, "float64")])
def test_numbers_are_as_fine_as_those_of_X(iris, given, own) -> None:
    model = DualPropClassifier(**QUICK).fit((10 * iris[0]).astype(given), iris[1])
    assert model.network_.dtype == own and model.predict_proba(iris[0].astype(given)).dtype == own


def test_batches_are_of_200_or_of_all(iris) -> None:
    small, large = DualPropClassifier(**QUICK), DualPropClassifier(**QUICK)
    small.fit(iris[0][:120], iris[1][:120])
    large.fit(np.tile(iris[0], (3, 1)), np.tile(iris[1], 3))
    assert small._learner(120).state()[0] == 30 and large._learner(450).state()[0] == 30 * 3


def test_weights_are_repetitions(iris) -> None:
    weights = np.random.default_rng(0).integers(0, 3, len(iris[1]))
    repeated = [np.repeat(part, weights, axis=0) for part in iris]
    weighted = DualPropClassifier(**QUICK).fit(*iris, sample_weight=weights)
    np.testing.assert_allclose(weighted.predict_proba(iris[0]), DualPropClassifier(**QUICK).fit(*repeated).predict_proba(iris[0]), rtol=1e-6)


def test_partial_fits_go_on_as_one_fit_does(iris) -> None:
    whole = DualPropClassifier(tol=-np.inf, **QUICK).fit(*iris)
    parts = DualPropClassifier(**QUICK)
    for i in range(30):
        parts.partial_fit(*iris, classes=[0, 1, 2] if i == 0 else None)
        if i == 10:
            parts = pickle.loads(pickle.dumps(parts))
    assert parts.n_iter_ == 30 and parts.t_ == whole.t_
    assert np.array_equal(parts.predict_proba(iris[0]), whole.predict_proba(iris[0]))


def test_classes_may_come_later(iris) -> None:
    model = DualPropClassifier(**QUICK)
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(*iris)
    model.partial_fit(iris[0][:50], iris[1][:50], classes=[0, 1, 2])
    assert model.predict_proba(iris[0]).shape == (150, 3)
    with pytest.raises(ValueError, match="not in classes_"):
        model.partial_fit(iris[0], iris[1] + 1)


def test_warm_starts_go_on(iris) -> None:
    model = DualPropClassifier(warm_start=True, **(QUICK | {"max_iter": 5, "tol": -np.inf}))
    losses = [model.fit(*iris).loss_ for _ in range(3)]
    assert model.n_iter_ == 15 and losses[2] < losses[1] < losses[0]
    assert clone(model).fit(*iris).n_iter_ == 5


def test_warm_starts_follow_what_is_set_anew(iris) -> None:
    model = DualPropClassifier(warm_start=True, **(QUICK | {"max_iter": 2})).fit(*iris)
    model.set_params(rule="backprop", learning_rate_init=0.0001).fit(*iris)
    assert model.dual_prop_.rule == "backprop"
    with pytest.raises(ValueError, match="with warm_start=False"):
        model.set_params(hidden_layer_sizes=(7,)).fit(*iris)


def test_weights_of_nothing_are_refused(iris) -> None:
    with pytest.raises(ValueError, match="(?i)sample.weight"):
        DualPropClassifier(**QUICK).fit(*iris, sample_weight=np.zeros(len(iris[1])))


def test_early_stopping_keeps_the_best(iris) -> None:
    model = DualPropClassifier(early_stopping=True, **(QUICK | {"max_iter": 200})).fit(*iris)
    assert model.validation_scores_ and model.best_loss_ is None
    assert model.best_validation_score_ == max(model.validation_scores_) and model.n_iter_ < 200
    with pytest.raises(ValueError, match="early_stopping"):
        model.partial_fit(*iris)


def test_names_of_features_are_kept(iris) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(iris[0], columns=list("abcd"))
    model = DualPropClassifier(**QUICK).fit(frame, iris[1])
    assert model.feature_names_in_.tolist() == list("abcd") and model.n_features_in_ == 4


def test_classes_may_be_texts(iris) -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
    model = DualPropClassifier(**QUICK).fit(iris[0], names)
    assert set(model.predict(iris[0])) <= set(model.classes_) and model.score(iris[0], names) > 0.9
    np.testing.assert_allclose(np.exp(model.predict_log_proba(iris[0])), model.predict_proba(iris[0]))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rule": "dpt"}, "unknown learning.rule"),
        ({"alpha": 2.0}, "learning.alpha = 2"),
        ({"hidden_layer_sizes": (0,)}, "dense 0"),
        ({"activation": "rleu"}, "did you mean `relu`"),
        ({"solver": "lbfgs"}, "optimizer.kind"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"batch_size": "all"}, "batch_size = 'all'"),
        ({"max_iter": 0}, "max_iter = 0"),
        ({"validation_fraction": 1.0}, "validation_fraction = 1.0"),
        ({"learning_rate_init": -1.0}, "optimizer.learning_rate"),
    ],
)
def test_parameters_that_are_none(iris, settings, text) -> None:
    with pytest.raises(ValueError, match=text):
        DualPropClassifier(**settings).fit(*iris)


def test_it_says_what_went_wrong(iris) -> None:
    with pytest.raises(NotFittedError):
        DualPropClassifier().predict(iris[0])
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        DualPropClassifier(max_iter=2).fit(*iris)
    with pytest.raises(DivergedError, match="diverged"):
        DualPropRegressor(solver="sgd", learning_rate_init=1e6, momentum=0.0, random_state=0).fit(iris[0], iris[1] * 1e3)


INTERRUPTED = """
# Whoever runs this in the background ignores it, and so would this process.
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from dualprop import DualPropClassifier
X = np.random.default_rng(0).normal(size=(5000, 50)); y = np.arange(5000) % 5
model = DualPropClassifier(hidden_layer_sizes=(200, 200), max_iter=100000, tol=-1.0, warm_start=True, random_state=0)
print("begins", flush=True)
try:
    model.fit(X, y)
except KeyboardInterrupt:
    model.set_params(max_iter=1)
    import warnings; warnings.simplefilter("ignore")
    print("interrupted", model.predict(X[:3]).shape, model.fit(X, y).n_iter_ > 0, flush=True)
"""


def test_ctrl_c_leaves_an_estimator_that_goes_on() -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None and process.stdout.readline() == "begins\n"
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "interrupted (3,) True\n" and process.returncode == 0
