"""Training by recipes, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import dualprop
from dualprop import Run, Trainer

SHORT = {"training.epochs": 2}


class Heard(dualprop.Callback):
    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def on_start(self, info) -> None:
        self.events.append(("start", info))

    def on_step(self, step) -> None:
        self.events.append(("step", step))

    def on_epoch(self, metrics) -> None:
        self.events.append(("epoch", metrics))

    def on_finish(self, result) -> None:
        self.events.append(("finish", result))

    def of(self, kind: str) -> list:
        return [what for event, what in self.events if event == kind]


def test_callbacks_hear_everything_in_order(tmp_path) -> None:
    heard = Heard()
    run = Trainer("digits", SHORT).fit([heard], runs=tmp_path)
    (start,), epochs, steps, (finish,) = (heard.of(kind) for kind in ("start", "epoch", "step", "finish"))
    assert start["epochs"] == 2 and start["seed"] == 0 and os.path.samefile(start["directory"], run.path)
    assert steps == list(range(1, 2 * start["steps_per_epoch"] + 1))
    assert [line["epoch"] for line in epochs] == [1, 2]
    assert [line["parameters_sha256"] for line in epochs] == [line["parameters_sha256"] for line in run.epochs]
    assert run.summary is not None and run.summary["results"] == [finish]


def test_a_run_is_read_as_plain_objects(tmp_path) -> None:
    run = Trainer("digits", {"training": {"epochs": 2}, "seeds": [3, 4]}).fit(runs=tmp_path, name="two")
    assert run.path == tmp_path / "two" and run.recipe["training"]["epochs"] == 2
    assert [seed.path.name for seed in run.seeds] == ["seed-3", "seed-4"]
    seed = run.seeds[1]
    assert seed.seeds[0].path == seed.path and len(seed.epochs) == 2 and seed.steps[0]["step"] == 0
    assert seed.environment["version"] == dualprop.__version__
    with pytest.raises(FileNotFoundError, match="a run of several seeds"):
        run.epochs
    with pytest.raises(FileNotFoundError, match="no recipe.toml"):
        Run(tmp_path)
    network = seed.network
    digits = dualprop.datasets.load("digits")
    accuracy = (network.predict(network.inputs(digits.train.images)).argmax(1) == digits.train.labels).mean()
    assert accuracy > 0.9
    # A line that is still being written is no line.
    with open(seed.path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind":"epoch","epo')
    assert len(seed.epochs) == 2


def test_frames_have_a_column_for_every_layer(tmp_path) -> None:
    pytest.importorskip("pandas")
    frame = Trainer("digits", SHORT).fit(runs=tmp_path).frame()
    assert len(frame) == 2 and {"epoch", "angle_deg_1", "angle_deg_3", "gamma_2", "product_norm"} <= set(frame.columns)


def test_a_callback_can_stop_and_resume_gives_the_same_bits(tmp_path) -> None:
    class Stop(dualprop.Callback):
        def on_step(self, step) -> None:
            if step == 30:
                raise dualprop.StopTraining

    whole = Trainer("digits", SHORT).fit(runs=tmp_path)
    stopped = Trainer("digits", SHORT).fit([Stop()], runs=tmp_path, name="stopped")
    assert stopped.summary is None and stopped.path.name == "stopped"
    again = Trainer.resume(stopped.path, threads=1)
    assert again.summary is not None
    assert [line["parameters_sha256"] for line in again.epochs] == [line["parameters_sha256"] for line in whole.epochs]
    assert Trainer.resume(again.path).summary == again.summary


def test_what_a_callback_raises_is_raised_and_nothing_is_lost(tmp_path) -> None:
    class Broken(dualprop.Callback):
        def on_epoch(self, metrics) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Trainer("digits", SHORT).fit([Broken()], runs=tmp_path, name="broken")
    assert Trainer.resume(tmp_path / "broken").summary is not None


def test_what_is_raised_at_a_warning_ends_the_training_too(tmp_path) -> None:
    """A warning by itself ends nothing; what a callback raises at it must not wait for the last epoch."""

    class Strict(Heard):
        def on_warning(self, text) -> None:
            raise RuntimeError(text)

    strict = Strict()
    settings = {"training.epochs": 1000, "learning.rule": "dp", "learning.alpha": 0.0, "learning.nudge": "proximal", "learning.beta": 5.0}
    with pytest.raises(RuntimeError, match="several maximisers"):
        Trainer("digits", settings).fit([strict], runs=tmp_path)
    assert strict.events == []


def test_any_object_with_the_methods_will_do(tmp_path) -> None:
    class Mine:
        epochs = 0

        def on_epoch(self, metrics) -> None:
            self.epochs += 1

    mine = Mine()
    Trainer("digits", SHORT).fit([mine, object()], runs=tmp_path)
    assert mine.epochs == 2


def test_names_are_never_taken_by_accident(tmp_path) -> None:
    trainer = Trainer("digits", {"training.epochs": 1})
    assert [trainer.fit(runs=tmp_path).path.name for _ in range(2)] == ["digits", "digits-2"]
    with pytest.raises(FileExistsError, match="replace it with force=True"):
        trainer.fit(runs=tmp_path, name="digits")
    assert trainer.fit(runs=tmp_path, name="digits", force=True).summary is not None


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (("digit",), ValueError, "did you mean `digits`"),
        (("missing.toml",), FileNotFoundError, "missing.toml"),
        (("digits", {"learning.alhpa": 1}), ValueError, "did you mean `alpha`"),
        (("digits", {"learning": {"alpha": 2}}), ValueError, "learning.alpha = 2"),
        (("digits", {"learning.alpha": {1}}), ValueError, "learning.alpha"),
        (("digits", {"training.epochs": 10**30}), ValueError, "training.epochs"),
        (("digits", {1: 2}), TypeError, "int"),
    ],
)
def test_recipes_that_are_none(arguments, kind, text) -> None:
    with pytest.raises(kind, match=text):
        Trainer(*arguments)


def test_data_that_is_not_there_is_told_with_what_to_do(tmp_path) -> None:
    with pytest.raises((ValueError, OSError), match="mnist"):
        Trainer("mnist", data_dir=tmp_path).fit(runs=tmp_path)
    assert not (tmp_path / "mnist").exists()


def test_a_training_that_diverges_says_so(tmp_path) -> None:
    settings = {"optimizer.kind": "sgd", "optimizer.learning_rate": 1e30, "optimizer.schedule.kind": "constant"}
    with pytest.raises(dualprop.DivergedError, match="diverged; try"):
        Trainer("digits", settings).fit(runs=tmp_path)


def test_other_threads_of_python_run_meanwhile(tmp_path) -> None:
    counted, done = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        Trainer("digits", {"training.epochs": 3}).fit(runs=tmp_path)
    finally:
        done.set()
        thread.join()
    assert counted > 5


INTERRUPTED = """
# Whoever runs this in the background ignores it, and so would this process.
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, dualprop
class Loud(dualprop.Callback):
    def on_epoch(self, metrics):
        print("epoch", flush=True)
try:
    dualprop.Trainer("digits", {"training.epochs": 100000}).fit([Loud()], runs=sys.argv[1], name="long")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_training_with_a_checkpoint(tmp_path) -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "epoch\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest.endswith("interrupted\n") and process.returncode == 0
    checkpoint = tmp_path / "long" / "checkpoints" / "last.safetensors"
    assert checkpoint.is_file()


def test_the_program_and_python_train_to_the_same_bits(tmp_path) -> None:
    program = os.environ.get("DUALPROP_PROGRAM")
    if not program:
        pytest.skip("SKIPPED: no program to compare with in $DUALPROP_PROGRAM")
    sets = ["--set", "training.epochs=2", "--set", "learning.rule=dp", "--set", "learning.alpha=0.25"]
    subprocess.run([program, "train", "digits", *sets, "--name", "program", "--quiet"], check=True, cwd=tmp_path)
    settings = {"training.epochs": 2, "learning.rule": "dp", "learning.alpha": 0.25}
    own = Trainer("digits", settings).fit(runs=tmp_path / "runs", name="python")
    theirs = Run(tmp_path / "runs" / "program")
    assert (own.path / "recipe.toml").read_bytes() == (theirs.path / "recipe.toml").read_bytes()
    assert (own.path / "model.safetensors").read_bytes() == (theirs.path / "model.safetensors").read_bytes()
    assert [line["parameters_sha256"] for line in own.epochs] == [line["parameters_sha256"] for line in theirs.epochs]


def test_a_recipe_says_every_value() -> None:
    trainer = Trainer("digits", {"learning.alpha": np.float64(0.25), "network.layers": ("dense 12", "dense 10")})
    assert "alpha = 0.25" in trainer.recipe and '"dense 12"' in trainer.recipe
    assert json.dumps(dualprop.recipes()["digits"])
