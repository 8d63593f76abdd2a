"""Python packages that checks need and the project does not: those of this interpreter, or of target/python, which .ci/run makes."""
import importlib.util
import os
import pathlib
import sys

VENV = pathlib.Path(__file__).resolve().parent.parent / "target" / "python"


def need(what, *packages):
    """Goes on with the first interpreter that has these packages. Without one it prints SKIPPED, and the check is over."""
    if all(importlib.util.find_spec(package) for package in packages):
        return
    python = VENV / "bin" / "python"
    # Once it runs there, it does not look again.
    if python.exists() and pathlib.Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(python, [str(python), *sys.argv])
    names = " ".join(packages)
    print(f"SKIPPED: {what}: not installed (python3 -m venv target/python; target/python/bin/pip install {names})")
    sys.exit(0)
