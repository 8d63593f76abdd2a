"""Training by recipes."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from . import _core
from ._run import Run


class StopTraining(Exception):
    """Raised by a callback: end the training after the present batch, with a checkpoint from which ``Trainer.resume`` goes on."""


class Callback:
    """What hears of a training; every method does nothing until it is overridden.

    Any object with some of these methods will do. An exception ends the training after the present batch, with a checkpoint, and is
    raised by ``fit``; ``StopTraining`` ends it without one.
    """

    def on_start(self, info: dict[str, Any]) -> None:
        """A seed begins, or goes on: ``seed``, ``parameters``, ``samples``, ``epochs``, ``steps_per_epoch``, ``steps_done``, ``directory``."""

    def on_step(self, step: int) -> None:
        """A weight update is done, counted from 1 over all epochs."""

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """An epoch is done, with its measurements as in ``metrics.jsonl``."""

    def on_warning(self, text: str) -> None:
        """Something is valid but rarely meant."""

    def on_finish(self, result: dict[str, Any]) -> None:
        """A seed is done, with what came out."""


class Trainer:
    """A recipe, to be trained: what ``dualprop train`` does, to the same bits.

    Parameters
    ----------
    recipe : str or path
        The name of a built-in recipe, or the path of a file.
    settings : dict
        What is different from it: ``{"learning.alpha": 0.5}`` or ``{"learning": {"alpha": 0.5}}``.
    data_dir : str or path
        The folder that has the data sets; left out: ``$DUALPROP_DATA``, then the cache of the program.

    Raises
    ------
    ValueError
        For a recipe that is none, with the line, the key, and what would do.
    OSError
        If its file cannot be read.

    Examples
    --------
    >>> import dualprop, tempfile
    >>> trainer = dualprop.Trainer("digits", {"training.epochs": 2, "learning.alpha": 0.5})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = trainer.fit(runs=folder)
    ...     run.summary["test_accuracy"] > 80
    True
    """

    def __init__(
        self,
        recipe: str | os.PathLike[str] = "digits",
        settings: Mapping[str, Any] | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        #: Every effective value, as TOML.
        self.recipe: str = _core.recipe(os.fspath(recipe), dict(settings or {}))
        self._data_dir = data_dir

    def fit(
        self,
        callbacks: Iterable[Any] = (),
        *,
        runs: str | os.PathLike[str] = "runs",
        name: str | None = None,
        force: bool = False,
    ) -> Run:
        """Train all seeds of the recipe into a run directory.

        Parameters
        ----------
        callbacks : iterable of Callback
            What hears of it, in this order.
        runs : str or path
            The folder that holds run directories.
        name : str
            The run's name; left out: one that is free, made from the recipe's.
        force : bool
            Whether an earlier run of that name is replaced, once this one is complete.

        Returns
        -------
        Run
            Its ``summary`` is None if a callback has stopped it.

        Raises
        ------
        DivergedError
            If a number stops being finite.
        FileExistsError
            If there is a run of that name.
        KeyboardInterrupt
            On Ctrl-C, after the present batch: a checkpoint is kept.
        ValueError, OSError, MemoryError
            If recipe and data do not fit each other, a file cannot be read or written, or there is no room for it.
        """
        return _train(self.recipe, callbacks, self._data_dir, runs=runs, name=name, force=force)

    @staticmethod
    def resume(
        path: str | os.PathLike[str],
        callbacks: Iterable[Any] = (),
        *,
        data_dir: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> Run:
        """Go on with a run from its checkpoint, to the same bits as if it had never been interrupted.

        Parameters
        ----------
        path : str or path
            The run's folder.
        callbacks, data_dir
            As above.
        threads : int
            Others than the recipe's, which changes no result.

        Returns
        -------
        Run

        Raises
        ------
        ValueError, OSError
            If it is no run, or its files are damaged.
        DivergedError, KeyboardInterrupt, MemoryError
            As of ``fit``.
        """
        return _train("", callbacks, data_dir, again=path, threads=threads)

    def __repr__(self) -> str:
        first = self.recipe.partition("\n")[0]
        return f"Trainer({first})"


def recipes() -> dict[str, str]:
    """The built-in recipes: what each is for, by its name.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> import dualprop
    >>> "mnist" in dualprop.recipes()
    True
    """
    return dict(_core.recipes())


_EVENTS = {"started": "on_start", "step": "on_step", "epoch": "on_epoch", "warning": "on_warning", "finished": "on_finish"}


def _train(
    text: str, callbacks: Iterable[Any], data_dir: str | os.PathLike[str] | None, **options: Any
) -> Run:
    """Train, and tell every callback the events that it has a method for."""
    heard: dict[str, list[Callable[[Any], Any]]] = {}
    for callback in callbacks:
        for event, method in _EVENTS.items():
            # A method that does nothing need not be called, for every step least of all.
            if getattr(type(callback), method, None) is not getattr(Callback, method) and hasattr(callback, method):
                heard.setdefault(event, []).append(getattr(callback, method))
    folder: list[str] = []

    def listener(event: str, what: Any) -> bool:
        if event in ("started", "epoch", "finished"):
            what = json.loads(what)
        if event == "started":
            folder.append(what["directory"])
        if event == "warning" and event not in heard:
            warnings.warn(what, stacklevel=2)
        try:
            for tell in heard.get(event, ()):
                tell(what)
        except StopTraining:
            return True
        return False

    summary = _core.train(text, listener, steps="step" in heard, data_dir=data_dir, **options)
    if summary is not None:
        return Run(json.loads(summary)["run_directory"])
    place = Path(folder[-1])
    # One of several seeds has a folder within the run's.
    is_seed = place.name.startswith("seed-") and (place.parent / "recipe.toml").is_file()
    return Run(place.parent if is_seed else place)
