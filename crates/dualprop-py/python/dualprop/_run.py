"""Run directories as plain Python objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import _core
from ._core import Network


class Run:
    """A run directory, as ``dualprop train`` and ``Trainer`` leave it (``docs/run-directory.md``); nothing in it is changed.

    Parameters
    ----------
    path : str or path
        The folder of a run, of one of its seeds, or of a cell of a sweep. One that is at work can be read as well.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no ``recipe.toml`` in it.

    Examples
    --------
    >>> import dualprop, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = dualprop.Trainer("digits", {"training.epochs": 2}).fit(runs=folder)
    ...     [sorted(epoch)[:2] for epoch in run.epochs]
    [['angles_deg', 'cosines'], ['angles_deg', 'cosines']]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "recipe.toml").is_file():
            raise FileNotFoundError(f"{self.path}: no recipe.toml in it; expected the folder of a run")

    @property
    def recipe(self) -> dict[str, Any]:
        """Every effective value, by section and key."""
        values: dict[str, Any] = json.loads(_core.recipe_values(str(self.path / "recipe.toml")))
        return values

    @property
    def environment(self) -> dict[str, Any]:
        """Version, processor, threads, and which kernels computed what."""
        environment = self._json("environment.json")
        if environment is None:
            raise FileNotFoundError(f"{self.path}: no environment.json in it")
        return environment

    @property
    def summary(self) -> dict[str, Any] | None:
        """What came out, with a result for each seed; None while the run is not complete."""
        return self._json("summary.json")

    @property
    def seeds(self) -> list[Run]:
        """The run of each seed: this one if it has only one, else its folders ``seed-N``, in order; those that have begun."""
        listed = self.recipe.get("seeds", [])
        if len(listed) <= 1:
            return [self]
        folders = (self.path / f"seed-{seed}" for seed in listed)
        return [Run(folder) for folder in folders if folder.is_dir()]

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The measurements of every epoch so far, of a run of one seed."""
        return self.metrics("epoch")

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The measurements of every measured step so far, of a run of one seed."""
        return self.metrics("step")

    def metrics(self, kind: str) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl`` of one kind.

        Parameters
        ----------
        kind : str
            "epoch", "step", "objective", "norm", "settling" or "robustness".

        Returns
        -------
        list of dict
            Each without its ``kind``.

        Raises
        ------
        FileNotFoundError
            If the run has no metrics; of several seeds each has its own, in ``seeds``.
        """
        return [{key: value for key, value in line.items() if key != "kind"} for line in self._lines() if line.get("kind") == kind]

    def frame(self, kind: str = "epoch") -> Any:
        """The lines of one kind as a pandas DataFrame, lists per layer as columns ``angle_deg_1`` and so on.

        Parameters
        ----------
        kind : str
            As of ``metrics``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ImportError("Run.frame makes a DataFrame of pandas, which is not installed: pip install pandas") from error
        return pandas.DataFrame([_flat(line) for line in self.metrics(kind)])

    @property
    def network(self) -> Network:
        """The network with the parameters best on validation; of a run of several seeds each has its own, in ``seeds``."""
        return Network.load(self.path / "model.safetensors")

    def _lines(self) -> Iterator[dict[str, Any]]:
        path = self.path / "metrics.jsonl"
        if not path.is_file() and len(self.seeds) > 1:
            raise FileNotFoundError(f"{self.path}: a run of several seeds, each with metrics of its own; ask run.seeds[0], and so on")
        with open(path, encoding="utf-8") as file:
            for line in file:
                # The last line of a run that is at work may not be complete.
                if line.endswith("\n"):
                    yield json.loads(line)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        if not path.is_file():
            return None
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return value

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    """A line whose lists and dicts are columns of their own, named as those of ``metrics.csv``."""
    flat: dict[str, Any] = {}
    for key, value in line.items():
        if isinstance(value, list):
            singular = key.replace("angles_deg", "angle_deg").removesuffix("s")
            flat.update({f"{singular}_{layer}": item for layer, item in enumerate(value, 1)})
        elif isinstance(value, dict):
            flat.update({f"{key}_{name}": item for name, item in value.items()})
        else:
            flat[key] = value
    return flat
