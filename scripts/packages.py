"""Python packages that checks need and the project does not: in virtual environments below target, made when they are first needed."""
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

TARGET = pathlib.Path(__file__).resolve().parent.parent / "target"

ENVIRONMENTS = {
    # For all checks but those of PyTorch.
    "python": [
        *("numpy>=2,<3", "scikit-learn>=1.6,<2", "onnx>=1.17,<2", "onnxruntime>=1.20,<2", "hypothesis>=6.100,<7", "pytest>=8,<10"),
        *("mypy>=1.13,<3", "pandas>=2,<4", "matplotlib>=3.8,<4", "tensorboard>=2.21,<3"),
    ],
    # What the wheel must do with.
    "python-bare": ["numpy>=1.23"],
    "python-torch": ["numpy>=2,<3", "scikit-learn>=1.6,<2", "pytest>=8,<10", "torch>=2,<3"],
    # Of CUDA 13.0, whose machine code every driver for CUDA 13 loads.
    "python-nvrtc": ["nvidia-cuda-nvrtc>=13,<13.1"],
    "python-wheel": ["maturin>=1.9,<2", "ziglang>=0.13"],
}


def environment(name):
    """The interpreter of a virtual environment, which is made anew where its packages are others than before."""
    packages, folder = ENVIRONMENTS[name], TARGET / name
    python, stamp = folder / "bin" / "python", folder / "packages.sha256"
    wanted = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        stamp.write_text(wanted)
    return python


def program():
    """The program as `cargo test` has built it; built so now, where it is not there."""
    built = TARGET / "debug" / "dualprop"
    if not built.is_file():
        command = ["cargo", "build", "--quiet", "--locked", "-p", "dualprop-cli", "--profile", "test"]
        subprocess.run(command, cwd=TARGET.parent, check=True)
    return built


def need(what, *packages):
    """Goes on with the first interpreter that has these packages: this one, or that of target/python. Where they cannot be had it
    prints SKIPPED, and the check is over."""
    if all(importlib.util.find_spec(package) for package in packages):
        return
    try:
        python = environment("python")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: {what}: {' '.join(packages)} cannot be installed: {error}")
        sys.exit(0)
    os.execv(python, [str(python), *sys.argv])
