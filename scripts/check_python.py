#!/usr/bin/env python3
"""Builds the Python package as `pip install .` does, and passes its tests, type checks and examples.

    python3 scripts/check_python.py [--torch] [-k EXPRESSION]

Two virtual environments are made below target: `python` with what the tests need, and `python-bare` with NumPy alone, in which the
wheel must work by itself. With --torch a third, `python-torch`, has PyTorch (gigabytes) and passes the tests that need it. The
library within the module is that of `cargo test`: optimised, and with every assertion."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import packages

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
WHEELS = TARGET / "wheels-checked"
PACKAGE = ROOT / "crates" / "dualprop-py"
EXAMPLES = ROOT / "examples" / "python"


def run(*command, **options):
    print("+", " ".join(map(str, command)), flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)


def wheel():
    """The wheel that pip makes of the repository."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    options = {**os.environ, "MATURIN_PEP517_ARGS": "--profile dev --locked"}
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", WHEELS, "."]
    run(*pip, cwd=ROOT, env=options)
    (found,) = WHEELS.glob("*.whl")
    assert "-cp310-abi3-" in found.name, f"{found.name}: expected a wheel for every CPython from 3.10 on"
    return found


def install(python, found):
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall", found)


def check_bare(found):
    """That the wheel works with NumPy alone, and says what is missing for more."""
    python = packages.environment("python-bare")
    install(python, found)
    program = (
        "import dualprop, numpy as np\n"
        "network = dualprop.Network(4, [8, 3])\n"
        "dp = dualprop.DualProp(alpha=0.0)\n"
        "x, y = np.ones((2, 4), np.float32), np.array([0, 1])\n"
        "dualprop.Optimizer().step(network, dp.gradients(network, x, y))\n"
        "def refused(need, advice):\n"
        "    try:\n"
        "        need()\n"
        "    except ImportError as error:\n"
        "        assert advice in str(error), error\n"
        "    else:\n"
        "        raise AssertionError(advice)\n"
        "refused(lambda: dualprop.DualPropClassifier, 'pip install scikit-learn')\n"
        "refused(lambda: __import__('dualprop.torch'), 'pip install torch')\n"
        "print('with NumPy alone:', dualprop.__version__)\n"
    )
    run(python, "-c", program, cwd=TARGET)


def pytest(python, *arguments):
    """Passes tests, those against the program where `cargo test` has built it."""
    program = TARGET / "debug" / "dualprop"
    # scikit-learn's check of foreign arrays is skipped without the first.
    options = {**os.environ, "SCIPY_ARRAY_API": "1", **({"DUALPROP_PROGRAM": str(program)} if program.is_file() else {})}
    run(python, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, *arguments, cwd=TARGET, env=options)


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", action="store_true", help="pass the tests that need PyTorch, in an environment that has it")
    parser.add_argument("-k", metavar="EXPRESSION", help="only the tests that pytest finds by this expression")
    arguments = parser.parse_args()
    found = wheel()
    if arguments.torch:
        python = packages.environment("python-torch")
        install(python, found)
        pytest(python, PACKAGE / "tests" / "test_torch.py", PACKAGE / "tests" / "test_docs.py", "-k", "torch")
        run(python, EXAMPLES / "compare_with_pytorch.py", cwd=TARGET)
        return
    check_bare(found)
    python = packages.environment("python")
    install(python, found)
    torch = has_torch(python)
    only = ["-k", arguments.k] if arguments.k else []
    without = [] if torch else ["--ignore", PACKAGE / "tests" / "test_torch.py"]
    pytest(python, PACKAGE / "tests", *without, *only)
    if arguments.k:
        return
    run(python, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", cwd=ROOT)
    run(python, "-m", "mypy.stubtest", "dualprop._core", "--mypy-config-file", ROOT / "pyproject.toml", cwd=TARGET)
    for example in sorted(EXAMPLES.glob("*.py")):
        if torch or example.stem != "compare_with_pytorch":
            run(python, example, cwd=TARGET, stdout=subprocess.DEVNULL)
    print("Python: wheel, tests, types and examples are right" + ("" if torch else "; those of PyTorch are run by `make test-torch`"))


if __name__ == "__main__":
    main()
