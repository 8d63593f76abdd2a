"""Half an hour of whatever a run directory may meet, from a seeded script: nothing lost, memory and file handles flat.

    python3 scripts/soak.py [--minutes N] [--seed N] [--program target/release/dualprop]

Trainings that are killed at random instants and resumed, bad input, two processes on one run, verification, evaluation. Exits 1 and
says what happened if a promise of docs/reliability.md is broken. Needs Linux (/proc).
"""
import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RECIPES = {  # one for each kind of state that a checkpoint holds
    "sgd": [],
    "adam": ["optimizer.kind=adam", "optimizer.learning_rate=1e-3", "learning.alpha=0.5"],
    "previous": ["learning.start=previous", "learning.schedule=parallel", "learning.passes=4", "learning.nudge=linearised_live"],
    "multistep": ["learning.multistep=2", "optimizer.learning_rate=0.01"],
    "convolutional": ["network.layers=['conv 8 pool', 'dense 10']", "data.augment=crop_flip"],
}
COMMON = ["training.epochs=25", "training.checkpoint_every=9", "training.alignment_every=6", "network.layers=['dense 32', 'dense 10']"]
BAD = [
    ["train", "digits", "--set", "learning.betta=1"],
    ["train", "digits", "--set", "learning.beta=nan"],
    ["train", "digits", "--set", "optimizer.learning_rate=-1"],
    ["train", "no-such-recipe"],
    ["train", "--resume", "no-such-run"],
    ["eval", "no-such-run"],
    ["predict", "runs", "digits"],
    ["trace", "/dev/null", "--out", "x"],
    ["data", "verify", "no-such-set"],
    ["train", "digits", "--memory-limit", "300", "--set", "network.layers=['dense 8000', 'dense 8000', 'dense 10']"],
]


class Broken(Exception):
    """A promise that was not kept."""


class Soak:
    def __init__(self, program, folder, seed):
        self.program, self.folder, self.random = program, folder, random.Random(seed)
        self.counts, self.expected, self.peak = {}, {}, {}

    def command(self, arguments):
        environment = {key: value for key, value in os.environ.items() if key != "DUALPROP_DATA"}
        return subprocess.Popen([self.program, *arguments], cwd=self.folder, env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self, arguments, codes):
        process = self.command(arguments)
        out, err = process.communicate(timeout=300)
        if process.returncode not in codes:
            raise Broken(f"{' '.join(arguments)} ended with {process.returncode}, expected {codes}:\n{out}{err}")
        if "panicked" in err:
            raise Broken(f"{' '.join(arguments)} panicked:\n{err}")
        return out, err

    def train(self, kind, name):
        sets = [word for setting in COMMON + RECIPES[kind] for word in ("--set", setting)]
        return ["train", "digits", "--quiet", "--name", name, *sets]

    def result(self, name):
        run = self.folder / "runs" / name
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        epochs = [line["epoch"] for line in lines if line["kind"] == "epoch"]
        if epochs != list(range(1, 26)):
            raise Broken(f"{name}: epochs {epochs}")
        for line in lines:
            line.pop("seconds", None), line.pop("samples_per_second", None)
        return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest(), lines

    def watch(self, process, until):
        """Memory and handles of a process until this time, at most."""
        most = (0, 0)
        while time.time() < until and process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                rss = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
                most = (max(most[0], rss), max(most[1], len(os.listdir(f"/proc/{process.pid}/fd"))))
            except OSError:
                break
            time.sleep(0.01)
        return most

    def killed(self):
        """A training that is killed and resumed until it is done."""
        kind = self.random.choice(list(RECIPES))
        if kind not in self.expected:
            name = f"whole-{kind}"
            self.run(self.train(kind, name), {0})
            self.expected[kind] = self.result(name)
        self.count("training")
        name = f"killed-{self.counts['training']}"
        while True:
            begun = (self.folder / "runs" / name / "recipe.toml").exists()
            threads = ["--threads", str(self.random.choice([1, 2, 3]))]
            process = self.command((["train", "--quiet", "--resume", f"runs/{name}"] if begun else self.train(kind, name)) + threads)
            most = self.watch(process, time.time() + self.random.random() ** 2 * 1.5)
            first = self.peak.setdefault(kind, most)
            if most[0] > 1.5 * first[0] + 20_000 or most[1] > first[1] + 16:
                raise Broken(f"{name}: {most[0]} KiB and {most[1]} handles, {first} at first")
            second = process.poll() is None and self.random.random() < 0.2
            if second:
                other = self.run(["train", "--resume", f"runs/{name}"], {0, 2})[1]
                self.count("second process" if "in use" in other else "second process, too late")
            how = self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            process.send_signal(how)
            _, err = process.communicate(timeout=60)
            if process.returncode == 0:
                break
            # On a busy machine the second process may have been the first to take the run, and has trained it meanwhile.
            if second and process.returncode == 2 and "in use" in err:
                self.count("second process, first")
                continue
            # SIGTERM kills too, before the program listens for it.
            if process.returncode not in (-signal.SIGKILL, -signal.SIGTERM, 130):
                raise Broken(f"{name} ended with {process.returncode}:\n{err}")
            self.count("kill" if process.returncode < 0 else "interruption")
        if self.result(name) != self.expected[kind]:
            raise Broken(f"{name}: other bits than whole-{kind}")
        shutil.rmtree(self.folder / "runs" / name)

    def bad(self):
        arguments = self.random.choice(BAD)
        out, err = self.run(arguments, {1, 2})
        if out or not err.startswith("error: "):
            raise Broken(f"{' '.join(arguments)}: {out}{err}")
        self.count("bad input")

    def judged(self):
        kinds = list(self.expected)
        if kinds:
            name = f"runs/whole-{self.random.choice(kinds)}"
            self.run([self.random.choice(["verify", "eval"]), name], {0})
            self.count("verification or evaluation")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--program", default="target/release/dualprop")
    options = arguments.parse_args()
    program = str(pathlib.Path(options.program).resolve())
    end = time.time() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(program, pathlib.Path(folder), options.seed)
        try:
            while time.time() < end:
                soak.random.choice([soak.killed, soak.killed, soak.bad, soak.judged])()
        except Broken as broken:
            print(f"seed {options.seed}, after {soak.counts}: {broken}", file=sys.stderr)
            return 1
        left = [path for path in pathlib.Path(folder).rglob(".*") if path.name.startswith(".dualprop-")]
        if left:
            print(f"never finished and not removed: {left}", file=sys.stderr)
            return 1
        print(f"seed {options.seed}: " + ", ".join(f"{count} x {what}" for what, count in sorted(soak.counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
