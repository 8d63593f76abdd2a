"""TensorBoard itself reads what `dualprop train --tensorboard` writes: every tag, with the numbers of metrics.jsonl.

Trains the digits for two epochs in a temporary folder. Uses the first interpreter that has TensorBoard (packages.py); without one it
prints SKIPPED. Exits 1 if a number differs. Run from anywhere: python3 scripts/check_tensorboard.py
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import packages

TRAIN = ["train", "--quiet", "--tensorboard", "--set", "training.epochs=2", "--set", "data.limit_train=400", "--name", "run"]


def single(number):
    """The nearest number of 32 bits, as an event holds it."""
    return struct.unpack("f", struct.pack("f", number))[0]


def expected(line):
    """What the line of an epoch or of a step becomes: numbers by their tags."""
    def per_layer(tag, values):
        return {f"{tag}/layer_{k}": value for k, value in enumerate(values, start=1)}

    if line["kind"] == "step":
        numbers = {"step/loss": line["train_loss"], **per_layer("step/angle_deg", line["angles_deg"])}
    else:
        numbers = {
            "accuracy/train": line["train_accuracy"],
            "accuracy/validation": line["validation_accuracy"],
            "loss/train": line["train_loss"],
            "loss/validation": line["validation_loss"],
            "learning_rate": line["learning_rate"],
            "speed": line["samples_per_second"],
            "product_norm": line["product_norm"],
            **per_layer("angle_deg", line["angles_deg"]),
            **per_layer("gamma", line["gammas"]),
        }
    return {tag: (line["step"], single(value)) for tag, value in numbers.items() if value is not None}


def check(run):
    """Holds what TensorBoard finds in a run against its metrics; how many numbers there are."""
    from tensorboard.backend.event_processing import event_accumulator

    found = event_accumulator.EventAccumulator(str(run), size_guidance={event_accumulator.SCALARS: 0})
    found.Reload()
    wanted = {}
    for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
        for tag, point in expected(line).items():
            wanted.setdefault(tag, []).append(point)
    tags = sorted(found.Tags()["scalars"])
    wrong = [f"tags {tags}, expected {sorted(wanted)}"] if tags != sorted(wanted) else []
    for tag in set(tags) & set(wanted):
        points = [(event.step, event.value) for event in found.Scalars(tag)]
        if points != wanted[tag]:
            wrong.append(f"{tag}: {points}, expected {wanted[tag]}")
    count = sum(map(len, wanted.values()))
    print("\n".join(wrong) if wrong else f"TensorBoard: {count} numbers by {len(wanted)} tags, read as they were measured")
    return bool(wrong) or count == 0


def main():
    packages.need("TensorBoard", "tensorboard")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([packages.program(), *TRAIN, "--runs-dir", folder], check=True, stdout=subprocess.DEVNULL)
        return check(pathlib.Path(folder) / "run")


if __name__ == "__main__":
    sys.exit(main())
