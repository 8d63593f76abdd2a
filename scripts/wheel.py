#!/usr/bin/env python3
"""Builds the wheel that others get: for every CPython from 3.10 on and every Linux since 2014, in target/dist, and tries it with NumPy
alone.

    python3 scripts/wheel.py

It is linked by zig, whose C library is as old as one asks, in a virtual environment below target; some minutes."""

import os
import shutil

import packages
from check_python import ROOT, TARGET, check_bare, run


def main():
    python, out = packages.environment("python-wheel"), TARGET / "dist"
    shutil.rmtree(out, ignore_errors=True)
    # The program's build stays as it is.
    options = ["--release", "--locked", "--zig", "--compatibility", "manylinux2014", "--target-dir", TARGET / "zig", "--out", out]
    # maturin looks for zig in the Python that it finds first.
    first = {**os.environ, "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]])}
    run(python, "-m", "maturin", "build", *options, cwd=ROOT, env=first)
    (wheel,) = out.glob("*.whl")
    assert "-cp310-abi3-manylinux" in wheel.name, wheel.name
    check_bare(wheel)
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
