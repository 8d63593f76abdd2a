"""NVRTC compiles every kernel for two generations of GPUs, in every precision: no GPU is needed.

Installs NVRTC's wheel into target/python-nvrtc, where the library's own search finds it, and passes the test that compiles. Prints
SKIPPED where the wheel cannot be had. Run from anywhere: python3 scripts/check_kernels.py
"""
import os
import platform
import subprocess
import sys

import packages


def main():
    # NVIDIA has no wheels for others.
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        print(f"SKIPPED: kernels: there is no NVRTC for {sys.platform} on {platform.machine()}")
        return
    try:
        python = packages.environment("python-nvrtc")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: kernels: NVRTC cannot be installed: {error}")
        return
    # The features of all other tests, so that nothing is compiled again.
    command = ["cargo", "test", "--quiet", "--workspace", "--features", "dualprop/cuda", "--locked", "--lib", "compute::cuda::compiler"]
    environment = {**os.environ, "VIRTUAL_ENV": str(python.parent.parent)}
    done = subprocess.run([*command, "--", "--nocapture"], cwd=packages.TARGET.parent, env=environment, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    if done.returncode or "SKIPPED" in done.stdout or "1 passed" not in done.stdout:
        sys.exit("the kernels do not compile, or NVRTC was not found where it was installed")
    print("kernels: they compile for compute capabilities 8.0 and 9.0")


if __name__ == "__main__":
    main()
